"""The values that travel: what they refuse, and that order and files do not show in them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pianobench import Corpus, DataError, EncodingError, Frames, Ratings
from pianobench.errors import SplitError


def shuffled(corpus: Corpus, order: list[int]) -> Corpus:
    rank = np.argsort(order)
    ratings = corpus.ratings
    return replace(
        corpus,
        clips=tuple(corpus.clips[i] for i in order),
        targets=corpus.targets[order],
        groups={kind: tuple(of[i] for i in order) for kind, of in corpus.groups.items()},
        human=corpus.human[order],
        raters=corpus.raters[order],
        ratings=None if ratings is None else replace(ratings, clip=rank[ratings.clip]),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.permutations(range(48)))
def test_an_ordered_corpus_does_not_show_the_order_of_the_files(
    corpus: Corpus, order: list[int]
) -> None:
    ratings = Ratings(
        rater=np.arange(48), clip=np.arange(48), values=np.arange(48.0 * 3).reshape(48, 3)
    )
    rated = replace(corpus, ratings=ratings)
    again = shuffled(rated, order).ordered()
    assert again.digest == rated.digest
    assert again.ids == rated.ids
    assert again.ratings is not None
    by_clip = np.empty((48, 3))
    by_clip[again.ratings.clip] = again.ratings.values
    np.testing.assert_array_equal(by_clip, ratings.values)


def test_the_digest_sees_labels_groups_and_weights(corpus: Corpus) -> None:
    targets = corpus.targets.copy()
    targets[7, 1] += 1e-12
    groups = {**corpus.groups, "passage": (*corpus.groups["passage"][:-1], "p0")}
    variants = [
        replace(corpus, targets=targets),
        replace(corpus, groups=groups),
        replace(corpus, raters=corpus.raters + 1),
        replace(corpus, human=~corpus.human),
        replace(corpus, version="2"),
    ]
    assert len({corpus.digest, *(variant.digest for variant in variants)}) == 6


def test_a_corpus_refuses_what_cannot_be_scored(corpus: Corpus) -> None:
    targets = corpus.targets.copy()
    targets[4, 2] = np.nan
    with pytest.raises(DataError, match=rf"clip '{corpus.ids[4]}' in 'tempo' is nan"):
        replace(corpus, targets=targets)
    with pytest.raises(DataError, match=r"shape \(47, 3\), not \(48, 3\)"):
        replace(corpus, targets=corpus.targets[:-1])
    with pytest.raises(DataError, match=rf"'{corpus.ids[0]}' more than once"):
        replace(corpus, clips=(corpus.clips[0], *corpus.clips[:-1]))
    with pytest.raises(DataError, match="'work' names 1 clips, not 48"):
        replace(corpus, groups={**corpus.groups, "work": ("w1",)})
    with pytest.raises(DataError, match="is empty: 0 clips"):
        replace(corpus, clips=(), targets=np.empty((0, 3)))


def test_an_unknown_group_names_those_there_are(corpus: Corpus) -> None:
    with pytest.raises(SplitError, match=r"which composer .* knows excerpt, passage"):
        corpus.group("composer")


def test_frames_refuse_shapes_that_do_not_fit() -> None:
    with pytest.raises(EncodingError, match=r"shape \(1, 0, 4\)"):
        Frames(np.empty((1, 0, 4)), np.empty(0), {})
    with pytest.raises(EncodingError, match=r"beat has shape \(3,\) for 5 frames"):
        Frames(np.zeros((1, 5, 4)), np.arange(5.0), {"beat": np.zeros(3, dtype=np.int64)})
