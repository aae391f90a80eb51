"""Articulation: how long keys are held, in seconds and against the time to the next chord."""

from __future__ import annotations

import numpy as np

from .features import Feature, Series, log_s, mean
from .performance import Performance

__all__ = ["FEATURES", "measure"]

_FURTHEST_S = 1.0  # a longer gap is a rest, a longer overlap a held note

_DURATION = Series("duration", "log2 s", "times a key is held", ("mean", "std", "p10", "p90"))
_RATIO = Series(
    "articulation",
    "log2",
    "log ratios of a note's duration to the interval up to the next chord",
    ("mean", "std", "p10", "p50", "p90"),
)
_MELODY = Series("articulation_melody", "log2", "articulation of the highest notes")

FEATURES = (
    *_DURATION.features,
    *_RATIO.features,
    *_MELODY.features,
    Feature("articulation_bass", "log2", "mean articulation of the lowest notes"),
    Feature("staccato", "1", "share of notes held for less than half of the interval"),
    Feature("legato", "1", "share of notes held into the next chord"),
    Feature(
        "melody_overlap", "s", "mean time a melody note is held beyond the next; gaps negative"
    ),
)


def measure(performance: Performance) -> dict[str, float]:
    """Measure `FEATURES`; the last chord has no next one and counts in the durations only."""
    ioi = performance.ioi
    followed = performance.chord < len(ioi)
    log_duration = log_s(performance.duration)
    ratio = log_duration[followed] - np.log2(ioi)[performance.chord[followed]]
    melody, bass = performance.melody, performance.bass
    overlap = performance.offset[melody[:-1]] - performance.onset[melody[1:]]
    return {
        **_DURATION.measure(log_duration),
        **_RATIO.measure(ratio),
        **_MELODY.measure(log_duration[melody[:-1]] - np.log2(ioi)),
        "articulation_bass": mean(log_duration[bass[:-1]] - np.log2(ioi)),
        "staccato": mean((ratio < -1).astype(np.float64)),
        "legato": mean((ratio > 0).astype(np.float64)),
        "melody_overlap": mean(np.clip(overlap, -_FURTHEST_S, _FURTHEST_S)),
    }
