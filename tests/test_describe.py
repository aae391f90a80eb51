"""A corpus in numbers: counts that can be checked by hand, and what could not be counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pianobench import Clip, Corpus, Dimension, LeftOut, Notes, write_notes
from pianobench.describe import describe


@pytest.fixture
def pair(tmp_path: Path) -> Corpus:
    """Three clips: two are copies of one take under two names of one passage."""
    none = np.array([], dtype=np.int64)
    onset = np.array([0.0, 0.5, 1.0])
    for name, pitches in {"a": [60, 62, 64], "b": [60, 62, 64], "c": [50, 60, 70]}.items():
        notes = Notes(
            onset, onset + 0.4, np.array(pitches), np.array([70, 80, 90]), onset[:0], none, none
        )
        write_notes(tmp_path / f"{name}.mid", notes)
    return Corpus(
        name="pair",
        version="2",
        clips=tuple(Clip(id=name, midi=tmp_path / f"{name}.mid") for name in "abc"),
        dimensions=(Dimension("timing"), Dimension("touch")),
        targets=np.zeros((3, 2)),
        groups={"excerpt": ("e1", "e2", "e3"), "passage": ("s", "s", "t"), "performer": ("q",) * 3},
        human=np.array([True, True, False]),
        raters=np.ones(3, dtype=np.int64),
    )


def test_clips_groups_and_relations_are_counted(pair: Corpus) -> None:
    found = describe(pair)
    assert (found.clips, found.human_clips, found.dimensions) == (3, 2, 2)
    assert found.groups == {"excerpt": 3, "passage": 2, "performer": 1}
    assert (found.contained_takes, found.identical_groups, found.identical_clips) == (1, 1, 2)
    assert [(r.passage, r.excerpts) for r in found.recurring] == [("s", ("e1", "e2"))]
    assert not found.unchecked


def test_the_text_shows_what_recurs_and_the_json_survives_a_file(pair: Corpus) -> None:
    found = describe(pair)
    assert "groups of kind passage                             2" in found.text()
    assert found.text().endswith("s: e1, e2")
    assert json.loads(json.dumps(found.as_json())) == found.as_json()
    assert found.as_json()["recurring"] == {"s": ["e1", "e2"]}


def test_what_cannot_be_counted_is_said_and_is_not_zero(pair: Corpus) -> None:
    heard = tuple(replace(clip, midi=None, audio=Path("a.wav")) for clip in pair.clips)
    found = describe(replace(pair, clips=heard, groups={"passage": pair.groups["passage"]}))
    assert found.contained_takes is found.identical_groups is found.identical_clips is None
    assert list(found.unchecked) == ["contained", "identical", "recurring"]
    assert found.text().count("not checked") == 6
    assert found.as_json()["identical_clips"] is None


def test_what_is_left_out_is_counted_by_its_reason(pair: Corpus) -> None:
    found = describe(replace(pair, left_out=(LeftOut("the MIDI is missing", ("x", "y")),)))
    assert "left out, the MIDI is missing                      2" in found.text()
    assert found.as_json()["left_out"] == {"the MIDI is missing": 2}
