"""Relations between takes, by index in the corpus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pianobench import Clip, Corpus, Dimension, Notes, write_notes
from pianobench.take_relations import Unchecked, take_relations


@pytest.fixture
def copies(tmp_path: Path) -> Corpus:
    """Four copies of one take under four names: two machines, then two people."""
    none = np.array([], dtype=np.int64)
    onset = np.array([0.0, 0.5, 1.0, 1.25])
    notes = Notes(
        onset, onset + 0.4, np.array([60, 62, 64, 65]), np.full(4, 70), onset[:0], none, none
    )
    write_notes(tmp_path / "take.mid", notes)
    return Corpus(
        name="copies",
        version="1",
        clips=tuple(Clip(id=name, midi=tmp_path / "take.mid") for name in "abcd"),
        dimensions=(Dimension("timing"),),
        targets=np.zeros((4, 1)),
        groups={"performer": ("Score", "Score", "p", "p")},
        human=np.array([False, False, True, True]),
        raters=np.ones(4, dtype=np.int64),
    )


def test_machines_may_be_identical_but_contain_no_take(copies: Corpus) -> None:
    found = take_relations(copies)
    assert found.identical == ((0, 1, 2, 3),)
    assert found.contained == ((2, 3),)


def test_different_performers_contain_no_take_of_each_other(copies: Corpus) -> None:
    found = take_relations(replace(copies, groups={"performer": ("Score", "Score", "p", "q")}))
    assert found.contained == ()


def test_without_performers_identical_clips_are_found_all_the_same(copies: Corpus) -> None:
    found = take_relations(replace(copies, groups={}))
    assert isinstance(found.contained, Unchecked)
    assert found.identical == ((0, 1, 2, 3),)


def test_a_corpus_that_is_heard_only_is_unchecked(copies: Corpus) -> None:
    heard = tuple(replace(clip, midi=None, audio=Path("a.wav")) for clip in copies.clips)
    found = take_relations(replace(copies, clips=heard))
    assert found.contained == found.identical == Unchecked("4 of 4 clips have no MIDI file")
