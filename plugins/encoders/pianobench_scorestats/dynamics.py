"""Dynamics: velocity against pitch, register, metre, the written dynamics and its neighbours."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pianobench.note_statistics.features import (
    Feature,
    Floats,
    Series,
    correlation,
    mean,
    slope,
)

from .curves import Curve, difference, per_measure
from .rendition import Rendition

__all__ = ["FEATURES", "measure"]

_UNIT = "MIDI velocity"
_OCTAVE = 12
_LEVELS = (40, 52, 64, 76, 88)  # about pp, p, mp, mf and f of a sampled grand
_AROUND_BEATS = 2.0
_DOUBLE = 12  # a doubling of energy, roughly: samples of a grand rise 3 dB over 12 velocities

_BEAT = Curve("loud_beat", _UNIT, "mean velocity by beat", ("std", "range", "step", "memory"))
_BAR = Curve(
    "loud_bar",
    _UNIT,
    "mean velocity by bar",
    ("std", "range", "step"),
)
_STRESS = Series(
    "stress",
    _UNIT,
    f"velocities less the mean of {2 * _AROUND_BEATS:g} beats around",
    ("std", "p10", "p90"),
)
_PROFILE = Series(
    "profile", _UNIT, "velocities less a straight line over pitch", ("std", "p10", "p90")
)
_CHORD = Series("chord_range", _UNIT, "loudest less softest note of an event")

_SUM = ("mean", "std", "p10", "p50", "p90")
_LOUDNESS = Series("sum_event", _UNIT, f"summed loudness of events, {_DOUBLE} for a doubling", _SUM)
_BARS = Series("sum_bar", _UNIT, "summed loudness of bars", _SUM)

FEATURES = (
    *_BEAT.features,
    *_BAR.features,
    *(Feature(f"below_{level}", "1", f"share of velocities below {level}") for level in _LEVELS),
    *_STRESS.features,
    *_PROFILE.features,
    *_CHORD.features,
    *_LOUDNESS.features,
    *_BARS.features,
    Feature("sum_step", _UNIT, "mean absolute change of the events' summed loudness"),
    Feature("sum_jump", _UNIT, "p90 of that change"),
    Feature("sum_rate", _UNIT, "summed loudness per second"),
    Feature("bright", "semitone", "mean pitch, weighted by loudness"),
    Feature("bright_shift", "semitone", "the same less the mean pitch"),
    Feature("profile_slope", f"{_UNIT} per octave", "slope of velocity over pitch"),
    Feature("profile_fit", "1", "correlation of velocity and pitch"),
    Feature("register_low", _UNIT, "mean velocity of the lowest third of the notes less the mean"),
    Feature("register_middle", _UNIT, "mean velocity of the middle third less the mean"),
    Feature("register_high", _UNIT, "mean velocity of the highest third less the mean"),
    Feature("loud_hands", _UNIT, "mean velocity of the upper staff less that of the lower"),
    Feature("loud_right_std", _UNIT, "deviation of the upper staff's velocities"),
    Feature("loud_left_std", _UNIT, "deviation of the lower staff's velocities"),
    Feature("marked_level", _UNIT, "mean velocity less that of the score MIDI"),
    Feature("loud_first_beats", _UNIT, "mean velocity on first beats less that elsewhere"),
    Feature("loud_on_beats", _UNIT, "mean velocity on beats less that between them"),
    Feature("loud_slurred", _UNIT, "mean velocity under slurs less that elsewhere"),
    Feature("loud_with_size", "1", "correlation of the events' velocity and number of notes"),
    Feature("loud_with_step", "1", "correlation of the melody's changes of velocity and of pitch"),
)


def measure(rendition: Rendition) -> dict[str, float]:
    """Measure `FEATURES`."""
    velocity = rendition.velocity
    curve = rendition.beat_mean(velocity)
    return {
        **_BEAT.measure(curve),
        **_BAR.measure(per_measure(velocity, rendition.measure)),
        **{f"below_{x}": mean((velocity < x).astype(np.float64)) for x in _LEVELS},
        **_STRESS.measure(velocity - _around(rendition.beat, velocity)),
        **_CHORD.measure(_finite(rendition.event_range(velocity))),
        **_sums(rendition),
        **_by_pitch(rendition),
        **_by_marks(rendition),
        **_by_place(rendition),
    }


def _around(beat: Floats, values: Floats) -> Floats:
    """Mean of the values written within a few beats of each; beats in order."""
    low = np.searchsorted(beat, beat - _AROUND_BEATS, side="left")
    high = np.searchsorted(beat, beat + _AROUND_BEATS, side="right")
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray((total[high] - total[low]) / (high - low), dtype=np.float64)


def _sums(rendition: Rendition) -> Mapping[str, float]:
    energy = 2 ** (rendition.velocity / _DOUBLE)
    own = rendition.event >= 0
    events = _DOUBLE * np.log2(np.bincount(rendition.event[own], energy[own]))
    _, bar = np.unique(rendition.measure, return_inverse=True)
    change = np.abs(np.diff(events))
    rate = energy.sum() / np.ptp(rendition.event_time)
    bright = float(np.average(rendition.pitch, weights=energy))
    return {
        **_LOUDNESS.measure(events),
        **_BARS.measure(_DOUBLE * np.log2(np.bincount(bar, energy))),
        "sum_step": float(change.mean()),
        "sum_jump": float(np.percentile(change, 90)),
        "sum_rate": float(_DOUBLE * np.log2(rate)),
        "bright": bright,
        "bright_shift": bright - float(rendition.pitch.mean()),
    }


def _by_pitch(rendition: Rendition) -> Mapping[str, float]:
    velocity, pitch, right = rendition.velocity, rendition.pitch, rendition.staff == 1
    gradient = slope(pitch, velocity)
    thirds = np.array_split(np.argsort(pitch, kind="stable"), 3)
    level = float(velocity.mean())
    low, middle, high = (mean(velocity[part], empty=level) - level for part in thirds)
    return {
        **_PROFILE.measure(velocity - level - gradient * (pitch - pitch.mean())),
        "profile_slope": _OCTAVE * gradient,
        "profile_fit": correlation(pitch, velocity),
        "register_low": low,
        "register_middle": middle,
        "register_high": high,
        "loud_hands": difference(velocity, right),
        "loud_right_std": _std(velocity[right]),
        "loud_left_std": _std(velocity[~right]),
    }


def _by_marks(rendition: Rendition) -> Mapping[str, float]:
    velocity, marked = rendition.velocity, rendition.marked
    return {
        "marked_level": float(velocity.mean() - marked.mean()),
        "loud_slurred": difference(velocity, rendition.mark("slur")),
    }


def _by_place(rendition: Rendition) -> Mapping[str, float]:
    velocity, place = rendition.velocity, rendition.position
    melody = rendition.melody
    own = rendition.event >= 0
    size = np.bincount(rendition.event[own], minlength=len(rendition.event_beat))
    return {
        "loud_first_beats": difference(velocity, place < 0.01),
        "loud_on_beats": difference(velocity, np.abs(place - np.rint(place)) < 0.01),
        "loud_with_size": correlation(size.astype(np.float64), rendition.event_mean(velocity)),
        "loud_with_step": correlation(np.diff(rendition.pitch[melody]), np.diff(velocity[melody])),
    }


def _std(values: Floats) -> float:
    return float(values.std()) if len(values) else 0.0


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]
