"""Pedal: when against the notes and the bars, and what it makes sound beyond the score."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pianobench.note_statistics.features import (
    Feature,
    Floats,
    Series,
    correlation,
    log_s,
    mean,
)

from .curves import Curve, difference, per_measure
from .rendition import Rendition

__all__ = ["FEATURES", "measure"]

_DEPTH = "controller value"
_LONGEST_LAG_BEATS = 2.0
_ON_TIME_S = 0.12
_DYING_S = 4.0  # a piano's middle notes are gone by then

_ONSET = Series(
    "depth_onset", _DEPTH, "depths as a note is struck", ("mean", "std", "p10", "p50", "p90")
)
_OFFSET = Series(
    "depth_offset", _DEPTH, "depths as a key is released", ("mean", "std", "p10", "p90")
)
_BAR = Curve(
    "depth_bar", _DEPTH, "mean depth at the notes of a bar", ("std", "slope", "step", "range")
)
_LONGER = Series(
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
_PRESS = Series("press_lag", "beats", "times from the latest event to a press")
_RELEASE = Series("release_lag", "s", "times from the nearest event to a release")

FEATURES = (
    *_ONSET.features,
    *_OFFSET.features,
    *_BAR.features,
    Feature("depth_bass", _DEPTH, "mean depth as bass notes are struck less that at others"),
    Feature("depth_first_beats", _DEPTH, "mean depth on first beats less that elsewhere"),
    Feature("depth_staccato", _DEPTH, "mean depth at staccato notes less that at others"),
    Feature("depth_slurred", _DEPTH, "mean depth under slurs less that elsewhere"),
    Feature("depth_with_velocity", "1", "correlation of depth and velocity at the notes"),
    Feature("depth_with_pitch", "1", "correlation of depth and pitch at the notes"),
    Feature("depth_with_length", "1", "correlation of depth and log written length at the notes"),
    Feature("soft_onset", _DEPTH, "mean depth of the soft pedal as a note is struck"),
    Feature("soft_with_velocity", "1", "correlation of the soft pedal's depth and velocity"),
    *_LONGER.features,
    Feature("prolonged", "1", "share of notes that sound on after the key's release"),
    Feature("prolonged_melody", "1", "the same of melody notes"),
    Feature("prolonged_staccato", "1", "the same of staccato notes; of all where there are none"),
    *_OVERHANG.features,
    *_CLASH.features,
    Feature("presses_per_beat", "1", "presses of the pedal per beat"),
    Feature("presses_per_bar", "1", "presses of the pedal per bar"),
    Feature("changed_bars", "1", f"share of bar lines with a release within {_ON_TIME_S:g} s"),
    Feature("changed_bass", "1", "share of changes of the bass with a release as close"),
    *_PRESS.features,
    *_RELEASE.features,
    Feature("release_on_time", "1", f"share of releases within {_ON_TIME_S:g} s of an event"),
)


def measure(rendition: Rendition) -> dict[str, float]:
    """Measure `FEATURES`; a clip without pedal messages is one with the pedals up."""
    return {**_depths(rendition), **_sounding(rendition), **_changes(rendition)}


def _depths(rendition: Rendition) -> Mapping[str, float]:
    performance, velocity = rendition.performance, rendition.velocity
    depth = performance.sustain.at(rendition.onset)
    soft = performance.soft.at(rendition.onset)
    bass = np.zeros(len(depth), dtype=np.bool_)
    bass[rendition.bass] = True
    return {
        **_ONSET.measure(depth),
        **_OFFSET.measure(performance.sustain.at(rendition.offset)),
        **_BAR.measure(per_measure(depth, rendition.measure)),
        "depth_bass": difference(depth, bass),
        "depth_first_beats": difference(depth, rendition.position < 0.01),
        "depth_staccato": difference(depth, rendition.mark("staccato")),
        "depth_slurred": difference(depth, rendition.mark("slur")),
        "depth_with_velocity": correlation(depth, velocity),
        "depth_with_pitch": correlation(depth, rendition.pitch),
        "depth_with_length": correlation(depth, log_s(rendition.written_s)),
        "soft_onset": float(soft.mean()),
        "soft_with_velocity": correlation(soft, velocity),
    }


def _sounding(rendition: Rendition) -> Mapping[str, float]:
    end = rendition.performance.sounding_end[rendition.index]
    end = np.minimum(end, rendition.offset + _DYING_S)
    prolonged = (end > rendition.offset).astype(np.float64)
    share = float(prolonged.mean())
    overhang, clash = _overhang(rendition, end)
    return {
        **_LONGER.measure(log_s(end - rendition.onset) - log_s(rendition.written_s)),
        "prolonged": share,
        "prolonged_melody": mean(prolonged[rendition.melody], empty=share),
        "prolonged_staccato": mean(prolonged[rendition.mark("staccato")], empty=share),
        **_OVERHANG.measure(overhang),
        **_CLASH.measure(clash),
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


def _changes(rendition: Rendition) -> Mapping[str, float]:
    pedal, event_time = rendition.performance.sustain, rendition.event_time
    presses, releases = pedal.presses, pedal.releases
    beats = float(np.ptp(rendition.event_beat))
    bars = len(np.unique(rendition.measure))
    latest = np.maximum(np.searchsorted(event_time, presses, side="right") - 1, 0)
    pace = float(np.ptp(event_time)) / beats
    lag = np.clip((presses - event_time[latest]) / pace, 0, _LONGEST_LAG_BEATS)
    nearest = _signed_distance(releases, event_time)
    opens = np.flatnonzero(np.diff(rendition.measure) > 0) + 1
    bar_lines = rendition.time_at(rendition.beat[opens] - rendition.position[opens])
    bass = rendition.bass
    changing = bass[1:][np.diff(rendition.pitch[bass]) != 0]
    return {
        "presses_per_beat": len(presses) / beats,
        "presses_per_bar": len(presses) / bars,
        "changed_bars": _met(bar_lines, releases),
        "changed_bass": _met(rendition.onset[changing], releases),
        **_PRESS.measure(lag),
        **_RELEASE.measure(np.clip(nearest, -0.5, 0.5)),
        "release_on_time": mean((np.abs(nearest) < _ON_TIME_S).astype(np.float64)),
    }


def _signed_distance(times: Floats, marks: Floats) -> Floats:
    """Time from the nearest mark, negative before it; marks in order, at least two."""
    after = np.clip(np.searchsorted(marks, times), 1, len(marks) - 1)
    before, behind = times - marks[after - 1], times - marks[after]
    return np.asarray(np.where(np.abs(before) < np.abs(behind), before, behind), dtype=np.float64)


def _met(marks: Floats, times: NDArray[np.float64]) -> float:
    """Share of the marks that one of the times is close to."""
    if not len(marks) or not len(times):
        return 0.0
    near = np.abs(np.subtract.outer(marks, times)).min(axis=1) < _ON_TIME_S
    return float(near.mean())
