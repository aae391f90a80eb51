"""Protocols: no unit on both sides, every clip scored once, and no trace of the files' order."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pianobench import Clip, Corpus, Dataset, Dimension, Split
from pianobench.errors import SplitError, UnknownNameError
from pianobench.fold_files import read_folds, write_folds
from pianobench.split import PROTOCOLS, inner_groups, load_split, make_split


def corpus_of(rows: list[tuple[int, int, int]], order: list[int] | None = None) -> Corpus:
    """A corpus whose rows are (excerpt, performer, take); three excerpts make a passage."""
    rows = [rows[i] for i in order] if order else rows
    return Corpus(
        name="made",
        version="1",
        clips=tuple(Clip(id=f"{e}-{p}-{t}", audio=Path("a.wav")) for e, p, t in rows),
        dimensions=(Dimension("timing"),),
        targets=np.zeros((len(rows), 1)),
        groups={
            "excerpt": tuple(f"e{e}" for e, _, _ in rows),
            "passage": tuple(f"s{e // 3}" for e, _, _ in rows),
            "work": tuple(f"w{e // 9}" for e, _, _ in rows),
            "performer": tuple(f"q{p}" for _, p, _ in rows),
        },
        human=np.ones(len(rows), dtype=np.bool_),
        raters=np.ones(len(rows), dtype=np.int64),
    )


def split_or_reject(corpus: Corpus, protocol: str) -> Split:
    try:
        return make_split(corpus, protocol)
    except SplitError:
        assume(False)
        raise


def named_folds(split: Split, corpus: Corpus) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    ids = np.array(corpus.ids)
    return {f.name: (frozenset(ids[f.train]), frozenset(ids[f.test])) for f in split.folds}


class Committed(Dataset):
    """A dataset whose fold file lies where a test puts it."""

    name = "committed"
    path: Path | None = None

    def fold_file(self, protocol: str) -> Path | None:
        return self.path


takes = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 7), st.integers(0, 2)),
    min_size=20,
    max_size=120,
    unique=True,
)
protocols = st.sampled_from(sorted(PROTOCOLS))


@given(takes, protocols)
@settings(deadline=None, max_examples=40)
def test_no_unit_is_ever_on_both_sides_of_a_fold(
    rows: list[tuple[int, int, int]], protocol: str
) -> None:
    corpus = corpus_of(rows)
    split = split_or_reject(corpus, protocol)
    for fold in split.folds:
        assert not set(fold.train.tolist()) & set(fold.test.tolist())
        for kind in PROTOCOLS[protocol].unit:
            of = corpus.groups[kind]
            assert not {of[i] for i in fold.train} & {of[i] for i in fold.test}


@given(takes, protocols)
@settings(deadline=None, max_examples=40)
def test_every_clip_is_scored_exactly_once(rows: list[tuple[int, int, int]], protocol: str) -> None:
    corpus = corpus_of(rows)
    split = split_or_reject(corpus, protocol)
    scored = [int(i) for fold in split.folds for i in fold.test]
    assert sorted(scored) == list(range(len(rows)))


@given(takes, protocols, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=40)
def test_the_order_of_the_clips_does_not_show(
    rows: list[tuple[int, int, int]], protocol: str, random: Random
) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    one, other = corpus_of(rows), corpus_of(rows, order)
    first, second = split_or_reject(one, protocol), make_split(other, protocol)
    assert named_folds(first, one) == named_folds(second, other)
    assert first.digest == second.digest


@given(takes, protocols)
@settings(deadline=None, max_examples=40)
def test_training_holds_every_clip_that_shares_no_unit_with_the_folds_units(
    rows: list[tuple[int, int, int]], protocol: str
) -> None:
    corpus = corpus_of(rows)
    split = split_or_reject(corpus, protocol)
    if len(PROTOCOLS[protocol].unit) < 2:
        for fold in split.folds:
            assert len(fold.train) + len(fold.test) == len(rows)
    else:
        rows_of = {f.name: f.name.split(".") for f in split.folds}
        place = {int(i): rows_of[f.name] for f in split.folds for i in f.test}
        for fold in split.folds:
            passage, performer = rows_of[fold.name]
            expected = [i for i, (a, b) in place.items() if a != passage and b != performer]
            assert fold.train.tolist() == sorted(expected)


def test_folds_are_as_even_as_their_units_allow() -> None:
    # Largest first to the emptiest fold: 7, 5, 4 + 3, 4 + 1.
    sizes = {"s0": 7, "s1": 5, "s2": 4, "s3": 4, "s4": 3, "s5": 1}
    rows = [(3 * int(name[1]), 0, take) for name, n in sizes.items() for take in range(n)]
    split = make_split(corpus_of(rows), "piece")
    assert [len(fold.test) for fold in split.folds] == [7, 5, 7, 5]


def test_work_leaves_out_one_work_at_a_time_and_names_the_fold_after_it() -> None:
    rows = [(excerpt, take, 0) for excerpt in range(27) for take in range(2)]
    split = make_split(corpus_of(rows), "work")
    assert [fold.name for fold in split.folds] == ["w0", "w1", "w2"]
    assert {len(fold.test) for fold in split.folds} == {18}


def test_random_folds_part_takes_of_one_excerpt() -> None:
    rows = [(excerpt, take, 0) for excerpt in range(10) for take in range(8)]
    corpus = corpus_of(rows)
    split = make_split(corpus, "random")
    excerpts = np.array(corpus.groups["excerpt"])
    assert {len(fold.test) for fold in split.folds} == {20}
    assert all(set(excerpts[f.test]) <= set(excerpts[f.train]) for f in split.folds)


def test_exactly_one_protocol_ranks_and_only_new_music_gets_an_interval() -> None:
    assert [p.name for p in PROTOCOLS.values() if p.ranked] == ["piece"]
    assert {p.name for p in PROTOCOLS.values() if p.interval} == {"piece", "unseen"}


def test_the_digest_depends_on_the_sides_and_not_on_the_names_of_the_folds(
    corpus: Corpus, tmp_path: Path
) -> None:
    split = make_split(corpus, "piece")
    ids = np.array(corpus.ids)
    sides = [(ids[f.train].tolist(), ids[f.test].tolist()) for f in split.folds]
    path = tmp_path / "folds.json"
    path.write_text(json.dumps([{"train": a, "val": b} for a, b in reversed(sides)]))
    assert read_folds(path, corpus).digest == split.digest
    path.write_text(json.dumps([{"train": b, "val": a} for a, b in sides]))
    assert read_folds(path, corpus).digest != split.digest


def test_an_unknown_protocol_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match=r"no protocol named 'pieces'. Did you mean 'piece'"):
        make_split(corpus_of([(0, 0, 0)]), "pieces")


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(SplitError, match=r"at least 4 groups of kind 'passage'.* has 3"):
        make_split(corpus_of([(e, 0, 0) for e in range(9)]), "piece")
    with pytest.raises(SplitError, match=r"at least 2 groups of kind 'work'.* has 1"):
        make_split(corpus_of([(e, 0, 0) for e in range(9)]), "work")
    with pytest.raises(SplitError, match="at least 4 groups of kind 'clip'"):
        make_split(corpus_of([(e, 0, 0) for e in range(3)]), "random")


def test_a_grid_in_which_a_cell_has_nothing_to_learn_from_is_refused() -> None:
    # Every performer plays one passage only, but for one who plays them all.
    rows = [(0, 0, 0), (0, 1, 0), (0, 2, 0), (0, 3, 0), (3, 0, 0), (6, 0, 0), (9, 0, 0)]
    with pytest.raises(SplitError, match=r"trains on 0 clips"):
        make_split(corpus_of(rows), "unseen")


def test_a_missing_kind_of_group_is_refused() -> None:
    corpus = corpus_of([(e, 0, 0) for e in range(12)])
    lacking = replace(corpus, groups={"work": corpus.groups["work"]})
    with pytest.raises(SplitError, match="does not say which passage"):
        make_split(lacking, "piece")


def test_without_a_committed_file_the_folds_are_made(corpus: Corpus) -> None:
    assert load_split(corpus, "piece", Committed()).digest == make_split(corpus, "piece").digest


@pytest.mark.parametrize("protocol", sorted(PROTOCOLS))
def test_committed_folds_come_back_as_they_were_made(
    corpus: Corpus, protocol: str, tmp_path: Path
) -> None:
    made = make_split(corpus, protocol)
    write_folds(tmp_path / "folds.json", made, corpus)
    loaded = load_split(corpus, protocol, Committed(path=tmp_path / "folds.json"))
    assert (loaded.protocol, loaded.unit, loaded.digest) == (protocol, made.unit, made.digest)
    assert named_folds(loaded, corpus) == named_folds(made, corpus)


def test_a_committed_file_counts_even_where_it_differs_from_what_would_be_made(
    corpus: Corpus, tmp_path: Path
) -> None:
    excerpts_first = make_split(replace(corpus, groups=renamed(corpus, "passage")), "piece")
    write_folds(tmp_path / "folds.json", excerpts_first, corpus)
    loaded = load_split(corpus, "piece", Committed(path=tmp_path / "folds.json"))
    assert loaded.digest == excerpts_first.digest != make_split(corpus, "piece").digest


def renamed(corpus: Corpus, kind: str) -> dict[str, tuple[str, ...]]:
    """The corpus's groups with one kind named so that it sorts the other way."""
    names = sorted(set(corpus.groups[kind]))
    new = {name: f"{i % 3}{len(names) - i}" for i, name in enumerate(names)}
    return {**corpus.groups, kind: tuple(new[name] for name in corpus.groups[kind])}


