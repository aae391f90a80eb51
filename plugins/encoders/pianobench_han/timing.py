"""Time of a performance against its score: tempo, deviation from it, and length of the notes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pianobench import DataError
from pianobench.alignment import Alignment
from pianobench.note_statistics import Feature

__all__ = ["TIMING", "Clock", "measure_timing"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_GRID_PER_QUARTER = 48
_SHORTEST_S = 0.01
_TEMPO = "log10 quarters/min"

TIMING = (
    Feature("beat_tempo", _TEMPO, "tempo of its beat"),
    Feature("measure_tempo", _TEMPO, "tempo of its measure"),
    Feature("section_tempo", _TEMPO, "tempo between the tempo words around it"),
    Feature("onset_deviation", "quarters", "how late it is in the tempo of its beat"),
    Feature("articulation", "log10", "time the key is down over the written length in tempo"),
)


class Clock:
    """When the places of a score are played: straight lines between its events.

    An event is a place at which notes begin that are played and are no grace notes; its time is
    their median, moved as little as needed for time to run forwards.

    Parameters
    ----------
    alignment : Alignment

    Raises
    ------
    DataError
        If fewer than two events are played.
    """

    def __init__(self, alignment: Alignment) -> None:
        from scipy.optimize import isotonic_regression

        matched = np.flatnonzero(alignment.match >= 0)
        written = alignment.match[matched]
        ordinary = ~alignment.score.marks["grace"][written]
        if ordinary.sum() > 1:
            matched, written = matched[ordinary], written[ordinary]
        grid = np.rint(alignment.score.onset_q[written] * _GRID_PER_QUARTER)
        places, event = np.unique(grid, return_inverse=True)
        if len(places) < 2:
            raise DataError(
                f"Its notes are played at {len(places)} place(s) of the score; at least two are "
                "needed to know its tempo. Leave the clip out."
            )
        onset = alignment.performance.onset[matched]
        times = np.array([np.median(onset[event == e]) for e in range(len(places))])
        self.quarter = places / _GRID_PER_QUARTER
        self.time = np.asarray(isotonic_regression(times).x, dtype=np.float64)
        elapsed = max(float(self.time[-1] - self.time[0]), _SHORTEST_S)
        self._pace_s = elapsed / float(self.quarter[-1] - self.quarter[0])

    def at(self, quarter: Floats) -> Floats:
        """When a place is played, in seconds; outside the events at the mean tempo."""
        inside = np.interp(quarter, self.quarter, self.time)
        before = np.minimum(quarter - self.quarter[0], 0)
        after = np.maximum(quarter - self.quarter[-1], 0)
        return np.asarray(inside + self._pace_s * (before + after), dtype=np.float64)

    def tempo(self, begin: Floats, end: Floats) -> Floats:
        """Quarter notes per minute from one place to another."""
        seconds = np.maximum(self.at(end) - self.at(begin), _SHORTEST_S)
        return np.asarray(60 * (end - begin) / seconds, dtype=np.float64)


def measure_timing(alignment: Alignment, near: Indices) -> dict[str, Floats]:
    """Measure `TIMING`, each of shape (performed notes,).

    Parameters
    ----------
    alignment : Alignment
    near : int array, shape (performed notes,)
        The note of the score that each is, or is nearest to. A note that is in no score is on time
        and of the written length.
    """
    score, performance = alignment.score, alignment.performance
    clock = Clock(alignment)
    quarter = score.onset_q[near]
    begin, end = _beat_bounds(score.onset_beat, score.onset_q, near)
    beat_tempo = clock.tempo(begin, end)
    matched = alignment.match >= 0
    in_tempo = clock.at(begin) + (quarter - begin) * 60 / beat_tempo
    late = (performance.onset - in_tempo) * beat_tempo / 60
    played = np.maximum(performance.offset - performance.onset, _SHORTEST_S)
    length = np.maximum(score.duration_q[near], 1 / _GRID_PER_QUARTER) * 60 / beat_tempo
    silent = ~matched | score.marks["grace"][near] | score.marks["ornament"][near]
    return {
        "beat_tempo": np.log10(beat_tempo),
        "measure_tempo": np.log10(clock.tempo(*_bounds(score.measure, score.onset_q, near))),
        "section_tempo": np.log10(clock.tempo(*_bounds(_sections(alignment), score.onset_q, near))),
        "onset_deviation": np.where(matched, late, 0.0),
        "articulation": np.where(silent, 0.0, np.log10(played / length)),
    }


def _beat_bounds(beat: Floats, quarter: Floats, near: Indices) -> tuple[Floats, Floats]:
    """Places at which each note's beat begins and ends, in quarter notes."""
    known, first = np.unique(np.round(beat, 6), return_index=True)
    place = quarter[first]
    whole = np.floor(beat[near] + 0.5 / _GRID_PER_QUARTER)

    def at(beats: Floats) -> Floats:
        slope = (place[-1] - place[0]) / (known[-1] - known[0])
        outside = np.minimum(beats - known[0], 0) + np.maximum(beats - known[-1], 0)
        return np.asarray(np.interp(beats, known, place) + slope * outside, dtype=np.float64)

    return at(whole), at(whole + 1)


def _bounds(unit: Indices, quarter: Floats, near: Indices) -> tuple[Floats, Floats]:
    """First place of each note's unit, and of the next; the last unit ends with the score."""
    units, first = np.unique(unit, return_index=True)
    begin = quarter[first]
    end = np.append(begin[1:], max(float(quarter.max()), float(begin[-1]) + 1.0))
    index = np.searchsorted(units, unit[near])
    return begin[index], np.maximum(end[index], begin[index] + 1 / _GRID_PER_QUARTER)


def _sections(alignment: Alignment) -> Indices:
    """Count the tempo words up to each note of the score."""
    starts = sorted(d.start_q for d in alignment.score.directions if d.kind == "tempo")
    return np.searchsorted(np.array(starts), alignment.score.onset_q + 1e-6, side="right")
