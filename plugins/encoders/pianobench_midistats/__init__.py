"""Statistics of the notes and pedals of a performance: the baseline every model must beat.

What enters is a performance MIDI, without its score; what leaves is one frame of 98 numbers,
listed with unit and meaning in `FEATURES`. They are chosen for what they mean to a pianist: how
loud, how fast, how even, how connected, how full, how pedalled. Neither the place of the clip in
time nor the order of the notes in the file changes them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pianobench import Clip, EncodingError, Frames, Notes, ScoreEncoder, hookimpl, read_notes

from . import articulation, dynamics, pedalling, texture, timing
from .features import Feature
from .performance import Performance

__all__ = ["FEATURES", "Feature", "MidiStatistics", "bench_components", "statistics"]

_FAMILIES = (dynamics, timing, articulation, texture, pedalling)

_DECIMALS = 5
# A machine is even but for rounding, and regressors that rank features must not see that rounding:
# times are stored in single precision, and their grid in MIDI is a hundred times coarser.

FEATURES: tuple[Feature, ...] = tuple(f for family in _FAMILIES for f in family.FEATURES)
"""Name, unit and meaning of every statistic, in order."""


def statistics(notes: Notes) -> NDArray[np.float64]:
    """Measure every feature of a performance.

    Parameters
    ----------
    notes : Notes
        At least one, in any order; times in seconds.

    Returns
    -------
    float array, shape (len(FEATURES),)
        Finite, in the order and the units of `FEATURES`.
    """
    performance = Performance(notes)
    values = {name: v for family in _FAMILIES for name, v in family.measure(performance).items()}
    return np.round([values[feature.name] for feature in FEATURES], _DECIMALS) + 0.0


class MidiStatistics(ScoreEncoder):
    """98 statistics of notes and pedals; needs no audio, no score and no training."""

    name = "midi-stats"
    licence = "MIT"
    layers = 0
    default_head = "kernel-ridge"
    requires = ("midi",)

    def encode(self, clip: Clip) -> Frames:
        """One frame, values of shape (1, 1, 98)."""
        if clip.midi is None:
            raise EncodingError(
                f"midi-stats reads performance MIDI, and clip {clip.id!r} has none. Choose an "
                "audio encoder, or transcribe the recordings first."
            )
        notes = read_notes(clip.midi)
        return Frames(statistics(notes)[None, None, :], np.array([notes.onset[0]]), {})


@hookimpl
def bench_components() -> list[type[ScoreEncoder]]:
    """Register the encoder."""
    return [MidiStatistics]
