"""PercePiano's committed folds, and what published ways to split it leak."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from pianobench import Corpus
from pianobench.audit import audit
from pianobench.corpus import load_corpus
from pianobench.describe import describe
from pianobench.fold_files import read_folds, write_folds
from pianobench.split import PROTOCOLS, load_split, make_split
from pianobench_percepiano import PercePiano

pytestmark = pytest.mark.data


@lru_cache(maxsize=1)
def corpus_below(root: Path) -> Corpus:
    return load_corpus(PercePiano(), root)


@pytest.fixture
def percepiano(data_root: Path) -> Corpus:
    return corpus_below(data_root)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_committed_folds_are_those_that_would_be_made_again(
    percepiano: Corpus, tmp_path: Path, protocol: str
) -> None:
    committed = PercePiano().fold_file(protocol)
    assert committed is not None
    write_folds(tmp_path / "again.json", make_split(percepiano, protocol), percepiano)
    assert committed.read_bytes() == (tmp_path / "again.json").read_bytes()
    assert load_split(percepiano, protocol, PercePiano()).protocol == protocol
    assert committed.stat().st_size < 100_000


@pytest.mark.parametrize(
    ("protocol", "sizes"),
    [
        ("piece", [296, 301, 301, 304]),
        ("work", [238, 117, 288, 559]),
        ("performer", [304, 300, 303, 295]),
        ("excerpt", [301, 301, 300, 300]),
        ("random", [301, 301, 300, 300]),
    ],
)
def test_folds_are_even_but_for_the_works(
    percepiano: Corpus, protocol: str, sizes: list[int]
) -> None:
    split = load_split(percepiano, protocol, PercePiano())
    assert [len(fold.test) for fold in split.folds] == sizes


def test_every_cell_of_the_unseen_grid_trains_on_more_than_half_of_the_clips(
    percepiano: Corpus,
) -> None:
    folds = load_split(percepiano, "unseen", PercePiano()).folds
    assert len(folds) == 16
    assert min(len(fold.test) for fold in folds) == 69
    assert min(len(fold.train) for fold in folds) == 668


def test_the_corpus_is_described_by_its_known_counts(percepiano: Corpus) -> None:
    found = describe(percepiano)
    assert (found.clips, found.human_clips, found.dimensions) == (1202, 1073, 19)
    for kind, count in {
        "excerpt": 99,
        "position": 71,
        "passage": 42,
        "performer": 22,
        "work": 4,
    }.items():
        assert found.groups[kind] == count
    assert found.contained_takes == 246
    assert (found.identical_groups, found.identical_clips) == (28, 64)
    assert not found.unchecked
    # Excerpts less those that recur, plus one for each passage they make, are the passages.
    recurring = sum(len(r.excerpts) for r in found.recurring)
    assert 99 - recurring + len(found.recurring) == 42


@pytest.mark.parametrize("protocol", ["piece", "unseen", "work"])
def test_the_protocols_that_score_new_music_leak_none(percepiano: Corpus, protocol: str) -> None:
    found = audit(percepiano, load_split(percepiano, protocol, PercePiano()))
    assert found.ok
    assert not found.unchecked
    performer = next(leak for leak in found.leaks if leak.kind == "performer")
    assert (performer.test_clips == 0) is (protocol == "unseen")


def test_folds_by_excerpt_name_share_the_music_of_most_clips(percepiano: Corpus) -> None:
    found = audit(percepiano, load_split(percepiano, "excerpt", PercePiano()))
    counts = {leak.kind: leak.test_clips for leak in found.leaks}
    assert counts["excerpt"] == 0
    assert (counts["passage"], counts["contained"], counts["identical"]) == (847, 334, 62)


def test_folds_by_performer_and_piece_share_the_excerpt_of_every_clip(
    percepiano: Corpus, tmp_path: Path
) -> None:
    played = np.char.add(percepiano.group("performer"), percepiano.group("work"))
    names, sizes = np.unique(played, return_counts=True)
    folds: list[list[str]] = [[], [], [], []]
    for name in names[np.argsort(-sizes, kind="stable")]:
        clips = np.array(percepiano.ids)[played == name].tolist()
        min(folds, key=len).extend(clips)
    path = tmp_path / "folds.json"
    path.write_text(json.dumps({f"fold_{k}": clips for k, clips in enumerate(folds)}))
    found = audit(percepiano, read_folds(path, percepiano))
    counts = {leak.kind: leak.test_clips for leak in found.leaks}
    assert counts["recording"] == 0
    assert counts["excerpt"] == counts["passage"] == found.test_clips == 1202
    assert "excerpt: 1,202 of 1,202 test clips" in found.text()
    assert not found.ok
