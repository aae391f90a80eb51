"""Recompute a stored result from its predictions and the dataset, and name what disagrees.

It proves the arithmetic and the splits, not the training: predictions are taken as given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from .audit import audit
from .ceiling import ceiling_of
from .components import Dataset
from .predictions import file_digest, read_predictions
from .result import OptimismRecord, ProtocolRecord, Result
from .score import claimed_r2, score
from .split import load_split
from .values import Corpus

__all__ = ["rescore"]

TOLERANCE = 1e-9
# Resampled sums are single precision and their order depends on the linear algebra library.
BOOTSTRAP_TOLERANCE = 1e-5


def rescore(folder: Path, result: Result, dataset: Dataset, corpus: Corpus) -> list[str]:
    """Check every number of a stored result.

    Parameters
    ----------
    folder : Path
        Where the result and its predictions lie.
    result : Result
    dataset : Dataset
        As the result's configuration names it.
    corpus : Corpus
        As it is now.

    Returns
    -------
    list of str
        One line per disagreement; empty if all agrees.

    Raises
    ------
    ResultError
        If a predictions file cannot be read or does not fit the corpus.
    """
    found: list[str] = []
    if result.config_digest != result.config.digest:
        found.append(f"{folder}: the configuration does not have the digest it claims")
    if result.data.digest != corpus.digest:
        found.append(
            f"{folder}: was computed on other data (digest {result.data.digest[:12]}, here "
            f"{corpus.digest[:12]})"
        )
    ceiling = ceiling_of(corpus)
    found += [
        f"{folder}: {line}"
        for line in _differences(_plain(result.data.ceiling), _plain(ceiling), "ceiling")
    ]
    for protocol, record in result.protocols.items():
        found += _rescore_protocol(folder, protocol, record, dataset, corpus)
    return found


def _rescore_protocol(
    folder: Path, protocol: str, record: ProtocolRecord, dataset: Dataset, corpus: Corpus
) -> list[str]:
    path = folder / record.predictions
    if path.exists() and file_digest(path) != record.predictions_sha256:
        found = [f"{path}: was changed after it was written (SHA-256 differs)"]
    else:
        found = []
    predictions = read_predictions(path, corpus)
    split = load_split(corpus, protocol, dataset)
    if split.digest != record.split_digest:
        found.append(f"{path}: the folds of {protocol!r} are not those of this version")
    expected = {int(clip): fold.name for fold in split.folds for clip in fold.test}
    given = dict(zip(predictions.clips.tolist(), predictions.folds.tolist(), strict=True))
    missing = sorted(set(expected) - set(given))
    if missing:
        found.append(
            f"{path}: {len(missing)} clips are missing, such as {corpus.ids[missing[0]]!r}"
        )
    moved = [clip for clip in given if expected.get(clip) != given[clip]]
    if moved:
        found.append(
            f"{path}: {len(moved)} clips are in another fold than the protocol puts them, such as "
            f"{corpus.ids[moved[0]]!r}"
        )
    if list(predictions.seeds) != record.seeds:
        found.append(f"{path}: holds seeds {list(predictions.seeds)}, not {record.seeds}")
    if record.optimism is not None:
        found += _rescore_optimism(folder, record.optimism, corpus)
    again = score(corpus, predictions, protocol).model_dump(mode="json")
    stored = record.scores.model_dump(mode="json")
    found += [f"{path}: {line}" for line in _differences(stored, again, "scores")]
    leaks = audit(corpus, split).as_json()
    found += [f"{path}: {line}" for line in _differences(record.audit, leaks, "audit")]
    return found


def _rescore_optimism(folder: Path, record: OptimismRecord, corpus: Corpus) -> list[str]:
    path = folder / record.predictions
    if path.exists() and file_digest(path) != record.predictions_sha256:
        return [f"{path}: was changed after it was written (SHA-256 differs)"]
    again = claimed_r2(corpus, read_predictions(path, corpus))
    return [f"{path}: {line}" for line in _differences(record.r2, again, "optimism.r2")]


def _plain(record: BaseModel | None) -> dict[str, Any] | None:
    return None if record is None else record.model_dump(mode="json")


def _differences(
    stored: Any, again: Any, where: str, tolerance: float = TOLERANCE
) -> Iterator[str]:
    if isinstance(stored, dict) and isinstance(again, dict):
        if stored.get("method") in ("percentile", "bca"):
            tolerance = BOOTSTRAP_TOLERANCE
        for key in sorted(set(stored) | set(again)):
            yield from _differences(stored.get(key), again.get(key), f"{where}.{key}", tolerance)
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for index, (one, other) in enumerate(zip(stored, again, strict=True)):
            yield from _differences(one, other, f"{where}[{index}]", tolerance)
    elif isinstance(stored, float) and isinstance(again, int | float):
        if not math.isclose(stored, again, rel_tol=0.0, abs_tol=tolerance):
            yield f"{where} is stored as {stored!r} and recomputed as {again!r}"
    elif stored != again:
        yield f"{where} is stored as {stored!r} and recomputed as {again!r}"
