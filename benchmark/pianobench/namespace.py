"""A folder of stored values that is named by what they depend on.

In it lies ``namespace.json``, the description: everything but the clip that the values depend on.
Its SHA-256 is the folder's name, so values of different origin never meet. Beside it may lie
``provenance.json``: what the first run knew of the encoder and no value depends on.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import StoreError

__all__ = [
    "DESCRIPTION",
    "PROVENANCE",
    "Namespace",
    "namespace_digest",
    "remove_abandoned",
    "replace_file",
    "storing",
]

FORMAT = 1
DESCRIPTION = "namespace.json"
PROVENANCE = "provenance.json"
_TEMPORARY = ".tmp"
# Writing a file takes seconds: an older temporary one belongs to a run that was killed.
_ABANDONED_AFTER_S = 3600.0


def namespace_digest(description: Mapping[str, Any]) -> str:
    """SHA-256 of a description as canonical JSON, together with the version of the format."""
    text = json.dumps([FORMAT, description], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Namespace:
    """A folder and its description.

    Parameters
    ----------
    root : Path
        Folder of all namespaces; nothing is created before something is written.
    description : mapping
        What the values depend on besides the clip, as JSON holds it.

    Attributes
    ----------
    digest : str
        Of the description; the name of the folder.
    folder : Path
    """

    def __init__(self, root: Path, description: Mapping[str, Any]) -> None:
        self.digest = namespace_digest(description)
        self.folder = root / self.digest
        self._description = dict(description)

    def describe(self) -> None:
        """Make the folder with its description, unless it is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / DESCRIPTION).exists():
            _replace_json(self.folder / DESCRIPTION, self._description)

    def provenance(self) -> dict[str, Any]:
        """Return what `keep_provenance` kept; nothing where it is absent or cannot be read."""
        try:
            kept = json.loads((self.folder / PROVENANCE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def keep_provenance(self, provenance: Mapping[str, Any]) -> None:
        """Keep what is known of the encoder beside the values.

        Parameters
        ----------
        provenance : mapping
            As JSON holds it.

        Raises
        ------
        StoreError
            If the folder cannot be written.
        """
        with storing(self.folder):
            self.describe()
            _replace_json(self.folder / PROVENANCE, provenance)


@contextmanager
def storing(folder: Path) -> Iterator[None]:
    """Say what to do where a folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"Cannot write features to {folder}: {error.strerror or error}. What was stored before "
            "is kept: make space or choose another cache (PIANOBENCH_CACHE), and run again."
        ) from error


def _replace_json(path: Path, content: Mapping[str, Any]) -> None:
    replace_file(path, (json.dumps(content, sort_keys=True, indent=2) + "\n").encode())


def remove_abandoned(folder: Path) -> None:
    """Remove temporary files of runs that were killed."""
    for path in folder.glob(f"*{_TEMPORARY}"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S:
                path.unlink()


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that it is either whole or absent under its name, even after a power cut."""
    temporary = path.with_name(f"{uuid.uuid4().hex}{_TEMPORARY}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
