"""Pedals: how deep, how often, and when against the notes."""

from __future__ import annotations

import numpy as np

from .features import Feature, Floats, Series, log_s, mean
from .performance import PEDAL_DOWN, Pedal, Performance

__all__ = ["FEATURES", "measure"]

_DEPTH = "controller value"
_TOUCHED, _FLOORED = 20, 110  # the free play at the top of the pedal, and its end stop
_LONGEST_LAG_S = 0.5  # a later change answers to nothing that was struck

_PRESS = Series("pedal_press", "log2 s", "times from pressing the pedal to releasing it")
_GAP = Series("pedal_gap", "log2 s", "times from releasing the pedal to pressing it", ("mean",))
_AT_ONSETS = Series("pedal_at_onset", _DEPTH, "depths as a chord is struck")
_PRESS_LAG = Series("pedal_press_lag", "s", "times from the latest chord to pressing the pedal")
_RELEASE_LAG = Series(
    "pedal_release_lag", "s", "times from the latest chord to releasing the pedal"
)

FEATURES = (
    Feature("pedal_mean", _DEPTH, "mean depth of the sustain pedal over time"),
    Feature("pedal_std", _DEPTH, "standard deviation of its depth over time"),
    Feature("pedal_down", "1", f"share of time at {PEDAL_DOWN} or deeper"),
    Feature("pedal_half", "1", f"share of time from {_TOUCHED} to {_FLOORED - 1}"),
    Feature("pedal_floored", "1", f"share of time at {_FLOORED} or deeper"),
    Feature("pedal_speed", f"{_DEPTH} per s", "mean absolute change of depth per second"),
    Feature("pedal_changes", "1/s", "presses per second"),
    *_PRESS.features,
    *_GAP.features,
    *_AT_ONSETS.features,
    Feature("pedalled_onsets", "1", "share of chords struck with the pedal down"),
    Feature("pedal_at_offset", _DEPTH, "mean depth as a key is released"),
    *_PRESS_LAG.features,
    *_RELEASE_LAG.features,
    Feature("soft_mean", _DEPTH, "mean depth of the soft pedal over time"),
    Feature("soft_down", "1", f"share of time the soft pedal is at {PEDAL_DOWN} or deeper"),
)


def measure(performance: Performance) -> dict[str, float]:
    """Measure `FEATURES`; a clip without pedal messages is one with the pedals up."""
    pedal, soft, struck = performance.sustain, performance.soft, performance.struck
    at_onsets = pedal.at(struck)
    depth_mean = _over_time(pedal, pedal.depth)
    presses, gaps = _stretches(pedal)
    return {
        "pedal_mean": depth_mean,
        "pedal_std": float(np.sqrt(_over_time(pedal, (pedal.depth - depth_mean) ** 2))),
        "pedal_down": pedal.share(pedal.down),
        "pedal_half": pedal.share((pedal.depth >= _TOUCHED) & (pedal.depth < _FLOORED)),
        "pedal_floored": pedal.share(pedal.depth >= _FLOORED),
        "pedal_speed": float(np.abs(np.diff(pedal.depth)).sum()) / performance.length_s,
        "pedal_changes": len(pedal.presses) / performance.length_s,
        **_PRESS.measure(log_s(presses)),
        **_GAP.measure(log_s(gaps)),
        **_AT_ONSETS.measure(at_onsets),
        "pedalled_onsets": mean((at_onsets >= PEDAL_DOWN).astype(np.float64)),
        "pedal_at_offset": mean(pedal.at(performance.offset)),
        **_PRESS_LAG.measure(_lag(pedal.presses, struck)),
        **_RELEASE_LAG.measure(_lag(pedal.releases, struck)),
        "soft_mean": _over_time(soft, soft.depth),
        "soft_down": soft.share(soft.down),
    }


def _over_time(pedal: Pedal, values: Floats) -> float:
    return float(values @ pedal.seconds / pedal.seconds.sum())


def _stretches(pedal: Pedal) -> tuple[Floats, Floats]:
    """Lengths of the stretches with the pedal down and of those with it up, in seconds."""
    begins = np.concatenate([[0], np.flatnonzero(np.diff(pedal.down)) + 1])
    lengths = np.add.reduceat(pedal.seconds, begins)
    down = pedal.down[begins]
    return lengths[down], lengths[~down]


def _lag(changes: Floats, struck: Floats) -> Floats:
    latest = struck[np.searchsorted(struck, changes, side="right") - 1]
    return np.minimum(changes - latest, _LONGEST_LAG_S)
