"""Melody against accompaniment: how much louder, how much earlier, how it moves."""

from __future__ import annotations

import numpy as np

from pianobench.note_statistics.features import Feature, Floats, Series, correlation, mean

from .curves import Curve
from .rendition import Rendition

__all__ = ["FEATURES", "measure"]

_UNIT = "MIDI velocity"
_NEAR_BEATS = 1.0

_VOICING = Series(
    "voicing",
    _UNIT,
    "velocities of melody notes less the mean of the rest of their event",
    ("mean", "std", "p10", "p50", "p90"),
)
_ABOVE = Series(
    "above",
    _UNIT,
    "velocities of melody notes less the mean accompaniment within a beat",
    ("mean", "std", "p10", "p90"),
)
_LEAD = Series(
    "lead",
    "s",
    "times melody notes are struck before the mean of the rest of their event",
    ("mean", "std", "p10", "p50", "p90"),
)
_LINE = Curve(
    "melody",
    _UNIT,
    "melody's velocity from note to note",
    ("std", "range", "step", "jump", "memory"),
)
_ACCOMPANIMENT = Series(
    "accompaniment", _UNIT, "velocities of notes not of the melody", ("mean", "std", "p10", "p90")
)
_BASS = Series("bass", _UNIT, "velocities of the bass")

FEATURES = (
    *_VOICING.features,
    *_ABOVE.features,
    *_LEAD.features,
    Feature("lead_first", "1", "share of events in which the melody is struck before the rest"),
    *_LINE.features,
    Feature("melody_with_pitch", "1", "correlation of the melody's velocity and pitch"),
    Feature("melody_with_tempo", "1", "correlation of the melody's velocity and log interval"),
    *_ACCOMPANIMENT.features,
    *_BASS.features,
    Feature("bass_over_inner", _UNIT, "mean velocity of the bass less that of inner notes"),
)


def measure(rendition: Rendition) -> dict[str, float]:
    """Measure `FEATURES`."""
    velocity, melody = rendition.velocity, rendition.melody
    other = np.ones(len(velocity), dtype=np.bool_)
    other[melody] = False
    inner = other.copy()
    inner[rendition.bass] = False
    event = rendition.event[melody]
    voicing = velocity[melody] - rendition.event_mean(velocity, other)[event]
    lead = rendition.event_mean(rendition.onset, other)[event] - rendition.onset[melody]
    accompanied = np.isfinite(voicing)
    voicing, lead = voicing[accompanied], lead[accompanied]
    line = velocity[melody]
    interval = np.log2(np.maximum(np.diff(rendition.onset[melody]), 0.01))
    lines = mean(velocity[inner], empty=float(velocity.mean()))
    return {
        **_VOICING.measure(voicing),
        **_ABOVE.measure(_above(rendition, other)),
        **_LEAD.measure(lead),
        "lead_first": mean((lead > 0).astype(np.float64)),
        **_LINE.measure(line),
        "melody_with_pitch": correlation(line, rendition.pitch[melody]),
        "melody_with_tempo": correlation(line[:-1], interval),
        **_ACCOMPANIMENT.measure(velocity[other]),
        **_BASS.measure(velocity[rendition.bass]),
        "bass_over_inner": mean(velocity[rendition.bass], empty=lines) - lines,
    }


def _above(rendition: Rendition, other: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
    beat, velocity = rendition.beat[other], rendition.velocity[other]
    at = rendition.beat[rendition.melody]
    low = np.searchsorted(beat, at - _NEAR_BEATS, side="left")
    high = np.searchsorted(beat, at + _NEAR_BEATS, side="right")
    total = np.concatenate([[0.0], np.cumsum(velocity)])
    near = high > low
    around = (total[high] - total[low])[near] / (high - low)[near]
    return np.asarray(rendition.velocity[rendition.melody][near] - around, dtype=np.float64)
