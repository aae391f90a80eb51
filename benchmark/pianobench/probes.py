"""Fixed notes, for what a component makes of them: changed code gets another key in a cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .notes import Notes, write_notes

__all__ = ["probe_midi", "probe_notes"]


@contextmanager
def probe_midi(chords: int = 16) -> Iterator[Path]:
    """Keep the notes of `probe_notes` in a MIDI file for as long as the block runs."""
    with TemporaryDirectory() as folder:
        midi = Path(folder) / "probe.mid"
        write_notes(midi, probe_notes(chords))
        yield midi


def probe_notes(chords: int = 16) -> Notes:
    """Chords of two notes, one in half a second, with some rubato, dynamics and pedal."""
    beat = np.arange(chords)
    onset = np.repeat(0.5 * beat + 0.03 * np.sin(beat), 2) + np.tile([0.0, 0.015], chords)
    return Notes(
        onset=onset,
        offset=onset + np.repeat(0.4 + 0.2 * np.cos(beat), 2),
        pitch=np.column_stack([60 + beat * 7 % 12, 40 + beat * 5 % 12]).ravel().astype(np.int64),
        velocity=np.column_stack([60 + 2 * beat, 70 - beat]).ravel().astype(np.int64),
        control_time=np.arange(0.25, chords / 2, 0.5),
        control_number=np.full(chords, 64, dtype=np.int64),
        control_value=np.resize([127, 0, 80, 30], chords).astype(np.int64),
    )
