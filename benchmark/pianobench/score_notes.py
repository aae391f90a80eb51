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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .array_files import ArrayFile
from .errors import DataError, DependencyError
from .notes import Notes, read_notes
from .symbolic import import_symbolic, quiet

__all__ = ["MARKS", "Direction", "ScoreNotes", "pack_score", "read_score", "unpack_score"]

MARKS: Mapping[str, tuple[str, ...]] = {
    "staccato": ("staccato", "staccatissimo", "detached-legato", "spiccato"),
    "tenuto": ("tenuto", "detached-legato"),
    "accent": ("accent", "strong-accent"),
    "ornament": ("trill-mark", "turn", "inverted-turn", "mordent", "inverted-mordent"),
    "tremolo": ("tremolo",),
}
"""Marks of a note by the names that MusicXML gives them; `slur`, `fermata` and `grace` beside."""

_DIRECTIONS = {
    "ConstantLoudnessDirection": "dynamic",
    "ImpulsiveLoudnessDirection": "sforzando",
    "IncreasingLoudnessDirection": "crescendo",
    "DecreasingLoudnessDirection": "diminuendo",
    "SustainPedalDirection": "pedal",
    "ConstantTempoDirection": "tempo",
    "ResetTempoDirection": "tempo",
    "IncreasingTempoDirection": "accelerando",
    "DecreasingTempoDirection": "ritardando",
}
_GRID = 96  # per quarter note
_EARLY_Q = 1 / 32
_REACH_Q = 1.0
_LEAST_SHARED = 0.5


