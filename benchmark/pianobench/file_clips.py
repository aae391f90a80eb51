"""Files a user names, as clips: MIDI or audio, told apart by their endings.

What cannot be a clip is told file by file, so that one bad file costs none of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from .audio import is_silent
from .errors import AudioError, DataError, PianobenchError, UsageError
from .values import Clip, Corpus

__all__ = ["AUDIO", "MIDI", "clips_of_files", "unlabelled"]

MIDI = (".mid", ".midi")
AUDIO = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".w64")


def clips_of_files(
    paths: Iterable[Path],
) -> tuple[tuple[Clip, ...], dict[str, PianobenchError]]:
    """Make a clip of every file.

    Parameters
    ----------
    paths : iterable of Path
        Files; of a folder, all MIDI and audio files below it, in order of their names.

    Returns
    -------
    clips, failures
        By the path as it was given; why the others cannot be predicted.

    Raises
    ------
    UsageError
        If a folder holds no such file.
    """
    clips: list[Clip] = []
    failures: dict[str, PianobenchError] = {}
    for path in dict.fromkeys(_expanded(paths)):
        try:
            clips.append(_clip(path))
        except DataError as error:
            failures[str(path)] = error
        except OSError as error:
            failures[str(path)] = DataError(f"Cannot read {path}: {error.strerror}.")
    return tuple(clips), failures


def unlabelled(name: str, clips: Sequence[Clip]) -> Corpus:
    """Gather clips of which nothing is known but their files.

    Raises
    ------
    DataError
        If there are none.
    """
    return Corpus(
        name=name,
        version="",
        clips=tuple(clips),
        dimensions=(),
        targets=np.empty((len(clips), 0)),
        groups={},
        human=np.ones(len(clips), dtype=np.bool_),
        raters=np.ones(len(clips), dtype=np.int64),
    )


def _expanded(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(p for p in path.rglob("*") if p.suffix.lower() in MIDI + AUDIO)
        if not found:
            raise UsageError(
                f"The folder {path} holds no file that ends in {', '.join(MIDI + AUDIO)}. Name "
                "another, or the files themselves."
            )
        yield from found


def _clip(path: Path) -> Clip:
    """Make a clip of a file that can be read."""
    ending = path.suffix.lower()
    if ending not in MIDI + AUDIO:
        raise DataError(
            f"{path} is neither MIDI nor audio by its ending. What is read ends in "
            f"{', '.join(MIDI + AUDIO)}."
        )
    if not path.is_file():
        raise DataError(f"There is no file {path}. Check its name.")
    if ending in MIDI:
        # What is wrong within is told where it is rendered or encoded.
        return Clip(str(path), midi=path)
    if is_silent(path):
        raise AudioError(
            f"The audio file {path} is silent: nothing in it is louder than -80 dB of full scale. "
            "Give another."
        )
    return Clip(str(path), audio=path)
