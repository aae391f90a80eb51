"""Folds and seeds to out-of-fold predictions.

What enters: features [clip, feature], or inputs of a network that learns more than the head, a
corpus, a split and a head. What leaves: one prediction per seed, clip and dimension, each made by
a model that never saw the clip's fold. Whatever a head selects, it selects inside the training
part, with an inner split that keeps the protocol's unit whole (of `unseen`, the passage).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .components import Head
from .config import Weighting
from .curves import Curve
from .ensemble import Ensemble
from .fitting import Features, Fitted, Material, Member, fit_and_predict
from .parallel import run_where_it_pays
from .progress import track
from .split import inner_groups
from .values import Corpus, Split

__all__ = ["OutOfFold", "Selection", "assemble", "evaluate", "members_of"]

Selection = Literal["nested", "test-fold"]


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of every clip that a split scores.

    Attributes
    ----------
    seeds : tuple of int
    values : float array, shape (seeds, clips, dimensions)
        NaN for clips that no fold scores.
    folds : str array, shape (clips,)
        Name of the fold that scored the clip; empty for none.
    selected : tuple of mapping
        What each fitted model chose: fold, seed, and the head's own record.
    curves : tuple of Curve
        How each network learned; empty for heads that are not trained by gradient.
    """

    seeds: tuple[int, ...]
    values: NDArray[np.float64]
    folds: NDArray[np.str_]
    selected: tuple[Mapping[str, Any], ...]
    curves: tuple[Curve, ...] = ()


def evaluate(
    head: Head,
    x: Features,
    corpus: Corpus,
    splits: Sequence[Split],
    seeds: tuple[int, ...],
    *,
    selection: Selection = "nested",
    ensemble: Ensemble | None = None,
    weighting: Weighting = "raters",
    models: Path | None = None,
    jobs: int = 1,
) -> list[OutOfFold]:
    """Fit the head on every fold and seed of every split, and predict the clips left out.

    Parameters
    ----------
    head : Head
    x : Features
    corpus : Corpus
    splits : sequence of Split
        Their models are fitted side by side.
    seeds : tuple of int
        A head that is not stochastic is fitted once, with the first.
    selection : {"nested", "test-fold"}
        ``test-fold`` lets a network head stop on the fold that is scored.
    ensemble : Ensemble, optional
        Which renders of every clip are fitted and tested on, where `x` holds several.
    weighting : {"raters", "equal"}
        What a clip counts in training: the raters behind its labels, or all the same.
    models : Path, optional
        Folder to keep every network in, one folder per protocol; see `pianobench.model_files`.
    jobs : int
        Processes to use where fitting takes long.

    Returns
    -------
    list of OutOfFold
        One per split.

    Raises
    ------
    StatisticsError
        If a feature or a prediction is not finite.
    UsageError
        If `test-fold` is asked of a head that has no early stopping.
    PluginError
        If the head, or a pooling learned with it, fails in a way it did not foresee.
    TrainingError, SplitError
        If a network cannot be trained on a fold, or diverges; `SplitError` also if the loss needs
        passages, and the corpus does not say them.
    """
    peek = selection == "test-fold"
    material = Material.of(
        head, x, corpus, ensemble=ensemble, weighting=weighting, peek=peek, models=models
    )
    members = members_of(head, corpus, splits, seeds)
    fitted: dict[int, Fitted] = {}
    outcomes = run_where_it_pays(partial(fit_and_predict, material), members, jobs)
    for index, outcome in track(outcomes, len(members), "fit", "model"):
        if isinstance(outcome, Exception):
            raise outcome
        fitted[index] = outcome
    return assemble(corpus, splits, members, [fitted[index] for index in range(len(members))])


def members_of(
    head: Head, corpus: Corpus, splits: Sequence[Split], seeds: tuple[int, ...]
) -> list[Member]:
    """List the models of a head: each fold of each split, once per seed if they matter."""
    return [
        Member(index, fold, inner_groups(corpus, split), seed, split.protocol)
        for index, split in enumerate(splits)
        for fold in split.folds
        for seed in (seeds if head.stochastic else seeds[:1])
    ]


def assemble(
    corpus: Corpus, splits: Sequence[Split], members: Sequence[Member], fitted: Sequence[Fitted]
) -> list[OutOfFold]:
    """Put the predictions of all members together, split by split."""
    seeds = tuple(dict.fromkeys(member.seed for member in members))
    values = np.full((len(splits), len(seeds), *corpus.targets.shape), np.nan)
    of_split: list[list[tuple[Member, Fitted]]] = [[] for _ in splits]
    for member, found in zip(members, fitted, strict=True):
        values[member.split, seeds.index(member.seed), member.fold.test] = found.predicted
        of_split[member.split].append((member, found))
    return [
        OutOfFold(
            seeds, values[i], _scoring_folds(split, len(corpus.clips)), *_records(of_split[i])
        )
        for i, split in enumerate(splits)
    ]


def _records(
    fitted: Sequence[tuple[Member, Fitted]],
) -> tuple[tuple[Mapping[str, Any], ...], tuple[Curve, ...]]:
    """Take down, in the order of the members, what each chose and how it learned."""
    return (
        tuple({"fold": m.fold.name, "seed": m.seed, **found.selected} for m, found in fitted),
        tuple(Curve(m.fold.name, m.seed, found.curve) for m, found in fitted if found.curve),
    )


def _scoring_folds(split: Split, clips: int) -> NDArray[np.str_]:
    folds = np.full(clips, "", dtype=object)
    for fold in split.folds:
        folds[fold.test] = fold.name
    return folds.astype(np.str_)
