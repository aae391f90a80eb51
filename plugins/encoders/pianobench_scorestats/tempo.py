"""Tempo: how fast against the score's own tempo, and how that moves from beat to beat."""

from __future__ import annotations

import numpy as np

from pianobench.note_statistics.features import Feature, Floats, Series, correlation, log_s

from .curves import Curve, difference, per_measure
from .rendition import Rendition

__all__ = ["FEATURES", "measure"]

_UNIT = "log2"
_BEAT = Curve(
    "tempo_beat",
    _UNIT,
    "tempo of the beats against the score's",
    ("std", "range", "slope", "end", "step", "memory"),
)
_BAR = Curve(
    "tempo_bar",
    _UNIT,
    "tempo of the bars against the score's",
    ("std", "range", "step"),
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

_PACE = ("mean", "std", "p10", "p50", "p90")
_MELODY = Series("melody_pace", "log2 s", "intervals from melody note to melody note", _PACE)
_BASS = Series("bass_pace", "log2 s", "intervals from bass note to bass note", _PACE)
_LENGTH = Series("bar_pace", "log2 s", "lengths of bars", _PACE)
_NOTE = Series("note_pace", "log2 s", "written lengths of notes at the performance's time", _PACE)
_SHORTEST_S = 0.03  # below it, two notes of a line are one ornament

FEATURES = (
    Feature("tempo", "log2 beats/s", "beats per second from the first event to the last"),
    *_RATIO.features,
    *_BEAT.features,
    *_BAR.features,
    *_EVENT.features,
    *_MELODY.features,
    *_BASS.features,
    *_LENGTH.features,
    *_NOTE.features,
    Feature("tempo_within_bars", _UNIT, "deviation of the beats' tempo from their bar's"),
    Feature("tempo_first_beats", _UNIT, "tempo of the first beats of bars less that of others"),
    Feature("tempo_last_beats", _UNIT, "tempo of the last beats of bars less that of others"),
    Feature("tempo_with_velocity", "1", "correlation of the beats' tempo and mean velocity"),
)


def measure(rendition: Rendition) -> dict[str, float]:
    """Measure `FEATURES`; parts of a beat at the clip's ends count in the overall tempo only."""
    event_beat, event_time = rendition.event_beat, rendition.event_time
    tempo = float(np.log2(np.ptp(event_beat)) - log_s(np.ptp(event_time, keepdims=True))[0])
    curve = _beat_tempo(rendition)
    bar, place, length = _places(rendition)
    bars = per_measure(curve, bar)
    events = np.log2(np.diff(event_beat)) - log_s(np.diff(event_time)) - tempo
    return {
        "tempo": tempo,
        **_RATIO.measure(curve),
        **_BEAT.measure(curve),
        **_BAR.measure(bars),
        **_EVENT.measure(events),
        **_MELODY.measure(_intervals(rendition.onset[rendition.melody])),
        **_BASS.measure(_intervals(rendition.onset[rendition.bass])),
        **_LENGTH.measure(_intervals(rendition.bar_lines())),
        **_NOTE.measure(log_s(rendition.written_s)),
        "tempo_within_bars": _within(curve, bar),
        "tempo_first_beats": difference(curve, place < 0.5),
        "tempo_last_beats": difference(curve, place > length - 1.5),
        "tempo_with_velocity": correlation(curve, rendition.beat_mean(rendition.velocity)),
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


def _intervals(times: Floats) -> Floats:
    apart = np.diff(times)
    return log_s(apart[apart > _SHORTEST_S])


def _within(curve: Floats, bar: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    if not len(curve):
        return 0.0
    _, which = np.unique(bar, return_inverse=True)
    return float((curve - per_measure(curve, bar)[which]).std())
