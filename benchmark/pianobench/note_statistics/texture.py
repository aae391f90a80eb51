"""Texture: how much sounds at once, which pitches, and how exactly chords are struck together."""

from __future__ import annotations

import numpy as np

from .features import Feature, Floats, Series, log_s, mean
from .performance import CHORD_GAP_S, Performance

__all__ = ["FEATURES", "measure"]

_PITCH = Series("pitch", "semitone", "MIDI pitches", ("mean", "std", "p5", "p95"))
_MELODY = Series("pitch_melody", "semitone", "MIDI pitches of the highest note of each chord")
_SOUNDING = Series("sounding", "log2 s", "times a note sounds, key or sustain pedal down")
_AT_ONSETS = Series("sounding_notes", "notes", "numbers of notes sounding as a chord is struck")
_SPREAD = Series("chord_spread", "s", "times from the first to the last note of a chord")
_LEAD = Series("melody_lead", "s", "times the melody is struck before the rest of its chord")

FEATURES = (
    *_PITCH.features,
    *_MELODY.features,
    Feature("pitch_bass_mean", "semitone", "mean MIDI pitch of the lowest note of each chord"),
    Feature("pitch_range", "semitone", "highest less lowest pitch"),
    Feature("melody_interval", "semitone", "mean absolute interval of the highest notes"),
    Feature("chord_size", "notes", "mean number of notes struck together"),
    Feature("single_notes", "1", "share of chords of one note"),
    *_SOUNDING.features,
    *_AT_ONSETS.features,
    Feature("polyphony_keys", "notes", "mean number of keys held"),
    Feature("polyphony_sounding", "notes", "mean number of notes sounding"),
    Feature("pedal_prolongation", "log", "time the notes sound over the time their keys are held"),
    Feature("silence", "1", "share of the clip in which nothing sounds"),
    Feature("melody_blur", "s", "mean time a melody note sounds into its neighbour a step away"),
    *_SPREAD.features,
    *_LEAD.features,
)


def measure(performance: Performance) -> dict[str, float]:
    """Measure `FEATURES`."""
    pitch, size, length_s = performance.pitch, performance.size, performance.length_s
    tune = pitch[performance.melody]
    held_s, sounding_s = performance.duration, performance.sounding_end - performance.onset
    return {
        **_PITCH.measure(pitch),
        **_MELODY.measure(tune),
        "pitch_bass_mean": mean(pitch[performance.bass]),
        "pitch_range": float(np.ptp(pitch)),
        "melody_interval": mean(np.abs(np.diff(tune))),
        "chord_size": mean(size),
        "single_notes": mean((size == 1).astype(np.float64)),
        **_SOUNDING.measure(log_s(sounding_s)),
        **_AT_ONSETS.measure(_sounding_at_onsets(performance)),
        "polyphony_keys": held_s.sum() / length_s,
        "polyphony_sounding": sounding_s.sum() / length_s,
        "pedal_prolongation": _log_ratio(sounding_s.sum(), held_s.sum()),
        "silence": _silence_s(performance) / length_s,
        "melody_blur": _melody_blur_s(performance),
        **_togetherness(performance),
    }


def _log_ratio(a: float, b: float) -> float:
    return float(np.log(a / b)) if a > 0 and b > 0 else 0.0


def _sounding_at_onsets(performance: Performance) -> Floats:
    just_after = performance.struck + CHORD_GAP_S
    begun = np.searchsorted(performance.onset, just_after, side="right")
    ended = np.searchsorted(np.sort(performance.sounding_end), just_after, side="right")
    return (begun - ended).astype(np.float64)


def _silence_s(performance: Performance) -> float:
    latest = np.maximum.accumulate(performance.sounding_end)[:-1]
    return float(np.maximum(performance.onset[1:] - latest, 0).sum())


def _melody_blur_s(performance: Performance) -> float:
    """Smallest of the neighbour's interval and the overlap, so that a held pedal is not all."""
    melody = performance.melody
    step = np.abs(np.diff(performance.pitch[melody]))
    overlap = performance.sounding_end[melody[:-1]] - performance.onset[melody[1:]]
    blurred = np.clip(overlap, 0, performance.ioi)
    return mean(blurred[(step > 0) & (step <= 2)])


def _togetherness(performance: Performance) -> dict[str, float]:
    onset, size = performance.onset, performance.size
    together = size > 1
    struck_last = onset[np.cumsum(size.astype(np.int64)) - 1]
    spread = struck_last - performance.struck
    first = onset[performance.melody]
    others = (np.bincount(performance.chord, onset) - first) / np.maximum(size - 1, 1)
    return {
        **_SPREAD.measure(spread[together]),
        **_LEAD.measure((others - first)[together]),
    }
