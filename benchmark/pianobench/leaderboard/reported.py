"""Numbers reported elsewhere: shown with their source below the measured rows, never ranked."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ..errors import ResultError

__all__ = ["Reported", "read_reported"]


class Reported(BaseModel):
    """One number as its source prints it; there are no predictions to check it by."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    dataset: str
    row: str
    r2: float
    low: float | None = None
    high: float | None = None
    source: str
    caveat: str = ""
    study: str = ""
    """Kind of study that shows where among its draws the number lies."""


def read_reported(path: Path) -> list[Reported]:
    """Read ``reported.json``; no file means no rows.

    Raises
    ------
    ResultError
        If the file is not valid.
    """
    if not path.is_file():
        return []
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(list[Reported]).validate_python(given)
    except (OSError, ValueError, ValidationError) as error:
        raise ResultError(f"Cannot read the reported rows {path}: {error}.") from error
