"""Time: pace, evenness, and how the pace moves through the clip."""

from __future__ import annotations

import numpy as np

from .features import Feature, Floats, Series, correlation, log_s, mean, slope
from .performance import Performance
from .phrasing import PHRASE_S, chord_rate, moving_mean

__all__ = ["FEATURES", "measure"]

_EVEN_LOG_RATIO = 0.35
"""Below the log of 1.5: neighbours that the score most likely writes as equal."""

_IOI = Series(
    "ioi",
    "log2 s",
    "inter-onset intervals from chord to chord",
    ("mean", "std", "p10", "p50", "p90", "max"),
)

FEATURES = (
    Feature("length", "log2 s", "first onset to last offset"),
    Feature("note_rate", "1/s", "notes per second"),
    Feature("chord_rate", "1/s", "chords per second"),
    *_IOI.features,
    Feature("ioi_variation", "1", "standard deviation over mean of the inter-onset intervals"),
    Feature("ioi_ratio", "log", "mean absolute log ratio of successive intervals"),
    Feature("unevenness", "log", "the same over ratios below 1.4, of notes written equal"),
    Feature("tempo_std", "log", f"deviation of the log chord rate in windows of {PHRASE_S:g} s"),
    Feature("tempo_range", "log", "highest less lowest log chord rate"),
    Feature("tempo_by_time", "log per clip", "slope of the log chord rate over time"),
    Feature("opening", "log", "mean interval of the first quarter over the median interval"),
    Feature("ritardando", "log", "mean interval of the last quarter over the median interval"),
    Feature("tempo_with_loudness", "1", "correlation of log chord rate and moving mean velocity"),
)


def measure(performance: Performance) -> dict[str, float]:
    """Measure `FEATURES`."""
    ioi, struck = performance.ioi, performance.struck
    log_length = log_s(np.array([performance.length_s]))
    ratios = np.abs(np.diff(np.log(ioi)))
    tempo = np.log(chord_rate(struck))
    loudness = moving_mean(struck, performance.chord_mean(performance.velocity))
    quarter = max(1, len(ioi) // 4)
    return {
        "length": float(log_length[0]),
        "note_rate": len(performance.onset) / performance.length_s,
        "chord_rate": len(struck) / performance.length_s,
        **_IOI.measure(log_s(ioi)),
        "ioi_variation": float(ioi.std() / ioi.mean()) if len(ioi) else 0.0,
        "ioi_ratio": mean(ratios),
        "unevenness": mean(ratios[ratios < _EVEN_LOG_RATIO]),
        "tempo_std": float(tempo.std()),
        "tempo_range": float(np.ptp(tempo)),
        "tempo_by_time": performance.length_s * slope(struck, tempo),
        "opening": _log_to_median(ioi[:quarter], ioi),
        "ritardando": _log_to_median(ioi[-quarter:], ioi),
        "tempo_with_loudness": correlation(tempo, loudness),
    }


def _log_to_median(part: Floats, whole: Floats) -> float:
    return float(np.log(part.mean() / np.median(whole))) if len(whole) else 0.0
