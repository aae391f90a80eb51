"""The record of a run: what was asked, what it ran on, and every number with its predictions.

A result is a folder ``<name>/`` with ``result.json`` and one ``predictions-<protocol>.csv`` per
protocol; beside them lie the learning curves of network heads, and their ``models/`` on request. It
is written beside its place and moved there when complete, so a folder with that name is always
whole.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from .ceiling import Ceiling
from .config import RunConfig
from .errors import ResultError
from .score import Scores

__all__ = [
    "ComponentRecord",
    "DataRecord",
    "OptimismRecord",
    "ProtocolRecord",
    "Result",
    "list_results",
    "predictions_name",
    "read_result",
    "result_folder",
    "result_name",
    "writing",
]

SCHEMA_VERSION = 1
MODELS = "models"
_ABANDONED_S = 24 * 3600.0


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ComponentRecord(_Record):
    """A component as it was used."""

    kind: str
    name: str
    origin: str
    """Distribution and version, or file."""
    options: dict[str, Any]
    changed: dict[str, Any] = {}
    """The options that are not the component's defaults."""
    licence: str
    citation: str
    facts: dict[str, Any] = {}
    """What else a reader needs: fingerprint, sample rate, layers, pretraining, audio card."""


class DataRecord(_Record):
    """The corpus the numbers are about."""

    dataset: str
    version: str
    digest: str
    clips: int
    dimensions: list[str]
    ceiling: Ceiling | None = None
    """Noise ceiling of R2; None where the corpus has no raw ratings, or too few of them."""
    ceiling_limit: str = ""
    """Why ratings gave no ceiling."""


class OptimismRecord(_Record):
    """What the run would have claimed, had training stopped on the fold that is scored."""

    predictions: str
    predictions_sha256: str
    r2: float


class ProtocolRecord(_Record):
    """One protocol: how the folds were made, what leaks across them, and the scores."""

    unit: list[str]
    folds: int
    split_digest: str
    ranked: bool
    """Whether the row may be ranked by this protocol."""
    flags: list[str]
    """Why it may not, and what a reader must know."""
    audit: dict[str, Any]
    predictions: str
    predictions_sha256: str
    seeds: list[int]
    selected: list[dict[str, Any]]
    """What every fitted model chose inside its training part."""
    scores: Scores
    optimism: OptimismRecord | None = None


class Result(_Record):
    """Everything a run leaves behind, except the predictions, which lie beside it."""

    schema_version: Literal[1] = 1
    name: str
    pianobench: str
    config: RunConfig
    config_digest: str
    data: DataRecord
    components: dict[str, ComponentRecord]
    protocols: dict[str, ProtocolRecord]
    environment: dict[str, str]
    timings_s: dict[str, float]


def result_name(config: RunConfig) -> str:
    """Name of a run: what was run, and the digest that tells it from its variants."""
    heard = "+".join(dict.fromkeys(choice.name for choice in config.heard))
    head = "" if config.head is None else config.head.name
    chosen = (config.dataset.name, config.encoder.name, heard, head)
    names = [name.replace("/", "_") for name in chosen if name]
    return "-".join([*names, config.digest[:8]])


def predictions_name(protocol: str, selection: str = "nested") -> str:
    """Name of the predictions file of a protocol; those of another selection say so."""
    return (
        f"predictions-{protocol}.csv"
        if selection == "nested"
        else (f"predictions-{protocol}-{selection}.csv")
    )


class writing:  # noqa: N801 - reads as a statement: with writing(...) as folder
    """Write a result folder beside its place; move it there when the block ends without error.

    Parameters
    ----------
    results : Path
        Folder of results; made if absent.
    name : str

    Raises
    ------
    ResultError
        On entry, if the folder cannot be written: before anything is computed.
    """

    def __init__(self, results: Path, name: str) -> None:
        self._final = results / name

    def __enter__(self) -> Path:
        results = self._final.parent
        try:
            results.mkdir(parents=True, exist_ok=True)
            _sweep(results)
            self._partial = _beside(self._final)
        except OSError as error:
            raise ResultError(
                f"Cannot write results into {results}: {error.strerror}. Name another folder."
            ) from error
        return self._partial

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._partial.chmod(0o755)
            # Two renames, so that no kill leaves half a result under the name.
            replaced = _beside(self._final)
            if self._final.exists():
                self._final.rename(replaced / "old")
            self._partial.rename(self._final)
            shutil.rmtree(replaced, ignore_errors=True)
        else:
            shutil.rmtree(self._partial, ignore_errors=True)


def _beside(final: Path) -> Path:
    """Make a folder of this run's own, so that two runs of one configuration do not meet."""
    return Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".partial", dir=final.parent))


def _sweep(results: Path) -> None:
    """Remove what killed runs left behind."""
    for path in results.glob(".*.partial"):
        if time.time() - path.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(path, ignore_errors=True)


def save(result: Result, folder: Path) -> None:
    """Write ``result.json`` into a folder that holds the predictions already."""
    text = json.dumps(result.model_dump(mode="json"), indent=1, ensure_ascii=False)
    (folder / "result.json").write_text(text + "\n", encoding="utf-8")


def read_result(folder: Path) -> Result:
    """Read a stored result.

    Parameters
    ----------
    folder : Path
        The result's folder, or its ``result.json``.

    Raises
    ------
    ResultError
        If it is absent, of an unknown schema version or not what this version writes.
    """
    path = result_folder(folder) / "result.json"
    try:
        given: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"There is no result at {path}: {error.strerror}.") from error
    except ValueError as error:
        raise ResultError(f"{path} is not valid JSON: {error}.") from error
    version = given.get("schema_version") if isinstance(given, dict) else None
    if version != SCHEMA_VERSION:
        raise ResultError(
            f"{path} has schema version {version!r}; this pianobench reads {SCHEMA_VERSION}. "
            "Upgrade pianobench, or run the configuration again."
        )
    try:
        return Result.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultError(f"{path} is damaged at {where}: {first['msg']}.") from error


def result_folder(path: Path) -> Path:
    """Folder of a result that is named by itself or by its ``result.json``."""
    return path.parent if path.name == "result.json" else path


def list_results(results: Path) -> list[Path]:
    """Find the folders below `results` that hold a result, by name."""
    return sorted(path.parent for path in results.glob("*/result.json"))
