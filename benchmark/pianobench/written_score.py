"""What a MusicXML writes: notes with voices and marks, bars and beats, and the words around them.

What enters is a file, what leaves is a `WrittenScore`. Quarter notes count from its start. Beats
are those of the time signature's lower number; they count from the first full bar, and are negative
before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, DependencyError
from .symbolic import import_symbolic, quiet

__all__ = ["MARKS", "Direction", "Grid", "Place", "WrittenScore", "read_written"]

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
_EARLY_Q = 1 / 32  # MIDI's grid may put a note before the bar line that it is written after


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


class Place(NamedTuple):
    """Where times stand: measure from 0, beats since its bar line, and its length in beats."""

    measure: NDArray[np.int64]
    position_beat: NDArray[np.float64]
    measure_beats: NDArray[np.float64]


class Grid:
    """The bars and beats of a score, by quarter notes from its start.

    Parameters
    ----------
    part : partitura.score.Part
    """

    def __init__(self, part: Any) -> None:
        self._part = part
        self._first, self._last = part.first_point.t, part.last_point.t
        self._origin_q = float(part.quarter_map(self._first))
        measures = list(part.iter_all(import_symbolic("partitura").score.Measure))
        bounds = sorted((measure.start.t, measure.end.t) for measure in measures)
        self._starts, self._ends = self.quarter(np.array(bounds).T)

    def quarter(self, division: NDArray[Any]) -> NDArray[np.float64]:
        """Quarter notes at partitura's divisions."""
        return np.asarray(self._part.quarter_map(division), dtype=np.float64) - self._origin_q

    def beat(self, quarter: NDArray[np.float64]) -> NDArray[np.float64]:
        """Beats from the first full bar; times outside the score are held within it."""
        return np.asarray(self._part.beat_map(self._division(quarter)), dtype=np.float64)

    def place(self, quarter: NDArray[np.float64]) -> Place:
        """Where the times stand in their measures."""
        measure = np.searchsorted(self._starts, quarter + _EARLY_Q, side="right") - 1
        measure = np.clip(measure, 0, len(self._starts) - 1)
        signature = self._part.time_signature_map(self._division(quarter))
        beats = np.asarray(signature, dtype=np.float64)[..., 0]
        begins = self.beat(self._starts[measure])
        length = self.beat(self._ends[measure]) - begins
        # An upbeat is the end of a bar that was not written.
        upbeat = (measure == 0) & (length < beats - 1e-6)
        position = np.maximum(self.beat(quarter) - begins, 0)
        return Place(measure, position + np.where(upbeat, beats - length, 0), beats)

    def _division(self, quarter: NDArray[np.float64]) -> NDArray[np.float64]:
        division = np.asarray(self._part.inv_quarter_map(quarter + self._origin_q))
        return np.clip(division.astype(np.float64), self._first, self._last)


@dataclass(frozen=True)
class WrittenScore:
    """The notes of a MusicXML in the order of partitura's `notes_tied`; arrays of shape (notes,).

    Attributes
    ----------
    onset_q, end_q : float array
        Quarter notes; the same for grace notes.
    pitch, voice, staff : int array
        Voice and staff as numbered in the file; 0 where it does not say.
    marks : mapping of str to bool array
        The keys of `MARKS`, ``slur``, ``fermata`` and ``grace``.
    directions : tuple of Direction
        In order of time.
    grid : Grid
    """

    onset_q: NDArray[np.float64]
    end_q: NDArray[np.float64]
    pitch: NDArray[np.int64]
    voice: NDArray[np.int64]
    staff: NDArray[np.int64]
    marks: Mapping[str, NDArray[np.bool_]]
    directions: tuple[Direction, ...]
    grid: Grid


def read_written(xml: Path) -> WrittenScore:
    """Read a MusicXML.

    Raises
    ------
    DataError
        If it cannot be read, or has no measure or no note.
    DependencyError
        If partitura is not installed.
    """
    part = _read_part(xml)
    notes = part.notes_tied
    if not notes:
        raise DataError(f"The MusicXML {xml} has measures but no note. Export it again.")
    grid = Grid(part)
    start = np.array([note.start.t for note in notes])
    voice = np.array([note.voice or 0 for note in notes], dtype=np.int64)
    marks = {
        name: np.array(
            [bool({*(n.articulations or ()), *(n.ornaments or ())} & {*words}) for n in notes]
        )
        for name, words in MARKS.items()
    }
    grace = import_symbolic("partitura").score.GraceNote
    return WrittenScore(
        onset_q=grid.quarter(start),
        end_q=grid.quarter(start + np.array([note.duration_tied for note in notes])),
        pitch=np.array([note.midi_pitch for note in notes], dtype=np.int64),
        voice=voice,
        staff=np.array([note.staff or 0 for note in notes], dtype=np.int64),
        marks={
            **marks,
            "slur": _under_slurs(part, start, voice),
            "fermata": np.array([note.fermata is not None for note in notes]),
            "grace": np.array([isinstance(note, grace) for note in notes]),
        },
        directions=_directions(part, grid),
        grid=grid,
    )


def _read_part(xml: Path) -> Any:
    partitura = import_symbolic("partitura")
    try:
        with quiet():
            # Without "keep" every note has the same id.
            parts = list(partitura.load_musicxml(xml, force_note_ids="keep").parts)
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


def _directions(part: Any, grid: Grid) -> tuple[Direction, ...]:
    kinds = import_symbolic("partitura").score
    found = []
    for item in part.iter_all(kinds.Direction, include_subclasses=True):
        ends = item.start if item.end is None else item.end
        start, end = grid.quarter(np.array([item.start.t, ends.t])).tolist()
        kind = _DIRECTIONS.get(type(item).__name__, "words")
        found.append(Direction(kind, str(item.text or ""), start, end))
    return tuple(sorted(found, key=lambda d: (d.start_q, d.kind, d.text)))
