"""The nested choice: the winner of a sweep is chosen inside training parts and scored outside.

The best row of a table was chosen by the clips it is scored on, and so flatters itself. Here every
cell is also evaluated within each fold's training part, on inner folds of whole passages. The cell
that does best there is taken, and what it predicted for the fold outside, where it was not chosen,
is scored. The difference between the two is the optimism of the table's best row.

Predictions on inner folds lie in ``inner/<protocol>/<name>/`` below the results, a file per outer
fold, with a digest of all they depend on.

References
----------
Varma, Simon: Bias in error estimation when using cross-validation for model selection. BMC
Bioinformatics 7:91, 2006. https://doi.org/10.1186/1471-2105-7-91
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from .config import RunConfig
from .evaluate import OutOfFold
from .predictions import Predictions, file_digest, read_predictions, write_predictions
from .result import predictions_name, result_name, writing
from .score import IntervalRecord, claimed_r2, score
from .values import Corpus, Split

__all__ = ["FoldChoice", "InnerPlace", "NestedChoice", "choose"]

_INNER = "inner"
_DEPENDS = "inner.json"


class FoldChoice(BaseModel):
    """What was chosen inside the training part of one fold."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    fold: str
    result: str
    """Name of the cell that did best on the inner folds."""
    inner_r2: dict[str, float]
    """R2 on the inner folds, of every cell."""


class NestedChoice(BaseModel):
    """The score of choosing, beside that of the best row."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    protocol: str
    folds: list[FoldChoice]
    r2: float
    """Of what was chosen, each fold by the cell that its training part chose."""
    intervals: list[IntervalRecord]
    best: str
    """Name of the cell that is best in the table."""
    best_r2: float
    optimism: float
    """`best_r2` less `r2`."""


@dataclass(frozen=True)
class InnerPlace:
    """Where predictions on inner folds are kept.

    Attributes
    ----------
    results : Path
    corpus : Corpus
    protocol : str
    splits : mapping of str to Split
        Of each outer fold's training part.
    """

    results: Path
    corpus: Corpus
    protocol: str
    splits: Mapping[str, Split]

    def write(self, config: RunConfig, predicted: Sequence[OutOfFold]) -> None:
        """Keep the predictions of a cell, one per outer fold."""
        with writing(self._folder, result_name(config)) as folder:
            files = {}
            for fold, found in zip(self.splits, predicted, strict=True):
                path = folder / predictions_name(f"{self.protocol}-{fold}")
                write_predictions(path, self.corpus, found)
                files[path.name] = file_digest(path)
            text = json.dumps({"depends": self._depends(config), "files": files}, indent=1)
            (folder / _DEPENDS).write_text(text + "\n", encoding="utf-8")

    def holds(self, config: RunConfig) -> bool:
        """Whether predictions of a cell lie there, of this data and these folds, unchanged."""
        folder = self._folder / result_name(config)
        try:
            kept = json.loads((folder / _DEPENDS).read_text(encoding="utf-8"))
            return bool(
                kept["depends"] == self._depends(config)
                and all(file_digest(folder / name) == sha for name, sha in kept["files"].items())
            )
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def read(self, config: RunConfig, fold: str) -> Predictions:
        """Read what a cell predicted of an outer fold's training part."""
        folder = self._folder / result_name(config)
        return read_predictions(folder / predictions_name(f"{self.protocol}-{fold}"), self.corpus)

    @property
    def _folder(self) -> Path:
        return self.results / _INNER / self.protocol

    def _depends(self, config: RunConfig) -> str:
        parts = [config.digest, self.corpus.digest, *(s.digest for s in self.splits.values())]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def choose(
    place: InnerPlace, cells: Sequence[RunConfig], outside: Sequence[Predictions], folder: Path
) -> NestedChoice:
    """Choose a cell in every training part, and score its predictions of the fold outside.

    Parameters
    ----------
    place : InnerPlace
        It holds the predictions of every cell.
    cells : sequence of RunConfig
        The first of equals is chosen.
    outside : sequence of Predictions
        Of every cell, on the protocol's own folds.
    folder : Path
        The predictions of what was chosen are written there, as ``predictions-nested-....csv``.

    Raises
    ------
    ResultError
        If predictions cannot be read.
    StatisticsError
        If a metric is not defined.
    """
    corpus, names = place.corpus, [result_name(config) for config in cells]
    values = np.full((1, *corpus.targets.shape), np.nan)
    scoring = np.full(len(corpus.clips), "", dtype=object)
    folds = []
    for fold in place.splits:
        inner = [claimed_r2(corpus, place.read(config, fold)) for config in cells]
        winner = int(np.argmax(inner))
        found = outside[winner]
        scored = found.folds == fold
        values[0, found.clips[scored]] = found.mean[scored]
        scoring[found.clips[scored]] = fold
        by_name = dict(zip(names, inner, strict=True))
        folds.append(FoldChoice(fold=fold, result=names[winner], inner_r2=by_name))
    path = folder / predictions_name(f"nested-{place.protocol}")
    write_predictions(path, corpus, OutOfFold((0,), values, scoring.astype(np.str_), ()))
    scores = score(corpus, read_predictions(path, corpus), place.protocol)
    in_table = [claimed_r2(corpus, predictions) for predictions in outside]
    best = int(np.argmax(in_table))
    r2 = scores.metrics["r2"]
    return NestedChoice(
        protocol=place.protocol,
        folds=folds,
        r2=r2,
        intervals=scores.intervals,
        best=names[best],
        best_r2=in_table[best],
        optimism=in_table[best] - r2,
    )
