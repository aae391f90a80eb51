"""Timing: onsets against the beat, evenness, and how exactly chords are struck together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pianobench.note_statistics.features import (
    Feature,
    Floats,
    Series,
    correlation,
    log_s,
    mean,
    slope,
)

from .rendition import Rendition

__all__ = ["FEATURES", "measure"]

_OFFBEAT = Series(
    "offbeat",
    "beats",
    "times by which events between beats are late",
    ("mean", "std", "p90"),
)
_INTERVAL = Series(
    "interval",
    "log2",
    "intervals between events against those written at the tempo of the beat",
    ("p10", "p90"),
)
_EVEN = Series(
    "even",
    "log2",
    "absolute log ratios of successive intervals written equal",
    ("mean", "std", "p90"),
)
_UNEVEN = Series(
    "rhythm",
    "log2",
    "contrasts of successive long and short intervals beyond those written",
    ("mean",),
)
_SPREAD = Series(
    "spread",
    "s",
    "times from the first to the last of notes written together",
    ("mean", "std", "p50", "p90"),
)
_BASS = Series(
    "bass_lead",
    "s",
    "times from the lowest to the highest of an event",
    ("mean", "std", "p10", "p90"),
)
_HAND = Series("left_lead", "s", "times from the left hand to the right in an event")
_RIGHT = Series("spread_right", "s", "spreads of the upper staff's notes in an event", ("mean",))

_EXACT_S, _BROKEN_S = 0.01, 0.06  # as one; one after the other, on purpose
_EQUAL = 0.05  # log2

FEATURES = (
    *_OFFBEAT.features,
    Feature("metronome", "log2 s", "deviation of the events from the steady tempo that fits best"),
    *_INTERVAL.features,
    *_EVEN.features,
    *_UNEVEN.features,
    *_SPREAD.features,
    Feature("spread_exact", "1", f"share of spreads below {_EXACT_S:g} s"),
    Feature("spread_broken", "1", f"share of spreads above {_BROKEN_S:g} s"),
    Feature("spread_upwards", "1", "correlation of lateness and pitch within events"),
    *_BASS.features,
    *_HAND.features,
    Feature("hands_apart", "s", "mean absolute time between the hands in an event"),
    *_RIGHT.features,
    Feature("surplus", "1", "share of performed notes without a note in the score"),
    Feature("omitted", "1", "share of the score's notes that are not played"),
)


def measure(rendition: Rendition) -> dict[str, float]:
    """Measure `FEATURES`."""
    report = rendition.alignment.report
    off = _offbeat(rendition)
    return {
        **_OFFBEAT.measure(off),
        "metronome": _metronome(rendition),
        **_rhythm(rendition),
        **_together(rendition),
        "surplus": (report.foreign + report.surplus) / report.performed,
        "omitted": report.omitted / report.written,
    }


def _offbeat(rendition: Rendition) -> Floats:
    beats, times = rendition.whole_beats, rendition.beat_time
    if len(beats) < 2:
        return np.zeros(0)
    between = np.abs(rendition.event_beat - np.rint(rendition.event_beat)) > 0.01
    between &= (rendition.event_beat > beats[0]) & (rendition.event_beat < beats[-1])
    at = rendition.event_beat[between]
    beat = np.searchsorted(beats, at, side="right") - 1
    steady = np.interp(at, beats, times)
    return (rendition.event_time[between] - steady) / np.maximum(np.diff(times)[beat], 1e-3)


def _metronome(rendition: Rendition) -> float:
    written, played = rendition.score_time_at(rendition.event_beat), rendition.event_time
    left = played - played.mean() - slope(written, played) * (written - written.mean())
    return float(log_s(left.std()))


def _rhythm(rendition: Rendition) -> Mapping[str, float]:
    beat, beats = rendition.event_beat, rendition.whole_beats
    written, played = np.diff(beat), log_s(np.diff(rendition.event_time))
    error = np.zeros(0)
    if len(beats) > 1:
        inside = (beat[:-1] >= beats[0]) & (beat[1:] <= beats[-1])
        steady = np.diff(np.interp(beat, beats, rendition.beat_time))
        error = (played - log_s(steady))[inside]
    ratio, notated = np.diff(played), np.diff(np.log2(written))
    equal = np.abs(notated) < _EQUAL
    return {
        **_INTERVAL.measure(error),
        **_EVEN.measure(np.abs(ratio[equal])),
        **_UNEVEN.measure((np.sign(notated) * (ratio - notated))[~equal]),
    }


def _together(rendition: Rendition) -> Mapping[str, float]:
    onset, right = rendition.onset, rendition.staff == 1
    spread = rendition.event_range(onset)
    several = np.isfinite(spread)
    own = rendition.event >= 0
    event = rendition.event[own]
    late = onset[own] - rendition.event_mean(onset)[event]
    high = rendition.pitch[own] - rendition.event_mean(rendition.pitch)[event]
    hands = rendition.event_mean(onset, right) - rendition.event_mean(onset, ~right)
    hands = hands[np.isfinite(hands)]
    lead = (onset[rendition.highest] - onset[rendition.lowest])[several]
    return {
        **_SPREAD.measure(spread[several]),
        "spread_exact": mean((spread[several] < _EXACT_S).astype(np.float64)),
        "spread_broken": mean((spread[several] > _BROKEN_S).astype(np.float64)),
        "spread_upwards": correlation(late, high),
        **_BASS.measure(lead),
        **_HAND.measure(hands),
        "hands_apart": mean(np.abs(hands)),
        **_RIGHT.measure(_finite(rendition.event_range(onset, right))),
    }


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]
