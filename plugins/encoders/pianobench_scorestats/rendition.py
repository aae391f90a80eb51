"""A performance measured against its score, as the features see it.

Only notes that have a partner in the score are here, in the order of the score. An *event* is a
time of the score at which notes begin (grace notes apart); events give the performance's own time
for every beat of the score. The highest note of an event is taken for *melody* unless a higher
one still sounds by the score, its lowest for *bass* likewise.
"""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from pianobench import DataError
from pianobench.alignment import Alignment
from pianobench.note_statistics.features import Floats
from pianobench.note_statistics.performance import Performance

__all__ = ["Indices", "Rendition"]

Indices = NDArray[np.int64]

_GRID_PER_BEAT = 48
_SHORTEST_S = 1e-3


class Rendition:
    """The matched notes of a clip with everything that several features need.

    Parameters
    ----------
    alignment : Alignment

    Attributes
    ----------
    alignment : Alignment
    performance : Performance
        All notes, unmatched ones too, and the pedals.
    index : int array, shape (notes,)
        Of each matched note among those of `performance`.
    onset, offset, duration : float array, shape (notes,)
        As played, in seconds.
    pitch, velocity : float array, shape (notes,)
        As played.
    beat, beats : float array, shape (notes,)
        Where it is written, and for how long, in beats.
    written_s : float array, shape (notes,)
        Seconds that the written length takes at the performance's own time.
    position : float array, shape (notes,)
        Beats since the bar line.
    measure, staff : int array, shape (notes,)
    marked : float array, shape (notes,)
        Velocity in the score MIDI, which follows the written dynamics.
    event : int array, shape (notes,)
        Event of each note; -1 for grace notes and where time would run backwards.
    event_beat, event_time : float array, shape (events,)
        Where it is written, in beats, and when it is played, in seconds; both rise.
    highest, lowest : int array, shape (events,)
        Notes at the ends of each event.
    melody, bass : int array
        Those of them that are of the melody and of the bass, in order.
    whole_beats, beat_time : float array, shape (beats,)
        The beats from the first event to the last, and when they are played.

    Raises
    ------
    DataError
        If fewer than two events are played.
    """

    def __init__(self, alignment: Alignment) -> None:
        score, match = alignment.score, alignment.match
        matched = np.flatnonzero(match >= 0)
        self.index = matched[
            np.lexsort((score.pitch[match[matched]], score.onset_beat[match[matched]]))
        ]
        written = match[self.index]
        self.alignment = alignment
        self.performance = Performance(alignment.performance)
        self.onset = self.performance.onset[self.index]
        self.offset = self.performance.offset[self.index]
        self.duration = self.offset - self.onset
        self.pitch = self.performance.pitch[self.index]
        self.velocity = self.performance.velocity[self.index]
        self.beat, self.beats = score.onset_beat[written], score.written_beat[written]
        self.position = score.position_beat[written]
        self.measure, self.staff = score.measure[written], score.staff[written]
        self.marked = score.velocity[written].astype(np.float64)
        self._marks = {name: of_notes[written] for name, of_notes in score.marks.items()}
        # The tempo of the score MIDI, in seconds by beat.
        self._score_beat, first = np.unique(score.onset_beat, return_index=True)
        self._score_s = np.maximum.accumulate(score.onset_s[first])

        self._find_events()
        self._find_lines()
        first_beat, last_beat = np.ceil(self.event_beat[0]), np.floor(self.event_beat[-1])
        self.whole_beats = np.arange(first_beat, last_beat + 1)
        self.beat_time = self.time_at(self.whole_beats)
        played = self.time_at(self.beat + self.beats) - self.time_at(self.beat)
        self.written_s = np.maximum(played, _SHORTEST_S)

    def mark(self, name: str) -> NDArray[np.bool_]:
        """Whether each note bears a mark of the score, shape (notes,)."""
        return self._marks[name]

    def time_at(self, beat: Floats) -> Floats:
        """When a beat is played, in seconds; beyond the first and last event at the mean tempo."""
        pace = (self.event_time[-1] - self.event_time[0]) / (
            self.event_beat[-1] - self.event_beat[0]
        )
        inside = np.interp(beat, self.event_beat, self.event_time)
        before = np.minimum(beat - self.event_beat[0], 0)
        after = np.maximum(beat - self.event_beat[-1], 0)
        return np.asarray(inside + pace * (before + after), dtype=np.float64)

    def score_time_at(self, beat: Floats) -> Floats:
        """When the score MIDI plays a beat, in seconds."""
        return np.interp(beat, self._score_beat, self._score_s)

    def event_mean(self, values: Floats, chosen: NDArray[np.bool_] | None = None) -> Floats:
        """Mean over the notes of each event, or over those chosen, shape (events,).

        NaN for an event without such a note.
        """
        own = self.event >= 0 if chosen is None else chosen & (self.event >= 0)
        count = np.bincount(self.event[own], minlength=len(self.event_beat))
        total = np.bincount(self.event[own], values[own], minlength=len(count))
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def event_range(self, values: Floats, chosen: NDArray[np.bool_] | None = None) -> Floats:
        """Largest less smallest over the notes of each event, or over those chosen.

        NaN for an event with fewer than two such notes, shape (events,).
        """
        own = self.event >= 0 if chosen is None else chosen & (self.event >= 0)
        low = np.full(len(self.event_beat), np.inf)
        high = -low
        np.minimum.at(low, self.event[own], values[own])
        np.maximum.at(high, self.event[own], values[own])
        several = np.bincount(self.event[own], minlength=len(low)) > 1
        return np.where(several, high - np.where(several, low, 0), np.nan)

    def beat_mean(self, values: Floats) -> Floats:
        """Mean over the notes written in each beat but the last, shape (beats - 1,).

        A beat in which none begins takes its neighbours' interpolated value.
        """
        beats = len(self.whole_beats) - 1
        if beats < 1:
            return np.zeros(0)
        at = np.floor(self.beat + 0.5 / _GRID_PER_BEAT - self.whole_beats[0]).astype(np.int64)
        inside = (at >= 0) & (at < beats)
        if not inside.any():
            return np.zeros(beats)
        count = np.bincount(at[inside], minlength=beats)
        total = np.bincount(at[inside], values[inside], minlength=beats)
        known = np.flatnonzero(count)
        return np.interp(np.arange(beats), known, total[known] / count[known])

    def bar_lines(self) -> Floats:
        """When the bars begin in which a note is played, but the first, in seconds."""
        opens = np.flatnonzero(np.diff(self.measure) > 0) + 1
        return self.time_at(self.beat[opens] - self.position[opens])

    def _find_events(self) -> None:
        grid = np.rint(self.beat * _GRID_PER_BEAT).astype(np.int64)
        ordinary = ~self.mark("grace")
        if not ordinary.any():
            ordinary = np.ones(len(grid), dtype=np.bool_)
        places, event = np.unique(grid[ordinary], return_inverse=True)
        time = np.array([np.median(self.onset[ordinary][event == e]) for e in range(len(places))])
        kept = _rising(time)
        if len(kept) < 2:
            raise DataError(
                f"Its notes are played at {len(kept)} time(s) of the score in order; at least two "
                "are needed to know its tempo. Leave the clip out."
            )
        renumbered = np.full(len(places), -1, dtype=np.int64)
        renumbered[kept] = np.arange(len(kept))
        self.event = np.full(len(grid), -1, dtype=np.int64)
        self.event[ordinary] = renumbered[event]
        self.event_beat, self.event_time = places[kept] / _GRID_PER_BEAT, time[kept]

    def _find_lines(self) -> None:
        still = 0.5 / _GRID_PER_BEAT
        sounding = (self.beat < self.beat[:, None] - still) & (
            self.beat + self.beats > self.beat[:, None] + still
        )
        interval = self.pitch - self.pitch[:, None]
        under = np.any(sounding & (interval > 0), axis=1)
        over = np.any(sounding & (interval < 0), axis=1)
        order = np.lexsort((self.pitch, self.event))
        order = order[self.event[order] >= 0]
        changes = np.flatnonzero(np.diff(self.event[order])) + 1
        self.lowest: Indices = order[np.concatenate([[0], changes])]
        self.highest: Indices = order[np.concatenate([changes - 1, [len(order) - 1]])]
        self.melody: Indices = self.highest[~under[self.highest]]
        self.bass: Indices = self.lowest[~over[self.lowest]]


def _rising(time: Floats) -> Indices:
    """Find the longest part of the times that rises; what is left out was played astray."""
    tails: list[float] = []
    at: list[int] = []
    before = np.full(len(time), -1, dtype=np.int64)
    for index, value in enumerate(time.tolist()):
        place = bisect_left(tails, value)
        if place:
            before[index] = at[place - 1]
        tails[place : place + 1] = [value]
        at[place : place + 1] = [index]
    chain = [at[-1]] if at else []
    while chain and before[chain[-1]] >= 0:
        chain.append(int(before[chain[-1]]))
    return np.array(chain[::-1], dtype=np.int64)
