"""Features of the playing that need no score: keys, pedals, and loudness around a note."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pianobench import Notes
from pianobench.note_statistics import Feature
from pianobench.note_statistics.performance import Pedal, Performance

__all__ = [
    "KEYS",
    "PEDALS",
    "RAW",
    "measure_keys",
    "measure_pedals",
    "measure_raw",
    "unit_loudness",
]

Floats = NDArray[np.float64]

_SUSTAIN, _SOFT = 64, 67
_SHORTEST_S = 0.01
_CUT_WITHIN_S = 1.0
_DEPTH = "controller value"

RAW = (
    Feature("midi_pitch", "MIDI number", "key"),
    Feature("midi_velocity", "MIDI velocity", "how hard it is struck"),
    Feature("midi_start", "s", "when it is struck, from the start of the file"),
    Feature("midi_end", "s", "when it is released"),
)
"""The four published values of the MIDI."""

PEDALS = (
    Feature("pedal_at_start", _DEPTH, "depth of the sustain pedal as the key is struck"),
    Feature("pedal_at_end", _DEPTH, "depth as the key is released"),
    Feature("pedal_refresh", _DEPTH, "least depth while the key is down"),
    Feature("pedal_cut", _DEPTH, f"least depth in the {_CUT_WITHIN_S:g} s after the release"),
    Feature("pedal_refresh_time", "s", "from the stroke to where it is least while down"),
    Feature("pedal_cut_time", "s", "from the release to where it is least afterwards"),
    Feature("soft_pedal", _DEPTH, "depth of the soft pedal as the key is struck"),
)
"""The seven published values of the pedals; depths pass a sigmoid about the middle."""

KEYS = (
    Feature("length", "log10 s", "time the key is down"),
    Feature("interval", "log10 s", "time to the next chord"),
    Feature("articulation", "log10", "time the key is down over the time to the next chord"),
    Feature("spread", "s", "time since the first note of its chord"),
    Feature("rank", "1", "place in its chord: 0 for the lowest note, 1 for the highest"),
    Feature("chord_size", "notes", "notes of its chord"),
    Feature("pace", "log10 chords/s", "chords per second within a second of it"),
)
"""Values of a note among the others, for performances without a score."""


def measure_raw(notes: Notes) -> dict[str, Floats]:
    """Measure `RAW`, each of shape (notes,)."""
    values = (notes.pitch, notes.velocity, notes.onset, notes.offset)
    return {f.name: of.astype(np.float64) for f, of in zip(RAW, values, strict=True)}


def measure_pedals(notes: Notes) -> dict[str, Floats]:
    """Measure `PEDALS`, each of shape (notes,)."""
    start, end = float(notes.onset[0]), float(notes.offset.max())
    end = max(end, start + _SHORTEST_S)
    sustain = Pedal.of(notes, _SUSTAIN, start, end + _CUT_WITHIN_S)
    soft = Pedal.of(notes, _SOFT, start, end)
    refresh, refresh_s = _least(sustain, notes.onset, notes.offset)
    cut, cut_s = _least(sustain, notes.offset, notes.offset + _CUT_WITHIN_S)
    return {
        "pedal_at_start": _sigmoid(sustain.at(notes.onset)),
        "pedal_at_end": _sigmoid(sustain.at(notes.offset)),
        "pedal_refresh": _sigmoid(refresh),
        "pedal_cut": _sigmoid(cut),
        "pedal_refresh_time": refresh_s,
        "pedal_cut_time": cut_s,
        "soft_pedal": _sigmoid(soft.at(notes.onset)),
    }


def measure_keys(performance: Performance) -> dict[str, Floats]:
    """Measure `KEYS`, each of shape (notes,)."""
    chord, struck = performance.chord, performance.struck
    # The last chord is followed by the end of the clip.
    following = np.append(struck[1:], performance.end)
    interval = np.maximum(following[chord] - performance.onset, _SHORTEST_S)
    length = np.maximum(performance.duration, _SHORTEST_S)
    around = np.searchsorted(struck, performance.onset + 1) - np.searchsorted(
        struck, performance.onset - 1
    )
    order = np.lexsort((performance.pitch, chord))
    first = np.searchsorted(chord, np.arange(len(struck)))
    rank = np.empty(len(chord))
    rank[order] = np.arange(len(chord)) - first[chord[order]]
    size = performance.size[chord]
    return {
        "length": np.log10(length),
        "interval": np.log10(interval),
        "articulation": np.log10(length / interval),
        "spread": performance.onset - struck[chord],
        "rank": np.where(size > 1, rank / np.maximum(size - 1, 1), 1.0),
        "chord_size": size,
        "pace": np.log10(np.maximum(around, 1) / 2),
    }


def unit_loudness(velocity: Floats, unit: NDArray[np.int64]) -> Floats:
    """Loudness of the unit that each note is in: halfway from its mean to its greatest velocity."""
    count = np.bincount(unit)
    mean = np.bincount(unit, velocity) / np.maximum(count, 1)
    greatest = np.zeros(len(count))
    np.maximum.at(greatest, unit, velocity)
    return np.asarray((mean + greatest)[unit] / 2, dtype=np.float64)


def _least(pedal: Pedal, begin: Floats, end: Floats) -> tuple[Floats, Floats]:
    """Least depth within each span, and seconds from its begin to where it is reached."""
    first = np.maximum(np.searchsorted(pedal.time, begin, side="right") - 1, 0)
    last = np.maximum(np.searchsorted(pedal.time, end, side="left"), first + 1)
    at = np.array(
        [a + np.argmin(pedal.depth[a:b]) for a, b in zip(first, last, strict=True)], dtype=np.int64
    )
    return pedal.depth[at], np.maximum(pedal.time[at] - begin, 0)


def _sigmoid(depth: Floats) -> Floats:
    return np.asarray(127 / (1 + np.exp(-(depth - 64) / 8)), dtype=np.float64)