class Direction(NamedTuple):
    """Words and wedges above, below and between the staves.

    Attributes
    ----------
    kind : str
        ``dynamic``, ``sforzando``, ``crescendo``, ``diminuendo``, ``pedal``, ``tempo``,
        ``accelerando``, ``ritardando`` or ``words``.
    text : str
        Such as ``pp`` or ``andante``.
    start_q, end_q : float
        In quarter notes; equal where the score gives no end.
    """

    kind: str
    text: str
    start_q: float
    end_q: float


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
        The keys of `MARKS`, ``slur``, ``fermata`` and ``grace``.
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
    part = _read_part(xml)
    written = _written_notes(part, xml)
    shift_q = _shift(notes, written)
    source, voiced = _sources(notes, written, shift_q)
    missing = float((source < 0).mean())
    if missing > 1 - _LEAST_SHARED:
        raise DataError(
            f"The score MIDI {midi} and the MusicXML {xml} are not the same music: {missing:.0%} "
            "of the MIDI's notes are not written. Export both from one score."
        )

    def marked(of_written: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return of_written[source] & (source >= 0)

    onset_s, duration_s = _in_seconds(notes, seconds)
    grid = _Grid(part)
    start = grid.time(notes.onset + shift_q)
    onset_beat = grid.beat(start)
    duration_beat = grid.beat(grid.time(notes.offset + shift_q)) - onset_beat
    once = (source >= 0) & (
        np.bincount(source + 1, minlength=len(written.pitch) + 1)[source + 1] == 1
    )
    once &= ~marked(written.marks["grace"])
    measure, position_beat, measure_beats = grid.place(start)
    return ScoreNotes(
        onset_q=notes.onset,
        duration_q=notes.offset - notes.onset,
        onset_s=onset_s,
        duration_s=duration_s,
        pitch=notes.pitch,
        velocity=notes.velocity,
        onset_beat=onset_beat,
        duration_beat=duration_beat,
        written_beat=np.where(once, written.beats[source], duration_beat),
        measure=measure,
        position_beat=position_beat,
        measure_beats=measure_beats,
        voice=written.voice[voiced],
        staff=written.staff[voiced],
        written=source,
        marks={name: marked(of_written) for name, of_written in written.marks.items()},
        directions=_directions(part, grid, shift_q),
    )


class _Grid:
    """Times of a partitura part: divisions to quarter notes, beats and measures."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self._first, self._last = part.first_point.t, part.last_point.t
        self._origin_q = float(part.quarter_map(self._first))
        measures = sorted(part.iter_all(import_symbolic("partitura").score.Measure), key=_start)
        self._starts = np.array([m.start.t for m in measures], dtype=np.float64)
        self._ends = np.array([m.end.t for m in measures], dtype=np.float64)

    def quarter(self, time: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(self._part.quarter_map(time), dtype=np.float64) - self._origin_q

    def time(self, quarter: NDArray[np.float64]) -> NDArray[np.float64]:
        """Divisions, as numbers that need not be whole; held within the part."""
        time = self._part.inv_quarter_map(quarter + self._origin_q)
        return np.clip(np.asarray(time, dtype=np.float64), self._first, self._last)

    def beat(self, time: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self._part.beat_map(time), dtype=np.float64)

    def place(
        self, time: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """Measure, beats since its bar line, and its length in beats."""
        # MIDI's grid may put a note before the bar line that it is written after.
        begun = self.quarter(time) + _EARLY_Q
        measure = np.searchsorted(self.quarter(self._starts), begun, side="right") - 1
        measure = np.clip(measure, 0, len(self._starts) - 1)
        beats = np.asarray(self._part.time_signature_map(time), dtype=np.float64)[..., 0]
        position = np.maximum(self.beat(time) - self.beat(self._starts[measure]), 0)
        length = self.beat(self._ends[measure]) - self.beat(self._starts[measure])
        # An upbeat is the end of a bar that was not written.
        upbeat = (measure == 0) & (length < beats - 1e-6)
        return measure, position + np.where(upbeat, beats - length, 0), beats


@dataclass(frozen=True)
class _Written:
    onset_q: NDArray[np.float64]
    end_q: NDArray[np.float64]
    beats: NDArray[np.float64]
    pitch: NDArray[np.int64]
    voice: NDArray[np.int64]
    staff: NDArray[np.int64]
    marks: Mapping[str, NDArray[np.bool_]]


def _start(item: Any) -> int:
    return int(item.start.t)


def _read_part(xml: Path) -> Any:
    """Read the MusicXML as one partitura part."""
    partitura = import_symbolic("partitura")
    try:
        with quiet():
            score = partitura.load_musicxml(xml, force_note_ids="keep")
            parts = list(score.parts)
            part = parts[0] if len(parts) == 1 else partitura.score.merge_parts(parts)
            measures = len(list(part.iter_all(partitura.score.Measure)))
    except DependencyError:
        raise
    except Exception as error:
        raise DataError(
            f"Cannot read the MusicXML {xml}: {type(error).__name__}: {error}. Export it again."
        ) from error
    if not measures:
        raise DataError(
            f"The MusicXML {xml} has no measure, so its beats are unknown. Export it again."
        )
    return part


def _written_notes(part: Any, xml: Path) -> _Written:
    notes = part.notes_tied
    if not notes:
        raise DataError(f"The MusicXML {xml} has measures but no note. Export it again.")
    grid = _Grid(part)
    start = np.array([note.start.t for note in notes])
    end = start + np.array([note.duration_tied for note in notes])
    marks = {
        name: np.array(
            [bool({*(n.articulations or ()), *(n.ornaments or ())} & {*words}) for n in notes]
        )
        for name, words in MARKS.items()
    }
    voice = np.array([note.voice or 0 for note in notes], dtype=np.int64)
    grace = import_symbolic("partitura").score.GraceNote
    return _Written(
        onset_q=grid.quarter(start),
        end_q=grid.quarter(end),
        beats=grid.beat(end) - grid.beat(start),
        pitch=np.array([note.midi_pitch for note in notes], dtype=np.int64),
        voice=voice,
        staff=np.array([note.staff or 0 for note in notes], dtype=np.int64),
        marks={
            **marks,
            "slur": _under_slurs(part, start, voice),
            "fermata": np.array([note.fermata is not None for note in notes]),
            "grace": np.array([isinstance(note, grace) for note in notes]),
        },
    )


def _under_slurs(
    part: Any, start: NDArray[np.int64], voice: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether a note is bound to the next one of its voice; the last under a slur is not."""
    slurred = np.zeros(len(start), dtype=np.bool_)
    for slur in part.iter_all(import_symbolic("partitura").score.Slur):
        first, last = slur.start_note, slur.end_note
        if first is not None and last is not None:
            within = (start >= first.start.t) & (start < last.start.t)
            slurred |= within & (voice == (first.voice or 0))
    return slurred


def _shift(notes: Notes, written: _Written) -> float:
    """Quarter notes from an onset in the MIDI to that in the MusicXML; most pairs agree on it."""
    midi = np.rint(notes.onset * _GRID).astype(np.int64)
    xml = np.rint(written.onset_q * _GRID).astype(np.int64)
    shifts = np.subtract.outer(xml, midi)[np.equal.outer(written.pitch, notes.pitch)]
    if not shifts.size:
        return 0.0
    found, votes = np.unique(shifts, return_counts=True)
    return float(found[np.argmax(votes)]) / _GRID


def _sources(
    notes: Notes, written: _Written, shift_q: float
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


def _in_seconds(notes: Notes, seconds: Notes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Onset and duration in seconds; rounding may order the notes of the two readings otherwise."""
    quarter = np.sort(np.concatenate([notes.onset, notes.offset]))
    second = np.sort(np.concatenate([seconds.onset, seconds.offset]))
    onset = np.interp(notes.onset, quarter, second)
    return onset, np.interp(notes.offset, quarter, second) - onset


def _directions(part: Any, grid: _Grid, shift_q: float) -> tuple[Direction, ...]:
    found = []
    for item in part.iter_all(
        import_symbolic("partitura").score.Direction, include_subclasses=True
    ):
        ends = item.start if item.end is None else item.end
        start, end = (grid.quarter(np.array([item.start.t, ends.t])) - shift_q).tolist()
        kind = _DIRECTIONS.get(type(item).__name__, "words")
        found.append(Direction(kind, str(item.text or ""), start, end))
    return tuple(sorted(found, key=lambda d: (d.start_q, d.kind, d.text)))


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
