"""A performance as the features see it: notes, the chords they form, and the pedals.

A *chord* is a run of notes each struck at most `CHORD_GAP_S` after the one before; a single note
is a chord of one. Its highest note is taken for the melody, its lowest for the bass.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..notes import Notes
from .features import Floats

__all__ = ["CHORD_GAP_S", "PEDAL_DOWN", "Pedal", "Performance"]

CHORD_GAP_S = 0.035
"""Notes written together are struck within about 30 ms of each other (Goebl 2001,
doi:10.1121/1.1376133); even 16 notes a second leave 60 ms."""

PEDAL_DOWN = 64
"""Controller value from which the MIDI standard calls a pedal down."""

_SUSTAIN, _SOFT = 64, 67
_SHORTEST_CLIP_S = 1e-3  # keeps rates finite where the only note has no length


@dataclass(frozen=True)
class Pedal:
    """A controller between the first onset and the last offset, as a staircase.

    Attributes
    ----------
    time : float array, shape (steps,)
        Seconds at which each step begins; the first is the first onset.
    depth : float array, shape (steps,)
        Controller value during the step, 0 to 127.
    end : float
        Seconds at which the last step ends.
    """

    time: Floats
    depth: Floats
    end: float

    @classmethod
    def of(cls, notes: Notes, number: int, start: float, end: float) -> Pedal:
        """Cut the controller to the clip; it is up until its first message."""
        time, depth = notes.control(number)
        before = np.searchsorted(time, start, side="right")
        within = slice(before, np.searchsorted(time, end, side="left"))
        initial = depth[before - 1] if before else 0
        return cls(
            np.concatenate([[start], time[within]]),
            np.concatenate([[initial], depth[within]]).astype(np.float64),
            end,
        )

    @cached_property
    def seconds(self) -> Floats:
        """Length of each step, shape (steps,)."""
        return np.diff(self.time, append=self.end)

    @cached_property
    def down(self) -> NDArray[np.bool_]:
        """Whether each step is at `PEDAL_DOWN` or deeper, shape (steps,)."""
        return self.depth >= PEDAL_DOWN

    @cached_property
    def presses(self) -> Floats:
        """Times at which it passes `PEDAL_DOWN` going down."""
        return self.time[1:][self.down[1:] & ~self.down[:-1]]

    @cached_property
    def releases(self) -> Floats:
        """Times at which it passes `PEDAL_DOWN` going up."""
        return self.time[1:][~self.down[1:] & self.down[:-1]]

    def at(self, time: Floats) -> Floats:
        """Depth at each of the given times."""
        return self.depth[np.maximum(np.searchsorted(self.time, time, side="right") - 1, 0)]

    def share(self, chosen: NDArray[np.bool_]) -> float:
        """Share of the clip's time taken by the chosen steps."""
        return float(self.seconds[chosen].sum() / self.seconds.sum())


class Performance:
    """The notes of a clip in order, with everything that several features need.

    Parameters
    ----------
    notes : Notes
        Times in seconds; in any order.

    Attributes
    ----------
    onset, offset, duration : float array, shape (notes,)
        Of the keys, in seconds, sorted by onset.
    sounding_end : float array, shape (notes,)
        When the damper falls: at the offset, or at the next release of the sustain pedal.
    pitch, velocity : float array, shape (notes,)
        MIDI numbers.
    start, end, length_s : float
        First onset, last offset, and the time between.
    chord : int array, shape (notes,)
        Chord of each note.
    struck : float array, shape (chords,)
        Onset of each chord's first note.
    size : float array, shape (chords,)
        Notes in each chord.
    melody, bass : int array, shape (chords,)
        Index of each chord's highest and lowest note.
    ioi : float array, shape (chords - 1,)
        Inter-onset intervals between chords, in seconds; always above `CHORD_GAP_S`.
    sustain, soft : Pedal
    """

    def __init__(self, notes: Notes) -> None:
        order = np.lexsort((notes.offset, notes.velocity, notes.pitch, notes.onset))
        self.onset = notes.onset[order]
        self.offset = notes.offset[order]
        self.duration = self.offset - self.onset
        self.pitch = notes.pitch[order].astype(np.float64)
        self.velocity = notes.velocity[order].astype(np.float64)
        self.start = float(self.onset[0])
        self.end = max(float(self.offset.max()), self.start + _SHORTEST_CLIP_S)
        self.length_s = self.end - self.start

        opens = np.diff(self.onset, prepend=-np.inf) > CHORD_GAP_S
        self.chord = np.cumsum(opens) - 1
        first = np.flatnonzero(opens)
        self.struck = self.onset[first]
        self.size = np.diff(first, append=len(order)).astype(np.float64)
        by_pitch = np.lexsort((self.pitch, self.chord))
        self.bass = by_pitch[first]
        self.melody = by_pitch[first + self.size.astype(np.int64) - 1]
        self.ioi = np.diff(self.struck)

        self.sustain = Pedal.of(notes, _SUSTAIN, self.start, self.end)
        self.soft = Pedal.of(notes, _SOFT, self.start, self.end)

    @cached_property
    def sounding_end(self) -> Floats:  # documented as an attribute above
        """End of each note's sound, shape (notes,)."""
        releases = np.append(self.sustain.releases, self.end)
        held = self.sustain.at(self.offset) >= PEDAL_DOWN
        lifted = releases[np.minimum(np.searchsorted(releases, self.offset), len(releases) - 1)]
        return np.where(held, np.maximum(self.offset, lifted), self.offset)

    def chord_mean(self, values: Floats) -> Floats:
        """Mean over the notes of each chord, shape (chords,)."""
        return np.bincount(self.chord, values) / self.size
