"""Recompute a stored result from its predictions and the dataset, and name what disagrees.

It proves the arithmetic, the folds and the right to a rank, not the training: predictions, what
the models selected, the environment and the timings are taken as given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from .components import Dataset
from .predictions import read_predictions
from .record import data_record, protocol_record
from .result import ProtocolRecord, Result, predictions_name, result_name
from .score import score
from .split import load_split
from .values import Corpus, Split

__all__ = ["Disagreement", "disagreements", "disagreements_of_scores", "rescore"]

TOLERANCE = 1e-9
# Resampled sums are single precision and their order depends on the linear algebra library.
BOOTSTRAP_TOLERANCE = 1e-5


class Disagreement(NamedTuple):
    """What is stored and not what is computed again, and the file that says it."""

    path: Path
    text: str


def rescore(folder: Path, result: Result, dataset: Dataset, corpus: Corpus) -> list[str]:
    """Check everything in a stored result that can be computed again.

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
    found = disagreements(folder, result, dataset, corpus)
    return [f"{each.path}: {each.text}" for each in found]


def disagreements(
    folder: Path, result: Result, dataset: Dataset, corpus: Corpus
) -> list[Disagreement]:
    """Find what `rescore` tells, with the file that each disagreement is in."""
    config, file = result.config, folder / "result.json"
    found = _of_configuration(result)
    found += _differences(_plain(result.data), _plain(data_record(corpus)), "data")
    listed = [Disagreement(file, text) for text in found]
    for protocol, record in result.protocols.items():
        split = load_split(corpus, protocol, dataset)
        again = protocol_record(
            folder,
            corpus,
            split,
            config.selection,
            record.selected,
            optimism=config.optimism,
        )
        path = folder / predictions_name(protocol)
        listed += [Disagreement(path, text) for text in _misplaced(path, corpus, split)]
        found = _unaccounted(record, split)
        found += _differences(_plain(record), _plain(again), f"protocols.{protocol}")
        listed += [Disagreement(file, text) for text in found]
    return listed


def disagreements_of_scores(folder: Path, result: Result, corpus: Corpus) -> list[Disagreement]:
    """Find what disagrees where there are only labels: the folds and what they leak stay unchecked.

    Parameters
    ----------
    folder : Path
    result : Result
    corpus : Corpus
        Clips, groups and labels; its clips need no files.

    Raises
    ------
    ResultError
        As `rescore`.
    """
    found = _of_configuration(result)
    for protocol, record in result.protocols.items():
        predictions = read_predictions(folder / record.predictions, corpus)
        again = _plain(score(corpus, predictions, protocol))
        found += _differences(_plain(record.scores), again, f"protocols.{protocol}.scores")
    return [Disagreement(folder / "result.json", text) for text in found]


def _of_configuration(result: Result) -> list[str]:
    """Compare what a result says of its configuration with the configuration itself."""
    config = result.config
    found = _differences(result.name, result_name(config), "name")
    found += _differences(result.config_digest, config.digest, "config_digest")
    found += _differences(sorted(result.protocols), sorted(config.protocols or ()), "protocols")
    for part, component in result.components.items():
        choice = config.parts.get(part)
        asked = {"name": choice.name, "options": choice.options} if choice else None
        used = {"name": component.name, "options": component.options}
        found += _differences(used, asked, f"components.{part}")
    return found


def _misplaced(path: Path, corpus: Corpus, split: Split) -> list[str]:
    """Compare the clips and folds of a predictions file with those of its protocol."""
    predictions = read_predictions(path, corpus)
    expected = {int(clip): fold.name for fold in split.folds for clip in fold.test}
    given = dict(zip(predictions.clips.tolist(), predictions.folds.tolist(), strict=True))
    missing = sorted(set(expected) - set(given))
    moved = [clip for clip in given if expected.get(clip) != given[clip]]
    found = []
    if missing:
        found.append(f"{len(missing)} clips are missing, such as {corpus.ids[missing[0]]!r}")
    if moved:
        found.append(
            f"{len(moved)} clips are in another fold than the protocol puts them, such as "
            f"{corpus.ids[moved[0]]!r}"
        )
    return found


def _unaccounted(record: ProtocolRecord, split: Split) -> list[str]:
    """Require a record of what was selected for every model of every fold and seed."""
    said = sorted((str(c.get("fold")), str(c.get("seed"))) for c in record.selected)
    models = sorted((fold.name, str(seed)) for fold in split.folds for seed in record.seeds)
    return _differences(said, models, "selected")


def _plain(record: BaseModel) -> dict[str, Any]:
    return record.model_dump(mode="json")


def _differences(stored: Any, again: Any, where: str, tolerance: float = TOLERANCE) -> list[str]:
    return list(_walk(stored, again, where, tolerance))


def _walk(stored: Any, again: Any, where: str, tolerance: float) -> Iterator[str]:
    if isinstance(stored, dict) and isinstance(again, dict):
        if stored.get("method") in ("percentile", "bca"):
            tolerance = BOOTSTRAP_TOLERANCE
        for key in sorted(set(stored) | set(again)):
            inside = f"{where}.{key}" if where else key
            yield from _walk(stored.get(key), again.get(key), inside, tolerance)
    elif isinstance(stored, list) and isinstance(again, list) and len(stored) == len(again):
        for index, (one, other) in enumerate(zip(stored, again, strict=True)):
            yield from _walk(one, other, f"{where}[{index}]", tolerance)
    elif isinstance(stored, float) and isinstance(again, int | float):
        if not math.isclose(stored, again, rel_tol=0.0, abs_tol=tolerance):
            yield f"{where} is stored as {stored!r} and recomputed as {again!r}"
    elif stored != again:
        yield f"{where} is stored as {stored!r} and recomputed as {again!r}"
