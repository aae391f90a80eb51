"""MIDI files as arrays: what enters is a path, what leaves is `Notes`; the only MIDI I/O.

Times are seconds from the start of the file, or quarter notes where `read_notes` is asked for
them. Notes are sorted by onset, pitch, velocity, offset, so equal performances are equal arrays.
Files that cannot be parsed, or that hold no note, are refused with `MidiError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .errors import MidiError

__all__ = ["Notes", "read_notes", "write_notes"]


@dataclass(frozen=True)
class Notes:
    """The notes and controller changes of one MIDI file, all tracks merged.

    Attributes
    ----------
    onset, offset : float array, shape (notes,)
        In seconds (or quarter notes), as read.
    pitch, velocity : int array, shape (notes,)
        MIDI numbers, 0 to 127.
    control_time, control_number, control_value : array, shape (controls,)
        Controller changes in order of time: 64 sustain, 66 sostenuto, 67 soft pedal.
    """

    onset: NDArray[np.float64]
    offset: NDArray[np.float64]
    pitch: NDArray[np.int64]
    velocity: NDArray[np.int64]
    control_time: NDArray[np.float64]
    control_number: NDArray[np.int64]
    control_value: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.onset)

    def control(self, number: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Select one controller: its times and values."""
        chosen = self.control_number == number
        return self.control_time[chosen], self.control_value[chosen]


def read_notes(path: Path, unit: Literal["second", "quarter"] = "second") -> Notes:
    """Read a MIDI file.

    Parameters
    ----------
    path : Path
    unit : {"second", "quarter"}
        Unit of all times; quarter notes ignore the tempo map.

    Raises
    ------
    MidiError
        If the file is absent, cannot be parsed or holds no note.
    """
    import symusic

    try:
        score = symusic.Score(path, ttype=unit)
    except (RuntimeError, OSError, ValueError) as error:
        raise MidiError(
            f"Cannot read the MIDI file {path}: {error}. Fetch or export it again."
        ) from error
    notes = [track.notes.numpy() for track in score.tracks]
    controls = [track.controls.numpy() for track in score.tracks]
    if not sum(len(n["time"]) for n in notes):
        raise MidiError(f"The MIDI file {path} holds no note. Remove it or export it again.")
    onset = np.concatenate([n["time"] for n in notes]).astype(np.float64)
    offset = onset + np.concatenate([n["duration"] for n in notes])
    pitch = np.concatenate([n["pitch"] for n in notes]).astype(np.int64)
    velocity = np.concatenate([n["velocity"] for n in notes]).astype(np.int64)
    order = np.lexsort((offset, velocity, pitch, onset))
    time = np.concatenate([c["time"] for c in controls]).astype(np.float64)
    by_time = np.argsort(time, kind="stable")
    return Notes(
        onset=onset[order],
        offset=offset[order],
        pitch=pitch[order],
        velocity=velocity[order],
        control_time=time[by_time],
        control_number=np.concatenate([c["number"] for c in controls]).astype(np.int64)[by_time],
        control_value=np.concatenate([c["value"] for c in controls]).astype(np.int64)[by_time],
    )


def write_notes(path: Path, notes: Notes, ticks_per_second: int = 960) -> None:
    """Write notes whose times are seconds to a MIDI file with a constant tempo.

    Parameters
    ----------
    path : Path
        Its folder must exist.
    notes : Notes
    ticks_per_second : int
        Times are rounded to this grid; 960 keeps them within 0.6 ms.
    """
    import symusic

    score = symusic.Score(ticks_per_second // 2)
    score.tempos.append(symusic.Tempo(0, 120.0))
    track = symusic.Track(program=0)

    def ticks(seconds: NDArray[np.float64]) -> list[int]:
        return [int(t) for t in np.rint(seconds * ticks_per_second)]

    starts, ends = ticks(notes.onset), ticks(notes.offset)
    for start, end, pitch, velocity in zip(
        starts, ends, notes.pitch.tolist(), notes.velocity.tolist(), strict=True
    ):
        track.notes.append(symusic.Note(start, max(1, end - start), pitch, velocity))
    for time, number, value in zip(
        ticks(notes.control_time),
        notes.control_number.tolist(),
        notes.control_value.tolist(),
        strict=True,
    ):
        track.controls.append(symusic.ControlChange(time, number, value))
    score.tracks.append(track)
    score.dump_midi(path)
