"""Named arrays with a few words about them, in files that are whole or absent.

A file is written under a temporary name and renamed, so that several processes may write the same
one and a run killed at any instant leaves nothing half written.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import StoreError

__all__ = ["ArrayFile", "read_arrays", "write_arrays"]


class ArrayFile(NamedTuple):
    """What a file holds: arrays by name, and words by name."""

    arrays: Mapping[str, NDArray[Any]]
    words: Mapping[str, str]


def read_arrays(path: Path) -> ArrayFile | None:
    """Read a file; None where it is absent or damaged, so that it is made again."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            return ArrayFile(arrays, file.metadata() or {})
    except (SafetensorError, OSError, ValueError):
        return None


def write_arrays(
    path: Path, arrays: Mapping[str, NDArray[Any]], words: Mapping[str, str] | None = None
) -> None:
    """Write a file, and its folder where there is none.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    from safetensors.numpy import save

    content = save({k: np.ascontiguousarray(v) for k, v in arrays.items()}, dict(words or {}))
    temporary = path.with_name(f"{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise StoreError(
            f"Cannot write {path}: {error.strerror or error}. Make space or choose another cache "
            "(PIANOBENCH_CACHE), and run again."
        ) from error
