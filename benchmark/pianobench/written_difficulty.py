"""Stand-ins for the difficulty of a piece, from its written notes alone.

None of them measures difficulty. All but the last are free of tempo and of how a piece was played,
so that they do not correlate with a performance's features by construction; `note-rate` is mostly
tempo, and is there for comparison.

What enters: the scores of pieces as MIDI. What leaves: a number per piece, higher for harder.

References
----------
Chiu and Chen (2012), A study on difficulty level recognition of piano sheet music. IEEE
International Symposium on Multimedia, 17-23. doi:10.1109/ISM.2012.11 (pitch entropy, playing speed)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from .notes import Notes, read_notes

__all__ = [
    "PROXIES",
    "average_by_piece",
    "note_density",
    "note_span",
    "pitch_entropy",
    "written_difficulty",
]

PROXIES: Mapping[str, str] = MappingProxyType(
    {
        "written": "mean rank of the next three",
        "density": "notes per quarter note",
        "span": "semitones from the lowest to the highest note of a quarter note, on average",
        "entropy": "Shannon entropy of the pitches, in bits",
        "note-rate": "notes per second at the score's tempo marks",
    }
)
"""Proxies by name, the default first."""


def written_difficulty(
    scores: Sequence[Path], proxy: str, pieces: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Work out a proxy for every piece, shape (pieces,).

    Parameters
    ----------
    scores : sequence of Path
        MIDI files; each is read once, however often it is named.
    proxy : str
        A key of `PROXIES`.
    pieces : int array, shape (scores,), optional
        The piece of each score, numbered from 0. What is measured is averaged over the scores of a
        piece, and pieces are ranked. By default every score is a piece.

    Raises
    ------
    MidiError
        If a score cannot be read.
    """
    if pieces is None:
        pieces = np.arange(len(scores))
    measured = {score: _measure(score, proxy) for score in dict.fromkeys(scores)}
    columns = average_by_piece(np.array([measured[score] for score in scores]), pieces)
    if proxy == "written":
        columns = rankdata(columns, axis=0) / len(columns)
    return np.asarray(columns.mean(axis=1), dtype=np.float64)


def average_by_piece(values: NDArray[np.float64], pieces: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average values [clip, ...] over the clips of each piece; `pieces` numbers them from 0."""
    counts = np.bincount(pieces)
    total = np.zeros((len(counts), *values.shape[1:]))
    np.add.at(total, pieces, values)
    mean: NDArray[np.float64] = total / counts.reshape(-1, *(1,) * (values.ndim - 1))
    return mean


def _measure(score: Path, proxy: str) -> list[float]:
    """Measure a score: one number, or those that `written` ranks."""
    if proxy == "note-rate":
        return [note_density(read_notes(score))]
    notes = read_notes(score, "quarter")
    measures = _OF_NOTES.values() if proxy == "written" else [_OF_NOTES[proxy]]
    return [measure(notes) for measure in measures]


def note_density(notes: Notes) -> float:
    """Count notes per unit of time, from the first onset to the last offset."""
    return len(notes) / float(max(notes.offset.max() - notes.onset[0], 1e-9))


def note_span(notes: Notes) -> float:
    """Semitones between the lowest and the highest note that begin in one unit of time, averaged.

    Hands are not told apart: MIDI does not say which plays a note.
    """
    _, unit = np.unique(np.floor(notes.onset - notes.onset[0]), return_inverse=True)
    low, high = np.full(unit.max() + 1, 127), np.zeros(unit.max() + 1, dtype=np.int64)
    np.minimum.at(low, unit, notes.pitch)
    np.maximum.at(high, unit, notes.pitch)
    return float((high - low).mean())


def pitch_entropy(notes: Notes) -> float:
    """Shannon entropy of the pitches, in bits."""
    counts = np.bincount(notes.pitch)
    share = counts[counts > 0] / len(notes)
    return float(-(share * np.log2(share)).sum())


_OF_NOTES: Mapping[str, Callable[[Notes], float]] = {
    "density": note_density,
    "span": note_span,
    "entropy": pitch_entropy,
}
