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
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .components import Head, NetworkHead, Predictor
from .config import Weighting
from .curves import Curve
from .descent import Epoch
from .errors import (
    PianobenchError,
    PluginError,
    SplitError,
    StatisticsError,
    TrainingError,
    UsageError,
)
from .inputs import Inputs
from .model_files import save_network
from .parallel import run_where_it_pays
from .progress import track
from .split import inner_groups
from .training import TrainedNetwork, train_network
from .values import Corpus, Fold, Split

__all__ = ["Fitted", "Material", "Member", "OutOfFold", "evaluate", "fit_and_predict"]


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


@dataclass(frozen=True)
class Material:
    """What every model of a run is fitted from.

    Attributes
    ----------
    head : Head
    x : float array, shape (clips, features), or Inputs
    y : float array, shape (clips, dimensions)
    weight : float array, shape (clips,)
        Only the ratios matter.
    passages : str array, shape (clips,)
        Which clips play the same music.
    peek : bool
        Whether a network head stops on the fold that is scored.
    models : Path or None
        Folder to keep networks in.
    """

    head: Head
    x: NDArray[np.float64] | Inputs
    y: NDArray[np.float64]
    weight: NDArray[np.float64]
    passages: NDArray[np.str_]
    peek: bool = False
    models: Path | None = None

    @classmethod
    def of(
        cls,
        head: Head,
        x: NDArray[np.float64] | Inputs,
        corpus: Corpus,
        *,
        weighting: Weighting = "raters",
        peek: bool = False,
        models: Path | None = None,
    ) -> Material:
        """Take targets and passages from a corpus, and weigh its clips by their raters or equally.

        Raises
        ------
        StatisticsError
            If a feature is not finite.
        """
        if isinstance(x, np.ndarray) and not np.isfinite(x).all():
            clip, feature = np.argwhere(~np.isfinite(x))[0]
            raise StatisticsError(
                f"Feature {feature} of clip {corpus.ids[clip]!r} is {x[clip, feature]}. The "
                "encoder must return finite numbers; `bench check` finds what it breaks."
            )
        raters = corpus.raters.astype(np.float64)
        weight = raters if weighting == "raters" else np.ones_like(raters)
        return cls(head, x, corpus.targets, weight, corpus.group("passage"), peek, models)


@dataclass(frozen=True)
class Member:
    """One model to fit.

    Attributes
    ----------
    split : int
        Which of several splits the fold is of.
    fold : Fold
    groups : str array, shape (clips,)
        Unit of every clip that an inner split keeps whole.
    seed : int
    protocol : str
        Of the split.
    """

    split: int
    fold: Fold
    groups: NDArray[np.str_]
    seed: int
    protocol: str = ""


class Fitted(NamedTuple):
    """One model that was fitted.

    Attributes
    ----------
    predicted : float array, shape (test clips, dimensions)
    selected : mapping
        What the model chose inside the clips it was given.
    curve : tuple of Epoch
        How a network learned.
    """

    predicted: NDArray[np.float64]
    selected: Mapping[str, Any]
    curve: tuple[Epoch, ...] = ()


