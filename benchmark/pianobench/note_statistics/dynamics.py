"""Loudness: how strongly the notes are struck, where, and how that moves."""

from __future__ import annotations

import numpy as np

from .features import Feature, Series, mean, slope
from .performance import Performance
from .phrasing import PHRASE_S, moving_mean

__all__ = ["FEATURES", "measure"]

_UNIT = "MIDI velocity"
_REGISTERS = {"low": (0, 48), "tenor": (48, 60), "alto": (60, 72), "high": (72, 128)}
_OCTAVE = 12

_VELOCITY = Series(
    "velocity",
    _UNIT,
    "velocities of all notes",
    ("mean", "std", "p5", "p50", "p95"),
)
_MELODY = Series("velocity_melody", _UNIT, "velocities of the highest note of each chord")
_BASS = Series("velocity_bass", _UNIT, "velocities of the lowest note of each chord")

FEATURES = (
    *_VELOCITY.features,
    *_MELODY.features,
    *_BASS.features,
    *(
        Feature(
            f"velocity_{name}",
            _UNIT,
            f"mean velocity of pitches {low} to {high - 1}; of all notes where there are none",
        )
        for name, (low, high) in _REGISTERS.items()
    ),
    Feature("velocity_range", _UNIT, "p95 less p5 of the velocities"),
    Feature("velocity_by_octave", f"{_UNIT} per octave", "slope of velocity over pitch"),
    Feature("velocity_by_time", f"{_UNIT} per clip", "slope of the chords' velocity over time"),
    Feature("velocity_step", _UNIT, "mean absolute change from chord to chord"),
    Feature("chord_lead", _UNIT, "highest less lowest note's velocity, mean over chords"),
    Feature("phrase_velocity_std", _UNIT, f"deviation of the moving mean, {PHRASE_S:g} s wide"),
    Feature("phrase_velocity_range", _UNIT, "highest less lowest moving mean"),
    Feature("accent_std", _UNIT, "deviation of the chords' velocity from its moving mean"),
)


def measure(performance: Performance) -> dict[str, float]:
    """Measure `FEATURES`."""
    velocity, pitch = performance.velocity, performance.pitch
    together = performance.size > 1
    chord = performance.chord_mean(velocity)
    phrase = moving_mean(performance.struck, chord)
    melody, bass = velocity[performance.melody], velocity[performance.bass]
    values = _VELOCITY.measure(velocity) | _MELODY.measure(melody) | _BASS.measure(bass)
    everywhere = values["velocity_mean"]
    return {
        **values,
        **{
            f"velocity_{name}": mean(velocity[(pitch >= low) & (pitch < high)], empty=everywhere)
            for name, (low, high) in _REGISTERS.items()
        },
        "velocity_range": values["velocity_p95"] - values["velocity_p5"],
        "velocity_by_octave": _OCTAVE * slope(pitch, velocity),
        "velocity_by_time": performance.length_s * slope(performance.struck, chord),
        "velocity_step": mean(np.abs(np.diff(chord))),
        "chord_lead": mean((melody - bass)[together]),
        "phrase_velocity_std": float(phrase.std()),
        "phrase_velocity_range": float(np.ptp(phrase)),
        "accent_std": float((chord - phrase).std()),
    }
