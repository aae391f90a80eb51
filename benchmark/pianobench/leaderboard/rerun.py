"""The record of a row that was trained again: what badges it earns, and what is wrong with it.

Rescoring proves the arithmetic; a rerun shows that the configuration gives these predictions. Its
record lies beside the result and names, by digest, the configuration and the predictions it is
about, so that it cannot serve another row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import ResultError
from ..predictions import read_predictions
from ..result import Result
from ..statistics import MARGIN
from ..values import Corpus
from .board import Badge

__all__ = [
    "RERUN",
    "TOLERANCE",
    "RerunProtocol",
    "RerunRecord",
    "badges_of_rerun",
    "compare_rerun",
    "faults_of_rerun",
    "read_rerun",
    "write_rerun",
]

RERUN = "rerun.json"
"""Name of the record, in the folder of the result."""

TOLERANCE = MARGIN
"""Largest difference in R2, in any protocol, with which a rerun agrees: models closer than that
count as equivalent everywhere else. A head that draws nothing gives predictions equal to the digits
that are written; a network follows the rounding of its machine, and ends a little elsewhere."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RerunProtocol(_Record):
    """How the predictions of one protocol compare."""

    predictions_sha256: str
    """Of the row's predictions, which this is about."""
    rerun_sha256: str
    """Of those made again."""
    r2: float
    rerun_r2: float
    largest_difference: float
    """Between two predictions of a clip and dimension, averaged over seeds."""
    rms_difference: float


class RerunRecord(_Record):
    """That a configuration was run again, on what, and how well the predictions agree."""

    schema_version: Literal[1] = 1
    config_digest: str
    data_digest: str
    pianobench: str
    environment: dict[str, str]
    fingerprint: str | None
    """Of the encoder, as it was in this run."""
    encoded_again: bool
    """Whether every clip was encoded, and none taken from a store."""
    tolerance: float
    """In R2."""
    protocols: dict[str, RerunProtocol]


def compare_rerun(
    folder: Path, result: Result, again: Path, rerun: Result, corpus: Corpus
) -> RerunRecord:
    """Compare a result with one that was made again from its configuration.

    Parameters
    ----------
    folder, again : Path
        Where both lie.
    result, rerun : Result
    corpus : Corpus

    Raises
    ------
    ResultError
        If predictions cannot be read or are of other clips.
    """
    facts = rerun.components["encoder"].facts
    return RerunRecord(
        config_digest=result.config_digest,
        data_digest=rerun.data.digest,
        pianobench=rerun.pianobench,
        environment=rerun.environment,
        fingerprint=facts.get("fingerprint"),
        encoded_again=facts.get("encoding", {}).get("cached") == 0,
        tolerance=TOLERANCE,
        protocols={
            protocol: _compare(folder, result, again, rerun, protocol, corpus)
            for protocol in result.protocols
        },
    )


def _compare(
    folder: Path, result: Result, again: Path, rerun: Result, protocol: str, corpus: Corpus
) -> RerunProtocol:
    ours, theirs = result.protocols[protocol], rerun.protocols[protocol]
    first = read_predictions(folder / ours.predictions, corpus)
    second = read_predictions(again / theirs.predictions, corpus)
    if not np.array_equal(first.clips, second.clips):
        raise ResultError(
            f"{folder / ours.predictions} and {again / theirs.predictions} do not predict the same "
            "clips, so that one is not the other made again."
        )
    gap = np.abs(first.mean - second.mean)
    return RerunProtocol(
        predictions_sha256=ours.predictions_sha256,
        rerun_sha256=theirs.predictions_sha256,
        r2=ours.scores.metrics["r2"],
        rerun_r2=theirs.scores.metrics["r2"],
        largest_difference=float(gap.max()),
        rms_difference=float(np.sqrt((gap**2).mean())),
    )


def write_rerun(folder: Path, record: RerunRecord) -> Path:
    """Write the record beside the result."""
    path = folder / RERUN
    text = json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def read_rerun(folder: Path) -> RerunRecord | None:
    """Read the record of a result's folder; None where there is none.

    Raises
    ------
    ResultError
        If it cannot be read.
    """
    path = folder / RERUN
    if not path.is_file():
        return None
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(given, Mapping) and given.get("schema_version") != 1:
            raise ResultError(
                f"{path} has schema version {given.get('schema_version')!r}; this pianobench reads "
                "1. Upgrade pianobench."
            )
        return RerunRecord.model_validate(given)
    except (OSError, ValueError, ValidationError) as error:
        raise ResultError(f"Cannot read the record of a rerun {path}: {error}.") from error


def faults_of_rerun(record: RerunRecord, result: Result) -> list[str]:
    """Say why a record does not show that a result was reproduced; empty if it does."""
    faults = []
    if record.config_digest != result.config_digest:
        faults.append("it is of another configuration")
    if record.data_digest != result.data.digest:
        faults.append("it was run on other data")
    if sorted(record.protocols) != sorted(result.protocols):
        faults.append(f"it has the protocols {sorted(record.protocols)}")
    for protocol, found in record.protocols.items():
        stored = result.protocols.get(protocol)
        if stored is None:
            continue
        if found.predictions_sha256 != stored.predictions_sha256:
            faults.append(f"it is about other predictions of {protocol!r}")
        if abs(found.r2 - stored.scores.metrics["r2"]) > 1e-9:
            faults.append(f"it says that the row has R2 {found.r2:.6f} on {protocol!r}")
        gap = abs(found.rerun_r2 - found.r2)
        if not gap <= TOLERANCE:
            faults.append(
                f"its R2 on {protocol!r} is {found.rerun_r2:.4f}, {gap:.4f} away from the row's "
                f"{found.r2:.4f}, and {TOLERANCE:g} is allowed"
            )
    return faults


def badges_of_rerun(folder: Path, result: Result) -> tuple[Badge, ...]:
    """Badges that the record in a result's folder earns; none without one, or with a faulty one.

    Raises
    ------
    ResultError
        As `read_rerun`.
    """
    record = read_rerun(folder)
    if record is None or faults_of_rerun(record, result):
        return ()
    same = record.fingerprint == result.components["encoder"].facts.get("fingerprint")
    if record.fingerprint is not None and same:
        return ("rerun", "fingerprint matched")
    return ("rerun",)
