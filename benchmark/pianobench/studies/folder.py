"""The folder of a study: its name, and its record, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ..errors import ResultError

__all__ = ["make_folder", "save_study", "study_name"]


def study_name(kind: str, parts: Sequence[str], depends: Any) -> str:
    """Name a study by what is studied, and the digest of all that its numbers depend on.

    Parameters
    ----------
    kind : str
    parts : sequence of str
        Names of components.
    depends : object
        As JSON holds it; the version of pianobench is added.
    """
    identity = json.dumps([kind, version("pianobench"), depends], sort_keys=True)
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return "-".join([kind, *(part.replace("/", "_") for part in parts), digest[:8]])


def make_folder(folder: Path) -> None:
    """Make a study's folder.

    Raises
    ------
    ResultError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultError(
            f"Cannot write into {folder.parent}: {error.strerror}. Name another folder with --out."
        ) from error


def save_study(study: BaseModel, folder: Path) -> None:
    """Write ``study.json``.

    Raises
    ------
    ResultError
        If it cannot be written.
    """
    text = json.dumps(study.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
    temporary = folder / f"{uuid.uuid4().hex}.tmp"
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(folder / "study.json")
    except OSError as error:
        raise ResultError(
            f"Cannot write into {folder}: {error.strerror}. Name another folder with --out."
        ) from error