def evaluate(
    head: Head,
    x: NDArray[np.float64] | Inputs,
    corpus: Corpus,
    splits: Sequence[Split],
    seeds: tuple[int, ...],
    *,
    selection: Literal["nested", "test-fold"] = "nested",
    weighting: Weighting = "raters",
    models: Path | None = None,
    jobs: int = 1,
) -> list[OutOfFold]:
    """Fit the head on every fold and seed of every split, and predict the clips left out.

    Parameters
    ----------
    head : Head
    x : array, shape (clips, features), or Inputs
    corpus : Corpus
    splits : sequence of Split
        Their models are fitted side by side.
    seeds : tuple of int
        A head that is not stochastic is fitted once, with the first.
    selection : {"nested", "test-fold"}
        ``test-fold`` lets a network head stop on the fold that is scored.
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
    TrainingError, SplitError
        If a network cannot be trained on a fold, or diverges.
    """
    peek = selection == "test-fold"
    material = Material.of(head, x, corpus, weighting=weighting, peek=peek, models=models)
    if selection == "test-fold" and not isinstance(head, NetworkHead):
        raise UsageError(
            f"--selection test-fold stops training on the scored fold, and the head {head.name!r} "
            "has no early stopping. Choose a network head such as mlp, or leave it out."
        )
    seeds = seeds if head.stochastic else seeds[:1]
    members = [
        Member(index, fold, inner_groups(corpus, split), seed, split.protocol)
        for index, split in enumerate(splits)
        for fold in split.folds
        for seed in seeds
    ]
    values = np.full((len(splits), len(seeds), *corpus.targets.shape), np.nan)
    fitted: dict[int, Fitted] = {}
    outcomes = run_where_it_pays(partial(fit_and_predict, material), members, jobs)
    for index, outcome in track(outcomes, len(members), "fit", "model"):
        if isinstance(outcome, Exception):
            raise outcome
        member = members[index]
        values[member.split, seeds.index(member.seed), member.fold.test] = outcome.predicted
        fitted[index] = outcome
    return [
        OutOfFold(
            seeds,
            values[index],
            _scoring_folds(split, len(corpus.clips)),
            *_records([(m, fitted[i]) for i, m in enumerate(members) if m.split == index]),
        )
        for index, split in enumerate(splits)
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


def _fit(
    head: Head,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    groups: NDArray[np.str_],
    member: Member,
    weight: NDArray[np.float64],
) -> Predictor:
    try:
        return head.fit(x, y, groups, member.seed, weight)
    except PianobenchError:
        raise
    except Exception as error:
        raise PluginError(
            f"The head {head.name!r} failed to fit fold {member.fold.name!r} (seed {member.seed}) "
            f"of {len(x)} clips and {x.shape[1]} features: {type(error).__name__}: {error}. `bench "
            f"check {head.name}` shows which promise it breaks."
        ) from error


def fit_and_predict(material: Material, member: Member) -> Fitted:
    """Fit one model on the training part of its fold and predict the other part.

    Raises
    ------
    PluginError
        If the head fails in a way it did not foresee.
    StatisticsError
        If a prediction is missing or not finite.
    UsageError
        If the pooling is learned and the head is not trained by gradient.
    TrainingError, SplitError
        If a network cannot be trained on the fold, or diverges.
    """
    head, train, test = material.head, member.fold.train, member.fold.test
    curve: tuple[Epoch, ...] = ()
    x, y, groups = material.x[train], material.y[train], member.groups[train]
    weight = material.weight[train] / material.weight[train].mean()
    x_test = material.x[test]
    if isinstance(head, NetworkHead):
        network = _train(head, material, member, weight)
        returned, chosen, curve = network.predict(x_test), network.selected, network.curve
    elif not isinstance(x, np.ndarray) or not isinstance(x_test, np.ndarray):
        raise UsageError(
            f"A pooling or weights of layers are learned with the head, and the head {head.name!r} "
            "is not trained by gradient. Choose a network head such as mlp, or the pooling mean "
            "and another merge."
        )
    else:
        predictor = _fit(head, x, y, groups, member, weight)
        returned, chosen = predictor.predict(x_test), getattr(predictor, "selected", {})
    predicted = np.asarray(returned, dtype=np.float64)
    expected = (len(x_test), y.shape[1])
    if predicted.shape != expected or not np.isfinite(predicted).all():
        raise StatisticsError(
            f"The head {head.name!r} predicted an array of shape {predicted.shape} with "
            f"{int((~np.isfinite(predicted)).sum())} non-finite values in fold "
            f"{member.fold.name!r} (seed {member.seed}); expected {expected}, all finite."
        )
    return Fitted(predicted, dict(chosen), curve)


def _train(
    head: NetworkHead, material: Material, member: Member, weight: NDArray[np.float64]
) -> TrainedNetwork:
    """Train a network on the training part of a fold, and keep it where that is asked for."""
    train = member.fold.train
    seen = member.fold.test if material.peek else member.fold.validation
    try:
        network = train_network(
            head,
            material.x[train],
            material.y[train],
            member.groups[train],
            member.seed,
            weight,
            passages=material.passages[train],
            validation=None if seen is None else (material.x[seen], material.y[seen]),
        )
    except (TrainingError, SplitError) as error:
        of = f" of {member.protocol!r}" if member.protocol else ""
        where = f"In fold {member.fold.name!r}{of} with seed {member.seed}"
        raise type(error)(f"{where}: {error}") from error
    if material.models is not None:
        folder = material.models / member.protocol
        save_network(folder, member.fold.name, member.seed, head, network)
    return network
