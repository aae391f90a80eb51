"""Statistics of the notes and pedals of a performance: the baseline every model must beat.

What enters is a performance MIDI, without its score; what leaves is one frame of 98 numbers,
listed with unit and meaning in `pianobench.note_statistics.FEATURES`.
"""

from __future__ import annotations

import numpy as np

from pianobench import Clip, EncodingError, Frames, ScoreEncoder, hookimpl, read_notes
from pianobench.note_statistics import statistics

__all__ = ["MidiStatistics", "bench_components"]


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
