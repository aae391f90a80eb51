"""Takes that two corpora share are found by their notes, wherever the cut is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pianobench import Clip, Corpus, Notes, write_notes
from pianobench.overlap import find_overlap, shared_takes
from pianobench.recurrence import contained_takes


def cut(notes: Notes, start: int, stop: int, shift_s: float = 3.0) -> Notes:
    chosen = slice(start, stop)
    return replace(
        notes,
        onset=notes.onset[chosen] + shift_s,
        offset=notes.offset[chosen] + shift_s,
        pitch=notes.pitch[chosen],
        velocity=notes.velocity[chosen],
    )


@pytest.fixture
def takes(tmp_path: Path, write_take: Callable[..., Notes]) -> list[Notes]:
    """Two takes of each of three pieces."""
    return [
        write_take(tmp_path / f"{piece}{seed}.mid", piece, seed, notes=200)
        for piece in range(3)
        for seed in (1, 2)
    ]


def test_an_excerpt_is_found_in_the_take_it_was_cut_from_and_in_no_other(
    takes: list[Notes],
) -> None:
    excerpts = [cut(takes[3], 50, 110), cut(takes[0], 0, 60), cut(takes[5], 120, 200)]
    assert shared_takes(takes, excerpts) == [(0, 1), (3, 0), (5, 2)]


def test_the_candidates_lose_no_pair_that_comparing_everything_finds(takes: list[Notes]) -> None:
    rng = np.random.default_rng(0)
    excerpts = []
    for take in takes:
        part = cut(take, 20, 120)
        wrong = rng.choice(100, size=4, replace=False)
        velocity = part.velocity.copy()
        velocity[wrong] = 5
        excerpts.append(replace(part, velocity=velocity))
    every = [
        (i, j)
        for i, take in enumerate(takes)
        for j, excerpt in enumerate(excerpts)
        if contained_takes([take, excerpt], ["", ""])
    ]
    assert every == [(i, i) for i in range(6)]
    assert shared_takes(takes, excerpts) == every


def corpus_of(name: str, clips: list[Clip], human: list[bool] | None = None) -> Corpus:
    return Corpus(
        name=name,
        version="1",
        clips=tuple(clips),
        dimensions=(),
        targets=np.zeros((len(clips), 0)),
        groups={},
        human=np.array(human or [True] * len(clips)),
        raters=np.ones(len(clips), dtype=np.int64),
    )


def test_clips_are_named_once_and_machines_are_not_compared(
    tmp_path: Path, takes: list[Notes]
) -> None:
    write_notes(tmp_path / "x.mid", cut(takes[1], 0, 80))
    write_notes(tmp_path / "y.mid", cut(takes[1], 80, 160))
    mine = corpus_of("mine", [Clip("whole", midi=tmp_path / "02.mid")])
    cuts = [Clip(name, midi=tmp_path / f"{name}.mid") for name in "xy"]
    found = find_overlap(mine, corpus_of("rated", cuts))
    assert found.pairs == (("whole", "x"), ("whole", "y"))
    assert found.clips == ("whole",)
    assert found.unchecked == ""
    assert find_overlap(mine, corpus_of("rated", cuts, [False, True])).pairs == (("whole", "y"),)


def test_what_cannot_be_compared_is_said(tmp_path: Path, takes: list[Notes]) -> None:
    there, heard = Clip("a", midi=tmp_path / "01.mid"), Clip("b", audio=tmp_path / "b.wav")
    rated = corpus_of("rated", [Clip("z", midi=tmp_path / "11.mid")])
    assert find_overlap(corpus_of("mine", [there, heard]), rated).unchecked == (
        "1 clips of mine have no MIDI"
    )
    assert find_overlap(corpus_of("mine", [heard]), rated).unchecked == (
        "the clips of mine have no MIDI"
    )
    (tmp_path / "bad.mid").write_bytes(b"no MIDI")
    bad = Clip("bad", midi=tmp_path / "bad.mid")
    rated = corpus_of("rated", [bad, replace(there, id="same")])
    found = find_overlap(corpus_of("mine", [bad, there, heard]), rated)
    assert found.pairs == (("a", "same"),)
    first, *others = found.unchecked.split("; ")
    assert first == "1 clips of mine have no MIDI"
    for clause, name in zip(others, ("mine", "rated"), strict=True):
        assert clause.startswith(f"1 clips of {name} cannot be read, the first: Cannot read the")
        assert str(tmp_path / "bad.mid") in clause
