"""The folder of a study: its name, and its record, written whole or not at all, and read again."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import ResultError

__all__ = ["OF_A_RUN", "Record", "make_folder", "read_study", "save_study", "study_name"]

OF_A_RUN = frozenset({"protocols", "selection", "optimism"})
"""Settings of a run that decide nothing in a study."""


class Record(BaseModel):
    """What a study keeps; a docstring under a field says what it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


R = TypeVar("R", bound=Record)


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


def read_study(folder: Path, study: type[R], kind: str) -> R:
    """Read a stored study.

    Parameters
    ----------
    folder : Path
    study : type of Record
    kind : str
        What the study is called.

    Raises
    ------
    ResultError
        If there is none, or it is not of this kind and schema.
    """
    path = folder / "study.json"
    try:
        return study.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"There is no study at {path}: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its beginning"
        raise ResultError(
            f"{path} is not a study of kind {kind!r} as this pianobench writes it (at {where}: "
            f"{first['msg']}). Carry it out again."
        ) from error
