"""Articulation: how long keys are held against the length that is written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pianobench.note_statistics.features import (
    Feature,
    Floats,
    Series,
    correlation,
    log_s,
    mean,
)

from .rendition import Indices, Rendition

__all__ = ["FEATURES", "measure"]

_UNIT = "log2"
_OF = "log ratios of the time a key is held to the written length"
_HELD = Series("held", _UNIT, _OF, ("mean", "std", "p5", "p25", "p50", "p75", "p95"))
_MELODY = Series("held_melody", _UNIT, f"{_OF}, melody notes", ("mean", "std", "p50"))
_BASS = Series("held_bass", _UNIT, f"{_OF}, bass notes")
_INNER = Series("held_inner", _UNIT, f"{_OF}, notes neither melody nor bass")
_LENGTHS = {"short_notes": (0.0, 0.7), "beats": (0.7, 1.5), "long_notes": (1.5, np.inf)}
_JOIN = Series(
    "join",
    "1",
    "overlaps of successive melody notes as shares of their interval",
    ("mean", "std", "p10", "p50", "p90"),
)
_REPEAT = Series("repeat_gap", "s", "times a key is up before it is struck again", ("mean",))
_RELEASE = Series("release_spread", "s", "spreads of the releases of notes written alike")

_SHORT = -1.0  # less than half
_FURTHEST = 2.0  # intervals; a later release is a held note

FEATURES = (
    *_HELD.features,
    Feature("held_short", "1", "share of notes held for less than half of the written length"),
    Feature("held_over", "1", "share of notes held beyond the written length"),
    *_MELODY.features,
    *_BASS.features,
    *_INNER.features,
    Feature("held_right", _UNIT, "mean ratio of the upper staff"),
    Feature("held_left", _UNIT, "mean ratio of the lower staff"),
    *(
        Feature(
            f"held_{name}", _UNIT, f"mean ratio of notes of {low:g} beats and more, below {high:g}"
        )
        for name, (low, high) in _LENGTHS.items()
    ),
    Feature("held_slurred", _UNIT, "mean ratio under slurs"),
    Feature("held_staccato", _UNIT, "mean ratio of staccato notes"),
    Feature("held_unmarked", _UNIT, "mean ratio of notes with neither a slur nor a dot"),
    Feature("held_with_velocity", "1", "correlation of ratio and velocity"),
    Feature("held_with_pitch", "1", "correlation of ratio and pitch"),
    *_JOIN.features,
    *_REPEAT.features,
    *_RELEASE.features,
)


def measure(rendition: Rendition) -> dict[str, float]:
    """Measure `FEATURES`; lengths are those the performance's own time gives what is written.

    The mean ratio of a kind of notes is that of all notes where the score has none of the kind.
    """
    ratio = log_s(rendition.duration) - log_s(rendition.written_s)
    slurred, dotted = rendition.mark("slur"), rendition.mark("staccato")
    level = float(ratio.mean())
    parts = {
        "right": rendition.staff == 1,
        "left": rendition.staff != 1,
        **{
            name: (rendition.beats >= low) & (rendition.beats < high)
            for name, (low, high) in _LENGTHS.items()
        },
        "slurred": slurred,
        "staccato": dotted,
        "unmarked": ~slurred & ~dotted,
    }
    return {
        **_HELD.measure(ratio),
        "held_short": mean((ratio < _SHORT).astype(np.float64)),
        "held_over": mean((ratio > 0).astype(np.float64)),
        **_MELODY.measure(ratio[rendition.melody]),
        **_BASS.measure(ratio[rendition.bass]),
        **_INNER.measure(ratio[_inner(rendition)]),
        **{f"held_{name}": mean(ratio[part], empty=level) for name, part in parts.items()},
        "held_with_velocity": correlation(ratio, rendition.velocity),
        "held_with_pitch": correlation(ratio, rendition.pitch),
        **_JOIN.measure(_joins(rendition, rendition.melody)),
        **_REPEAT.measure(_repeats(rendition)),
        **_RELEASE.measure(_release_spreads(rendition)),
    }


def _inner(rendition: Rendition) -> NDArray[np.bool_]:
    inner = np.ones(len(rendition.pitch), dtype=np.bool_)
    inner[rendition.melody] = inner[rendition.bass] = False
    return inner


def _joins(rendition: Rendition, line: Indices) -> Floats:
    """Only where the first note is written up to the second: a rest is no articulation."""
    one, two = line[:-1], line[1:]
    gap = rendition.beat[two] - rendition.beat[one] - rendition.beats[one]
    apart = np.diff(rendition.onset[line])
    joined = (np.abs(gap) < 0.05) & (apart > 0)
    overlap = (rendition.offset[one] - rendition.onset[two])[joined] / apart[joined]
    return np.asarray(np.clip(overlap, -1, _FURTHEST), dtype=np.float64)


def _repeats(rendition: Rendition) -> Floats:
    order = np.lexsort((rendition.beat, rendition.pitch))
    one, two = order[:-1], order[1:]
    gap = rendition.beat[two] - rendition.beat[one] - rendition.beats[one]
    again = (rendition.pitch[one] == rendition.pitch[two]) & (np.abs(gap) < 0.05)
    up = (rendition.onset[two] - rendition.offset[one])[again]
    return np.asarray(np.clip(up, 0, 1), dtype=np.float64)


def _release_spreads(rendition: Rendition) -> Floats:
    """Spread of the releases of notes that begin and end together by the score."""
    written = np.stack([np.rint(48 * rendition.beat), np.rint(48 * rendition.beats)])
    _, group = np.unique(written, axis=1, return_inverse=True)
    low = np.full(int(group.max()) + 1, np.inf)
    high = -low
    np.minimum.at(low, group, rendition.offset)
    np.maximum.at(high, group, rendition.offset)
    spread = (high - low)[np.bincount(group) > 1]
    return np.asarray(np.minimum(spread, 1), dtype=np.float64)
