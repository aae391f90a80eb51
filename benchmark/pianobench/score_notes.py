"""The notes of a score: sounding ones from its MIDI, where they stand from its MusicXML.

What enters is a score MIDI, in which tremolos and ornaments are played out as a performer plays
them, and the MusicXML it was made from; what leaves is `ScoreNotes`, one entry per note of the
MIDI. Each takes its bar, beat, voice and marks from the written note it is played from: of the
written notes of its pitch, the one that covers its onset, under the one time shift that brings
most onsets together.

Quarter notes count from the start of the MIDI. Beats are those of the time signature's lower
number; they count from the first full bar, and are negative before it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .array_files import ArrayFile
from .errors import DataError
from .notes import Notes, read_notes
from .written_score import Direction, WrittenScore, read_written

__all__ = ["ScoreNotes", "pack_score", "read_score", "unpack_score"]

_GRID = 96  # per quarter note
_REACH_Q = 1.0
_LEAST_SHARED = 0.5


@dataclass(frozen=True)
class ScoreNotes:
    """The notes of a score, sorted by onset and pitch; every array has shape (notes,).

    Attributes
    ----------
    onset_q, duration_q : float array
        Quarter notes.
    onset_s, duration_s : float array
        Seconds, in the tempo of the score MIDI.
    pitch, velocity : int array
        Of the score MIDI; its velocities follow the written dynamics where its maker did.
    onset_beat, duration_beat : float array
        Beats of the time signature.
    written_beat : float array
        Length as written; that of the score MIDI, whose notes end early, where a written note is
        played as several (tremolos) or has no length of its own (grace notes).
    measure : int array
        Counted from 0.
    position_beat : float array
        Beats since the bar line.
    measure_beats : float array
        Length of the measure by its time signature.
    voice, staff : int array
        As numbered in the MusicXML; 0 where it does not say.
    written : int array
        Index of the written note in the order of `partitura.score.Part.notes_tied`; -1 where a
        note has none of its pitch within a quarter note.
    marks : mapping of str to bool array
        The keys of `pianobench.written_score.MARKS`, ``slur``, ``fermata`` and ``grace``.
    directions : tuple of Direction
    """

    onset_q: NDArray[np.float64]
    duration_q: NDArray[np.float64]
    onset_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    onset_beat: NDArray[np.float64]
    duration_beat: NDArray[np.float64]
    written_beat: NDArray[np.float64]
    measure: NDArray[np.int64]
    position_beat: NDArray[np.float64]
    measure_beats: NDArray[np.float64]
    voice: NDArray[np.int64]
    staff: NDArray[np.int64]
    written: NDArray[np.int64]
    marks: Mapping[str, NDArray[np.bool_]]
    directions: tuple[Direction, ...]

    def __len__(self) -> int:
        return len(self.onset_q)


def read_score(midi: Path, xml: Path) -> ScoreNotes:
    """Read a score.

    Parameters
    ----------
    midi, xml : Path
        The same music.

    Raises
    ------
    DataError
        If a file cannot be read, the MusicXML has no measure or no note, or fewer than half of the
        MIDI's notes are written in it.
    DependencyError
        If partitura is not installed.
    """
    notes, seconds = read_notes(midi, "quarter"), read_notes(midi, "second")
    written = read_written(xml)
    shift_q = _shift(notes, written)
    source, voiced = _sources(notes, written, shift_q)
    missing = float((source < 0).mean())
    if missing > 1 - _LEAST_SHARED:
        raise DataError(
            f"The score MIDI {midi} and the MusicXML {xml} are not the same music: {missing:.0%} "
            "of the MIDI's notes are not written. Export both from one score."
        )
    onset_s, duration_s = _in_seconds(notes, seconds)
    grid = written.grid
    onset_beat = grid.beat(notes.onset + shift_q)
    duration_beat = grid.beat(notes.offset + shift_q) - onset_beat
    measure, position_beat, measure_beats = grid.place(notes.onset + shift_q)
    marks = {name: marked[source] & (source >= 0) for name, marked in written.marks.items()}
    lengths = (grid.beat(written.end_q) - grid.beat(written.onset_q))[source]
    as_written = _played_once(source) & ~marks["grace"]
    return ScoreNotes(
        onset_q=notes.onset,
        duration_q=notes.offset - notes.onset,
        onset_s=onset_s,
        duration_s=duration_s,
        pitch=notes.pitch,
        velocity=notes.velocity,
        onset_beat=onset_beat,
        duration_beat=duration_beat,
        written_beat=np.where(as_written, lengths, duration_beat),
        measure=measure,
        position_beat=position_beat,
        measure_beats=measure_beats,
        voice=written.voice[voiced],
        staff=written.staff[voiced],
        written=source,
        marks=marks,
        directions=tuple(
            d._replace(start_q=d.start_q - shift_q, end_q=d.end_q - shift_q)
            for d in written.directions
        ),
    )


def _shift(notes: Notes, written: WrittenScore) -> float:
    """Quarter notes from an onset in the MIDI to that in the MusicXML; most pairs agree on it."""
    midi = np.rint(notes.onset * _GRID).astype(np.int64)
    xml = np.rint(written.onset_q * _GRID).astype(np.int64)
    shifts = np.subtract.outer(xml, midi)[np.equal.outer(written.pitch, notes.pitch)]
    if not shifts.size:
        return 0.0
    found, votes = np.unique(shifts, return_counts=True)
    return float(found[np.argmax(votes)]) / _GRID


def _sources(
    notes: Notes, written: WrittenScore, shift_q: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the written note that each is played from, and the one whose voice it shares."""
    onset = (notes.onset + shift_q)[:, None]
    outside = np.maximum(np.maximum(written.onset_q - onset, onset - written.end_q), 0)
    # Of repeated notes the one that begins here, not the one that ends.
    away = outside + 0.01 * np.abs(written.onset_q - onset)
    interval = np.abs(np.subtract.outer(notes.pitch, written.pitch))
    best = np.argmin(np.where(interval == 0, away, np.inf), axis=1)
    rows = np.arange(len(notes))
    found = (interval[rows, best] == 0) & (outside[rows, best] <= _REACH_Q)
    near = np.argmin(away + 0.1 * interval, axis=1)
    return np.where(found, best, -1), np.where(found, best, near)


