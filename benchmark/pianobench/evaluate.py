"""Folds and seeds to out-of-fold predictions.

What enters: features [clip, feature], a corpus, a split and a head. What leaves: one prediction
per seed, clip and dimension, each made by a model that never saw the clip's fold. Whatever a head
selects, it selects inside the training part, with an inner split by the protocol's own unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .components import Head, NetworkHead, Predictor
from .errors import StatisticsError, UsageError
from .parallel import run_all
from .progress import track
from .split import inner_groups
from .training import train_network
from .values import Corpus, Split

__all__ = ["OutOfFold", "evaluate"]


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
    """

    seeds: tuple[int, ...]
    values: NDArray[np.float64]
    folds: NDArray[np.str_]
    selected: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class _Member:
    """One model to fit: everything a worker process needs."""

    head: Head
    seed: int
    fold: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    groups: NDArray[np.str_]
    weight: NDArray[np.float64]
    x_test: NDArray[np.float64]
    y_peeked: NDArray[np.float64] | None


def evaluate(
    head: Head,
    x: NDArray[np.float64],
    corpus: Corpus,
    split: Split,
    seeds: tuple[int, ...],
    *,
    selection: Literal["nested", "test-fold"] = "nested",
    jobs: int = 1,
) -> OutOfFold:
    """Fit the head on every fold and seed, and predict the clips left out.

    Parameters
    ----------
    head : Head
    x : array, shape (clips, features)
    corpus : Corpus
    split : Split
    seeds : tuple of int
        A head that is not stochastic is fitted once, with the first.
    selection : {"nested", "test-fold"}
        ``test-fold`` lets a network head stop on the fold that is scored.
    jobs : int
        Processes, for heads that are slow to fit.

    Raises
    ------
    StatisticsError
        If a feature or a prediction is not finite.
    UsageError
        If `test-fold` is asked of a head that has no early stopping.
    """
    if not np.isfinite(x).all():
        clip, feature = np.argwhere(~np.isfinite(x))[0]
        raise StatisticsError(
            f"Feature {feature} of clip {corpus.ids[clip]!r} is {x[clip, feature]}. The encoder "
            "must return finite numbers; `bench check` finds what it breaks."
        )
    if selection == "test-fold" and not isinstance(head, NetworkHead):
        raise UsageError(
            f"--selection test-fold stops training on the scored fold, and the head {head.name!r} "
            "has no early stopping. Choose a network head such as mlp, or leave it out."
        )
    seeds = seeds if head.stochastic else seeds[:1]
    members = _members(head, x, corpus, split, seeds, peek=selection == "test-fold")
    values = np.full((len(seeds), *corpus.targets.shape), np.nan)
    folds = np.full(len(corpus.clips), "", dtype=object)
    selected: list[Mapping[str, Any]] = [{}] * len(members)
    outcomes = run_all(_fit_and_predict, members, jobs if head.slow else 1)
    for index, outcome in track(outcomes, len(members), f"fit {split.protocol}", "model"):
        if isinstance(outcome, Exception):
            raise outcome
        fold = split.folds[index // len(seeds)]
        predicted, chosen = outcome
        values[index % len(seeds), fold.test] = predicted
        folds[fold.test] = fold.name
        selected[index] = {"fold": fold.name, "seed": seeds[index % len(seeds)], **chosen}
    return OutOfFold(seeds, values, folds.astype(np.str_), tuple(selected))


def _members(
    head: Head,
    x: NDArray[np.float64],
    corpus: Corpus,
    split: Split,
    seeds: tuple[int, ...],
    *,
    peek: bool,
) -> list[_Member]:
    groups = inner_groups(corpus, split)
    weight = corpus.raters.astype(np.float64)
    y = corpus.targets
    return [
        _Member(
            head=head,
            seed=seed,
            fold=fold.name,
            x=x[fold.train],
            y=y[fold.train],
            groups=groups[fold.train],
            weight=weight[fold.train] / weight[fold.train].mean(),
            x_test=x[fold.test],
            y_peeked=y[fold.test] if peek else None,
        )
        for fold in split.folds
        for seed in seeds
    ]


def _fit_and_predict(member: _Member) -> tuple[NDArray[np.float64], Mapping[str, Any]]:
    m = member
    predictor: Predictor
    if isinstance(m.head, NetworkHead):
        peeked = None if m.y_peeked is None else (m.x_test, m.y_peeked)
        predictor = train_network(m.head, m.x, m.y, m.groups, m.seed, m.weight, validation=peeked)
    else:
        predictor = m.head.fit(m.x, m.y, m.groups, m.seed, m.weight)
    predicted = np.asarray(predictor.predict(m.x_test), dtype=np.float64)
    expected = (len(m.x_test), m.y.shape[1])
    if predicted.shape != expected or not np.isfinite(predicted).all():
        raise StatisticsError(
            f"The head {m.head.name!r} predicted an array of shape {predicted.shape} with "
            f"{int((~np.isfinite(predicted)).sum())} non-finite values in fold {m.fold!r} (seed "
            f"{m.seed}); expected {expected}, all finite."
        )
    return predicted, dict(getattr(predictor, "selected", {}))
