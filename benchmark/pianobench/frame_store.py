"""Frames on disk, for poolings that are learned: one file per clip, with the layers asked for.

As in `pianobench.store`, a namespace names everything but the clip that the values depend on, the
layers included. A file holds ``layer.k``, shape (frames, width), for each layer, and ``level.name``
for each level; it is whole or absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .array_files import write_arrays
from .errors import StoreError
from .namespace import Namespace, remove_abandoned, storing

__all__ = ["FrameRow", "FrameStore", "StoredFrames", "read_frames"]

_LAYER, _LEVEL = "layer.", "level."


class FrameRow(NamedTuple):
    """The frames of one clip and the key that names it; see `Frames` and `StoredFrames`."""

    key: str
    layers: Mapping[int, NDArray[np.floating[Any]]]
    levels: Mapping[str, NDArray[np.int64]]


class StoredFrames(NamedTuple):
    """Values, shape (frames, width), by layer, and unit of each frame, (frames,), by level."""

    layers: Mapping[int, NDArray[np.float32]]
    levels: Mapping[str, NDArray[np.int64]]


class FrameStore:
    """The frames of one namespace.

    Parameters
    ----------
    root : Path
        Folder of all namespaces; nothing is created before the first `write`.
    description : mapping
        What the values depend on besides the clip, as JSON holds it.

    Attributes
    ----------
    namespace : Namespace
    """

    def __init__(self, root: Path, description: Mapping[str, Any]) -> None:
        self.namespace = Namespace(root, description)

    def path(self, key: str) -> Path:
        """File of a clip."""
        return self.namespace.folder / f"{key}.safetensors"

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Keys that are not stored, each once, in the order given; an empty file holds nothing.

        Raises
        ------
        StoreError
            If the folder cannot be read.
        """
        return [key for key in dict.fromkeys(keys) if not _holds_something(self.path(key))]

    def write(self, rows: Sequence[FrameRow]) -> None:
        """Store clips.

        Raises
        ------
        StoreError
            If the folder cannot be written. What was stored stays.
        """
        with storing(self.namespace.folder):
            self.namespace.describe()
        for row in rows:
            arrays: dict[str, NDArray[Any]] = {
                f"{_LAYER}{k}": v.astype(np.float32) for k, v in row.layers.items()
            }
            arrays |= {f"{_LEVEL}{k}": v.astype(np.int64) for k, v in row.levels.items()}
            write_arrays(self.path(row.key), arrays)

    def merge(self) -> None:
        """Remove what killed runs left behind; files are never merged."""
        remove_abandoned(self.namespace.folder)


def read_frames(path: Path) -> StoredFrames:
    """Read the frames of a clip.

    Raises
    ------
    StoreError
        If the file is absent or damaged, or cannot be read. Only a damaged one is removed, so that
        it is made again.
    """
    arrays = _read(path)
    return StoredFrames(
        {int(n.removeprefix(_LAYER)): v for n, v in arrays.items() if n.startswith(_LAYER)},
        {n.removeprefix(_LEVEL): v for n, v in arrays.items() if n.startswith(_LEVEL)},
    )


def _read(path: Path) -> Mapping[str, NDArray[Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        try:
            with safe_open(path, framework="np") as file:
                names = [n for n in file.keys() if n.startswith((_LAYER, _LEVEL))]  # noqa: SIM118 - no mapping
                return {name: file.get_tensor(name) for name in names}
        except (SafetensorError, ValueError, FileNotFoundError) as error:
            path.unlink(missing_ok=True)
            raise StoreError(
                f"The frames in {path} are gone or damaged. Run it again: they are encoded anew."
            ) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _holds_something(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"Cannot read the frames in {path}: {error.strerror or error}. Make the file readable, or "
        "delete it and run again: its frames are encoded anew."
    )