def test_committed_folds_of_another_version_of_the_data_are_refused(
    corpus: Corpus, tmp_path: Path
) -> None:
    path = tmp_path / "folds.json"
    write_folds(path, make_split(corpus, "piece"), corpus)
    longer = replace(
        corpus,
        clips=(*corpus.clips, Clip(id="new", audio=Path("a.wav"))),
        targets=np.vstack([corpus.targets, corpus.targets[:1]]),
        groups={kind: (*of, of[0]) for kind, of in corpus.groups.items()},
        human=np.append(corpus.human, True),
        raters=np.append(corpus.raters, 1),
    )
    with pytest.raises(SplitError, match=r"score 48 of the 49 clips.*'new' is in none"):
        load_split(longer, "piece", Committed(path=path))
    regrouped = replace(corpus, groups={**corpus.groups, "passage": ("one",) * 48})
    with pytest.raises(SplitError, match="trains on and scores the passage 'one'"):
        load_split(regrouped, "piece", Committed(path=path))
    with pytest.raises(SplitError, match=r"name 47 clips that dataset .* does not have"):
        load_split(only_first(corpus), "piece", Committed(path=path))


def only_first(corpus: Corpus) -> Corpus:
    return replace(
        corpus,
        clips=corpus.clips[:1],
        targets=corpus.targets[:1],
        groups={kind: of[:1] for kind, of in corpus.groups.items()},
        human=corpus.human[:1],
        raters=corpus.raters[:1],
    )


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [("piece", "passage"), ("unseen", "passage"), ("work", "work"), ("performer", "performer")],
)
def test_inner_validation_keeps_the_protocols_unit_whole(
    corpus: Corpus, protocol: str, kind: str
) -> None:
    groups = inner_groups(corpus, make_split(corpus, protocol))
    assert groups.tolist() == list(corpus.groups[kind])


def test_inner_validation_takes_clips_for_random_and_passages_for_a_users_folds(
    corpus: Corpus, tmp_path: Path
) -> None:
    random = make_split(corpus, "random")
    assert inner_groups(corpus, random).tolist() == list(corpus.ids)
    write_folds(tmp_path / "folds.json", random, corpus)
    custom = read_folds(tmp_path / "folds.json", corpus)
    assert inner_groups(corpus, custom).tolist() == list(corpus.groups["passage"])
    without = replace(corpus, groups={"work": corpus.groups["work"]})
    assert inner_groups(without, custom).tolist() == list(corpus.ids)
