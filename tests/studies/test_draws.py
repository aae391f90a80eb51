"""Test sets drawn as published: whole excerpts, nothing twice, the share of known music right."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pianobench import Corpus
from pianobench.errors import SplitError
from pianobench.studies.draws import draw_test_set

seeds = st.integers(0, 2**32 - 1)
shared_corpus = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def with_groups(corpus: Corpus, **groups: list[str]) -> Corpus:
    return replace(corpus, groups={**corpus.groups, **{k: tuple(v) for k, v in groups.items()}})


@given(seed=seeds)
@shared_corpus
def test_every_clip_is_in_the_test_set_or_in_one_fold_and_excerpts_stay_whole(
    corpus: Corpus, seed: int
) -> None:
    draw = draw_test_set(corpus, seed)
    parts = [draw.test, *draw.folds]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(corpus.clips)))
    excerpts = corpus.group("excerpt")
    places = [set(excerpts[part].tolist()) for part in parts]
    assert sum(map(len, places)) == len(set.union(*places)) == 8
    sizes = [len(place) for place in places[1:]]
    assert max(sizes) - min(sizes) <= 1


@given(seed=seeds)
@shared_corpus
def test_the_test_set_is_the_first_to_reach_15_percent(corpus: Corpus, seed: int) -> None:
    # Excerpts have six clips each, and 15% of 48 clips are 7.2.
    assert len(draw_test_set(corpus, seed).test) == 12


@given(seed=seeds)
@shared_corpus
def test_each_model_stops_on_a_fold_of_its_own_and_is_trained_on_the_other_three(
    corpus: Corpus, seed: int
) -> None:
    draw = draw_test_set(corpus, seed)
    models = draw.models()
    held_out = []
    for model in models:
        assert model.validation is not None
        held_out += model.validation.tolist()
        sides = [*model.train.tolist(), *model.validation.tolist(), *model.test.tolist()]
        assert sorted(sides) == list(range(len(corpus.clips)))
        assert model.test.tolist() == draw.test.tolist()
    assert sorted(held_out) == sorted(np.concatenate(draw.folds).tolist())
    assert len(models) == 4


def test_a_seed_gives_one_draw_and_another_seed_another(corpus: Corpus) -> None:
    first, again, other = (draw_test_set(corpus, seed) for seed in (3, 3, 4))
    assert first.test.tolist() == again.test.tolist()
    assert [f.tolist() for f in first.folds] == [f.tolist() for f in again.folds]
    assert first.test.tolist() != other.test.tolist()


def test_all_excerpts_are_drawn_equally_often(corpus: Corpus) -> None:
    draws = 400
    excerpts = corpus.group("excerpt")
    drawn = Counter(
        excerpt
        for seed in range(draws)
        for excerpt in set(excerpts[draw_test_set(corpus, seed).test].tolist())
    )
    # Two of eight; four standard deviations of a binomial.
    assert len(drawn) == 8
    assert all(abs(n - draws / 4) < 4 * np.sqrt(draws * 3 / 16) for n in drawn.values())


def test_an_excerpt_of_one_clip_is_never_drawn(corpus: Corpus) -> None:
    excerpts = list(corpus.groups["excerpt"])
    excerpts[0] = "alone"
    lonely = with_groups(corpus, excerpt=excerpts)
    assert not any(0 in draw_test_set(lonely, seed).test for seed in range(40))


def test_the_share_of_known_music_is_that_of_passages_on_both_sides(corpus: Corpus) -> None:
    excerpts = corpus.groups["excerpt"]
    assert draw_test_set(corpus, 0).share_of_known_music(corpus) == 0
    halves = ["first" if e < "p4" else "second" for e in excerpts]
    assert draw_test_set(corpus, 0).share_of_known_music(with_groups(corpus, passage=halves)) == 1
    # p0 and p1 share music; of every draw, count by hand.
    merged = with_groups(corpus, passage=["p0" if e == "p1" else e for e in excerpts])
    for seed in range(20):
        draw = draw_test_set(merged, seed)
        tested = {excerpts[clip] for clip in draw.test}
        known = sum(excerpts[clip] in ("p0", "p1") for clip in draw.test)
        expected = 0 if {"p0", "p1"} <= tested else known / 12
        assert draw.share_of_known_music(merged) == pytest.approx(expected)


def test_a_corpus_with_too_few_excerpts_is_refused(corpus: Corpus) -> None:
    few = ["one" if e < "p2" else "two" for e in corpus.groups["excerpt"]]
    with pytest.raises(SplitError, match="has 2 excerpts"):
        draw_test_set(with_groups(corpus, excerpt=few), 0)
    with pytest.raises(SplitError, match="has 48 excerpts"):
        draw_test_set(with_groups(corpus, excerpt=list(corpus.ids)), 0)


@pytest.mark.data
def test_a_draw_of_percepiano_is_as_large_as_published_and_mostly_known_music(data_root) -> None:
    from pianobench.components import Dataset
    from pianobench.corpus import load_corpus
    from pianobench.plugins import Registry

    corpus = load_corpus(Registry().create(Dataset, "dataset", "percepiano"), data_root)
    draws = [draw_test_set(corpus, seed) for seed in range(20)]
    assert all(0.15 <= len(draw.test) / len(corpus.clips) < 0.19 for draw in draws)
    shares = [draw.share_of_known_music(corpus) for draw in draws]
    assert 0.5 < np.mean(shares) < 0.9
