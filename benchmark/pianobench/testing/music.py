"""Small pieces that renderers and score encoders are tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..notes import Notes, write_notes

__all__ = ["write_music", "write_notes_of"]


def write_music(path: Path, velocity: int = 80) -> Path:
    """Write four bars of chords and a melody whose first note begins after half a second."""
    beat = np.arange(16)
    onset = np.concatenate([0.5 + 0.5 * beat, 0.5 + 0.5 * beat[::4]])
    pitch = np.concatenate([60 + np.resize([0, 2, 4, 5, 7, 9, 11], 16), np.full(4, 48)])
    return write_notes_of(path, onset, pitch, velocity)


def write_notes_of(
    path: Path, onset: NDArray[np.float64], pitch: NDArray[np.int64], velocity: int = 80
) -> Path:
    """Write notes of 0.4 s, with the sustain pedal down for the first second."""
    write_notes(
        path,
        Notes(
            onset=onset,
            offset=onset + 0.4,
            pitch=pitch,
            velocity=np.full(len(onset), velocity, dtype=np.int64),
            control_time=np.array([0.5, 1.5]),
            control_number=np.array([64, 64]),
            control_value=np.array([127, 0]),
        ),
    )
    return path