def _played_once(source: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a note is the only one that its written note is played as."""
    times = np.bincount(source + 1)[source + 1]
    once: NDArray[np.bool_] = (source >= 0) & (times == 1)
    return once


def _in_seconds(notes: Notes, seconds: Notes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Onset and duration in seconds; rounding may order the notes of the two readings otherwise."""
    quarter = np.sort(np.concatenate([notes.onset, notes.offset]))
    second = np.sort(np.concatenate([seconds.onset, seconds.offset]))
    onset = np.interp(notes.onset, quarter, second)
    return onset, np.interp(notes.offset, quarter, second) - onset


def _array_names() -> list[str]:
    return [f.name for f in fields(ScoreNotes) if f.name not in ("marks", "directions")]


def pack_score(score: ScoreNotes) -> ArrayFile:
    """Arrays and words that `unpack_score` makes the score of."""
    arrays = {name: getattr(score, name) for name in _array_names()}
    arrays |= {f"mark.{name}": marked for name, marked in score.marks.items()}
    return ArrayFile(arrays, {"directions": json.dumps(score.directions)})


def unpack_score(stored: ArrayFile) -> ScoreNotes:
    """Make a score of stored arrays; KeyError or ValueError where they are not those of one."""
    return ScoreNotes(
        **{name: stored.arrays[name] for name in _array_names()},
        marks={
            name.removeprefix("mark."): marked
            for name, marked in stored.arrays.items()
            if name.startswith("mark.")
        },
        directions=tuple(Direction(*d) for d in json.loads(stored.words["directions"])),
    )
