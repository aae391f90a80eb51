"""Tempo: how fast against the score's own tempo, and how that moves from beat to beat."""

from __future__ import annotations

import numpy as np

from pianobench.note_statistics.features import Feature, Floats, Series, correlation, log_s

from .curves import Curve, difference, per_measure
from .rendition import Rendition

__all__ = ["FEATURES", "measure"]

_UNIT = "log2"
_BEAT = Curve("tempo_beat", _UNIT, "tempo of the beats against the score's")
_BAR = Curve(
    "tempo_bar",
    _UNIT,
    "tempo of the bars against the score's",
    ("std", "range", "slope", "arch", "last", "step", "memory"),
)
_RATIO = Series(
    "tempo_ratio",
    _UNIT,
    "tempos of the beats against the score's",
    ("mean", "p10", "p50", "p90"),
)
_EVENT = Series(
    "tempo_event",
    _UNIT,
    "tempos from event to event against the clip's",
    ("std", "p5", "p25", "p75", "p95"),
)

FEATURES = (
    Feature("tempo", "log2 beats/s", "beats per second from the first event to the last"),
    Feature("tempo_written", "log2 beats/s", "the same in the score MIDI"),
    *_RATIO.features,
    *_BEAT.features,
    *_BAR.features,
    *_EVENT.features,
    Feature("tempo_final", _UNIT, "tempo of the last beat less the median of the beats"),
    Feature("tempo_within_bars", _UNIT, "deviation of the beats' tempo from their bar's"),
    Feature("tempo_first_beats", _UNIT, "tempo of the first beats of bars less that of others"),
    Feature("tempo_last_beats", _UNIT, "tempo of the last beats of bars less that of others"),
    Feature("tempo_bar_lines", _UNIT, "change of tempo over bar lines less that within bars"),
    Feature("tempo_with_velocity", "1", "correlation of the beats' tempo and mean velocity"),
    Feature("tempo_with_density", "1", "correlation of the beats' tempo and number of notes"),
    Feature("tempo_with_pitch", "1", "correlation of the beats' tempo and mean pitch"),
)


def measure(rendition: Rendition) -> dict[str, float]:
    """Measure `FEATURES`; parts of a beat at the clip's ends count in the overall tempo only."""
    event_beat, event_time = rendition.event_beat, rendition.event_time
    ends = event_beat[[0, -1]]
    beats = float(ends[1] - ends[0])
    lengths = np.array([event_time[-1] - event_time[0], np.ptp(rendition.score_time_at(ends))])
    tempo, written = (np.log2(beats) - log_s(lengths)).tolist()
    curve = _beat_tempo(rendition)
    bar, place, length = _places(rendition)
    bars = per_measure(curve, bar)
    events = np.log2(np.diff(event_beat)) - log_s(np.diff(event_time)) - tempo
    change = np.abs(np.diff(curve))
    return {
        "tempo": tempo,
        "tempo_written": written,
        **_RATIO.measure(curve),
        **_BEAT.measure(curve),
        **_BAR.measure(bars),
        **_EVENT.measure(events),
        "tempo_final": float(curve[-1] - np.median(curve)) if len(curve) else 0.0,
        "tempo_within_bars": _within(curve, bar),
        "tempo_first_beats": difference(curve, place < 0.5),
        "tempo_last_beats": difference(curve, place > length - 1.5),
        "tempo_bar_lines": difference(change, np.diff(bar) > 0),
        "tempo_with_velocity": correlation(curve, rendition.beat_mean(rendition.velocity)),
        "tempo_with_density": correlation(curve, rendition.per_beat()),
        "tempo_with_pitch": correlation(curve, rendition.beat_mean(rendition.pitch)),
    }


def _beat_tempo(rendition: Rendition) -> Floats:
    """Tempo of each whole beat against the score's own, log2, shape (beats - 1,)."""
    as_written = np.diff(rendition.score_time_at(rendition.whole_beats))
    return np.asarray(log_s(as_written) - log_s(np.diff(rendition.beat_time)), dtype=np.float64)


def _places(
    rendition: Rendition,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Floats, Floats]:
    """Bar of each whole beat but the last, its place in the bar and the bar's length in beats."""
    score = rendition.alignment.score
    beat = rendition.whole_beats[:-1]
    # Of the notes that begin by then, the last: it may stand in an earlier bar.
    note = np.searchsorted(score.onset_beat, beat + 0.01, side="right") - 1
    length = score.measure_beats[note]
    place = score.position_beat[note] + beat - score.onset_beat[note]
    return (
        score.measure[note] + np.floor((place + 0.01) / length).astype(np.int64),
        np.mod(place + 0.01, length),
        length,
    )


def _within(curve: Floats, bar: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    if not len(curve):
        return 0.0
    _, which = np.unique(bar, return_inverse=True)
    return float((curve - per_measure(curve, bar)[which]).std())
