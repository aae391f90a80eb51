"""Pedal: how deep as notes begin and end, when against the score, and what it makes sound on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pianobench.note_statistics.features import Feature, Floats, Series, log_s, mean
from pianobench.note_statistics.performance import Pedal

from .rendition import Rendition

__all__ = ["FEATURES", "measure"]

_DEPTH = "controller value"
_TOUCHED, _FLOORED = 20, 110  # the free play at the top of the pedal, and its end stop
_LONGEST_LAG_BEATS = 2.0
_ON_TIME_S = 0.12
_DYING_S = 4.0  # a piano's middle notes are gone by then

_ONSET = Series(
    "depth_onset", _DEPTH, "depths as a note is struck", ("mean", "std", "p10", "p50", "p90")
)
_OFFSET = Series(
    "depth_offset", _DEPTH, "depths as a key is released", ("mean", "std", "p10", "p90")
)
_SOFT = Series("soft_onset", _DEPTH, "depths of the soft pedal as a note is struck")
_LOWEST = Series("depth_least", _DEPTH, "least depths between one event and the next")
_GREATEST = Series("depth_most", _DEPTH, "greatest depths between one event and the next")
_TRAVEL = Series("depth_travel", _DEPTH, "differences of those two")
_PRESSED = Series("press_depth", _DEPTH, "greatest depths of a press")
_LASTS = Series("press_beats", "log2 beats", "lengths of a press")
_SOUNDS = Series(
    "sounds",
    "log2",
    "log ratios of the time a note sounds to the written length",
    ("mean", "std", "p10", "p50", "p90"),
)
_OVERHANG = Series(
    "overhang",
    "notes",
    "numbers of notes that sound on, by the pedal, at an event",
    ("mean", "std", "p90"),
)
_CLASH = Series(
    "clash", "notes", "numbers of those a step from a note of the event", ("mean", "p90")
)
_VEIL = Series(
    "veil",
    "notes",
    "numbers of released notes at an event, each by how far the dampers stayed up",
    ("mean", "std", "p90"),
)
_PRESS = Series("press_lag", "beats", "times from the latest event to a press", ("mean",))
_RELEASE = Series("release_lag", "s", "times from the nearest event to a release")

_GRID = Series(
    "depth_grid", _DEPTH, "depths at every eighth of a beat", ("mean", "std", "p10", "p50", "p90")
)
_PER_BEAT = 8

FEATURES = (
    *_ONSET.features,
    Feature("untouched", "1", f"share of notes struck at a depth below {_TOUCHED}"),
    Feature("half", "1", f"share of notes struck from {_TOUCHED} to {_FLOORED - 1}"),
    Feature("floored", "1", f"share of notes struck at {_FLOORED} or deeper"),
    *_OFFSET.features,
    *_GRID.features,
    Feature("grid_untouched", "1", f"share of the eighths at a depth below {_TOUCHED}"),
    Feature("grid_half", "1", f"share of the eighths from {_TOUCHED} to {_FLOORED - 1}"),
    Feature("grid_floored", "1", f"share of the eighths at {_FLOORED} or deeper"),
    Feature("grid_step", _DEPTH, "mean absolute change from one eighth to the next"),
    *(
        Feature(f"depth_phase_{k}", _DEPTH, f"depth {k}/{_PER_BEAT} after the beat less the mean")
        for k in range(_PER_BEAT)
    ),
    *_LOWEST.features,
    *_GREATEST.features,
    *_TRAVEL.features,
    *_SOFT.features,
    Feature("soft_floored", "1", f"share of notes struck with it at {_FLOORED} or deeper"),
    *_PRESSED.features,
    *_LASTS.features,
    *_SOUNDS.features,
    Feature("prolonged", "1", "share of notes that sound on after the key's release"),
    Feature("prolonged_melody", "1", "the same of melody notes"),
    Feature("prolonged_staccato", "1", "the same of staccato notes; of all where there are none"),
    Feature("pedal_share", "1", "share of the sounding time that the key is up"),
    *_OVERHANG.features,
    *_CLASH.features,
    *_VEIL.features,
    Feature("presses_per_beat", "1", "presses of the pedal per beat"),
    Feature("presses_per_bar", "1", "presses of the pedal per bar"),
    Feature("changed_bars", "1", f"share of bar lines with a release within {_ON_TIME_S:g} s"),
    Feature("changed_bass", "1", "share of changes of the bass with a release as close"),
    Feature("cleared_bars", _DEPTH, f"mean least depth within {_ON_TIME_S:g} s of a bar line"),
    Feature("cleared_bass", _DEPTH, "mean least depth as close to a change of the bass"),
    *_PRESS.features,
    *_RELEASE.features,
)


def measure(rendition: Rendition) -> dict[str, float]:
    """Measure `FEATURES`; a clip without pedal messages is one with the pedals up."""
    return {
        **_depths(rendition),
        **_over_beats(rendition),
        **_sounding(rendition),
        **_changes(rendition),
    }


def _depths(rendition: Rendition) -> Mapping[str, float]:
    pedal, soft = rendition.performance.sustain, rendition.performance.soft
    depth, softness = pedal.at(rendition.onset), soft.at(rendition.onset)
    least, most = _extremes(pedal, rendition.event_time[:-1], rendition.event_time[1:])
    ends = np.append(pedal.releases, pedal.end)
    lasts = ends[np.searchsorted(ends, pedal.presses)] - pedal.presses
    pressed = _extremes(pedal, pedal.presses, pedal.presses + lasts)[1]
    pace = float(np.ptp(rendition.event_time) / np.ptp(rendition.event_beat))
    return {
        **_ONSET.measure(depth),
        "untouched": _share(depth < _TOUCHED),
        "half": _share((depth >= _TOUCHED) & (depth < _FLOORED)),
        "floored": _share(depth >= _FLOORED),
        **_OFFSET.measure(pedal.at(rendition.offset)),
        **_LOWEST.measure(least),
        **_GREATEST.measure(most),
        **_TRAVEL.measure(most - least),
        **_SOFT.measure(softness),
        "soft_floored": _share(softness >= _FLOORED),
        **_PRESSED.measure(pressed),
        **_LASTS.measure(log_s(lasts) - np.log2(pace)),
    }


def _over_beats(rendition: Rendition) -> Mapping[str, float]:
    """Measure the pedal by the time of the score, from the first event to the last."""
    first, last = np.ceil(rendition.event_beat[[0, -1]] * _PER_BEAT)
    eighths = np.arange(first, max(last, first + 1))
    depth = rendition.performance.sustain.at(rendition.time_at(eighths / _PER_BEAT))
    phase, level = np.mod(eighths, _PER_BEAT), float(depth.mean())
    return {
        **_GRID.measure(depth),
        "grid_untouched": _share(depth < _TOUCHED),
        "grid_half": _share((depth >= _TOUCHED) & (depth < _FLOORED)),
        "grid_floored": _share(depth >= _FLOORED),
        "grid_step": mean(np.abs(np.diff(depth))),
        **{
            f"depth_phase_{k}": mean(depth[phase == k], empty=level) - level
            for k in range(_PER_BEAT)
        },
    }


def _sounding(rendition: Rendition) -> Mapping[str, float]:
    end = rendition.performance.sounding_end[rendition.index]
    end = np.minimum(end, rendition.offset + _DYING_S)
    prolonged = end > rendition.offset
    share = _share(prolonged)
    sounding, held = float((end - rendition.onset).sum()), float(rendition.duration.sum())
    overhang, clash = _overhang(rendition, end)
    return {
        **_SOUNDS.measure(log_s(end - rendition.onset) - log_s(rendition.written_s)),
        "prolonged": share,
        "prolonged_melody": _share(prolonged[rendition.melody], empty=share),
        "prolonged_staccato": _share(prolonged[rendition.mark("staccato")], empty=share),
        "pedal_share": 1 - held / sounding if sounding > 0 else 0.0,
        **_OVERHANG.measure(overhang),
        **_CLASH.measure(clash),
        **_VEIL.measure(_veil(rendition)),
    }


def _overhang(rendition: Rendition, end: Floats) -> tuple[Floats, Floats]:
    """Count the notes that only the pedal holds at each event, and those a step from its own."""
    time, pitch = rendition.event_time[:, None], rendition.pitch
    over = (rendition.offset < time) & (end > time)
    own = rendition.event == np.arange(len(rendition.event_time))[:, None]
    step = np.abs(np.subtract.outer(pitch, pitch))
    beside = ((step > 0) & (step <= 2)).astype(np.float64)
    clashing = over & (own.astype(np.float64) @ beside > 0)
    return over.sum(axis=1).astype(np.float64), clashing.sum(axis=1).astype(np.float64)


def _veil(rendition: Rendition) -> Floats:
    """Sum over released notes of how far up the dampers have stayed since, 0 to 1, by event.

    Unlike `_overhang` it tells half a pedal from a whole one.
    """
    pedal, time = rendition.performance.sustain, rendition.event_time
    least = _extremes(pedal, time[:-1], time[1:])[0]
    veil = np.zeros(len(time))
    for offset, depth in zip(rendition.offset, pedal.at(rendition.offset), strict=True):
        event = int(np.searchsorted(time, offset, side="right"))
        last = int(np.searchsorted(time, offset + _DYING_S))
        if event < last:
            up_to_it = _extremes(pedal, np.array([offset]), time[event : event + 1])[0]
            since = np.concatenate([np.minimum(up_to_it, depth), least[event : last - 1]])
            stayed = (np.minimum.accumulate(since) - _TOUCHED) / (_FLOORED - _TOUCHED)
            veil[event:last] += np.clip(stayed, 0, 1)
    return veil


def _changes(rendition: Rendition) -> Mapping[str, float]:
    pedal, event_time = rendition.performance.sustain, rendition.event_time
    presses, releases = pedal.presses, pedal.releases
    beats = float(np.ptp(rendition.event_beat))
    latest = np.maximum(np.searchsorted(event_time, presses, side="right") - 1, 0)
    pace = float(np.ptp(event_time)) / beats
    lag = np.clip((presses - event_time[latest]) / pace, 0, _LONGEST_LAG_BEATS)
    bar_lines = rendition.bar_lines()
    bass = rendition.bass
    changing = rendition.onset[bass[1:][np.diff(rendition.pitch[bass]) != 0]]
    return {
        "presses_per_beat": len(presses) / beats,
        "presses_per_bar": len(presses) / len(np.unique(rendition.measure)),
        "changed_bars": _met(bar_lines, releases),
        "changed_bass": _met(changing, releases),
        "cleared_bars": mean(_extremes(pedal, bar_lines - _ON_TIME_S, bar_lines + _ON_TIME_S)[0]),
        "cleared_bass": mean(_extremes(pedal, changing - _ON_TIME_S, changing + _ON_TIME_S)[0]),
        **_PRESS.measure(lag),
        **_RELEASE.measure(np.clip(_signed_distance(releases, event_time), -0.5, 0.5)),
    }


def _extremes(pedal: Pedal, begin: Floats, end: Floats) -> tuple[Floats, Floats]:
    """Least and greatest depth in each of some stretches of time."""
    first = np.maximum(np.searchsorted(pedal.time, begin, side="right") - 1, 0)
    last = np.maximum(np.searchsorted(pedal.time, end, side="left"), first + 1)
    # reduceat takes pairs of bounds; what lies between the pairs is dropped.
    bounds = np.stack([first, last], axis=1).ravel()
    padded = np.append(pedal.depth, pedal.depth[-1])
    if not len(bounds):
        return np.zeros(0), np.zeros(0)
    return np.minimum.reduceat(padded, bounds)[::2], np.maximum.reduceat(padded, bounds)[::2]


def _signed_distance(times: Floats, marks: Floats) -> Floats:
    """Time from the nearest mark, negative before it; marks in order, at least two."""
    after = np.clip(np.searchsorted(marks, times), 1, len(marks) - 1)
    before, behind = times - marks[after - 1], times - marks[after]
    return np.asarray(np.where(np.abs(before) < np.abs(behind), before, behind), dtype=np.float64)


def _met(marks: Floats, times: Floats) -> float:
    """Share of the marks that one of the times is close to."""
    if not len(marks) or not len(times):
        return 0.0
    return _share(np.abs(np.subtract.outer(marks, times)).min(axis=1) < _ON_TIME_S)


def _share(chosen: NDArray[np.bool_], empty: float = 0.0) -> float:
    return mean(chosen.astype(np.float64), empty=empty)
