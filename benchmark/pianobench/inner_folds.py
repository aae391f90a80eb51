"""Folds inside the training part of a fold, on which a choice may be made that is scored outside.

What enters: a corpus, the split of a protocol. What leaves: for each of its folds a split of that
fold's training part alone, whole units (passages, of `piece`) on one side.
"""

from __future__ import annotations

from collections.abc import Mapping

from .errors import SplitError
from .fold_files import sides_of_cells, to_split
from .split import balanced, inner_groups
from .values import Corpus, Fold, Split

__all__ = ["INNER_FOLDS", "inner_splits"]

INNER_FOLDS = 3


def inner_splits(corpus: Corpus, split: Split, folds: int = INNER_FOLDS) -> Mapping[str, Split]:
    """Divide the training part of every fold.

    Parameters
    ----------
    corpus : Corpus
    split : Split
    folds : int
        Two or more.

    Returns
    -------
    mapping of str to Split
        By the name of the outer fold; `folds` each, or fewer where there are fewer units.

    Raises
    ------
    SplitError
        If a training part holds one unit only.
    """
    return {fold.name: _divide(corpus, split, fold, folds) for fold in split.folds}


def _divide(corpus: Corpus, split: Split, fold: Fold, folds: int) -> Split:
    units = inner_groups(corpus, split)[fold.train]
    found = sorted(set(units.tolist()))
    if len(found) < 2:
        raise SplitError(
            f"A choice inside the training part of fold {fold.name!r} of {split.protocol!r} needs "
            f"two groups, one to score on; it holds {len(found)} ({', '.join(found)}). Choose "
            "another protocol, or do without the choice."
        )
    placed = balanced(units, min(folds, len(found)))
    cells: dict[str, list[str]] = {}
    for clip, cell in zip(fold.train.tolist(), placed.tolist(), strict=True):
        cells.setdefault(cell, []).append(corpus.ids[clip])
    return to_split(corpus, split.protocol, split.unit, sides_of_cells(cells, 1))
