"""One model: fitted on the training part of a fold, predicting the other part.

What enters is `Material`, what every model of a run shares, and a `Member`, the fold and the seed.
Both travel to worker processes; features go by reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .components import Head, NetworkHead, PairwiseHead
from .config import Weighting
from .descent import Epoch
from .ensemble import Ensemble
from .errors import (
    PianobenchError,
    PluginError,
    SplitError,
    StatisticsError,
    TrainingError,
    UsageError,
)
from .inputs import Inputs, inputs_of
from .model_files import save_network
from .predictors import Predictor
from .stored_features import StoredFeatures
from .training import TrainedNetwork, train_network
from .values import Corpus, Fold

__all__ = [
    "Features",
    "Fitted",
    "Material",
    "Member",
    "Model",
    "fit_and_predict",
    "fit_and_predict_each",
    "fit_predictor",
]

Model = Predictor | TrainedNetwork
Features = NDArray[np.float64] | StoredFeatures | Inputs
"""One vector per clip, as an array or by reference, or inputs of a network that learns more."""


@dataclass(frozen=True)
class Material:
    """What every model of a run is fitted from.

    Attributes
    ----------
    head : Head
    x : Features
    y : float array, shape (clips, dimensions)
    ensemble : Ensemble
        Which rows of `x` are what renders of which clips; one row a clip where there is but one.
    weight : float array, shape (clips,)
        Only the ratios matter.
    passages : str array, shape (clips,), or None
        Which clips play the same music; None where nothing is learned from it.
    peek : bool
        Whether a network head stops on the fold that is scored.
    models : Path or None
        Folder to keep networks in.
    """

    head: Head
    x: Features
    y: NDArray[np.float64]
    ensemble: Ensemble
    weight: NDArray[np.float64]
    passages: NDArray[np.str_] | None
    peek: bool = False
    models: Path | None = None

    @classmethod
    def of(
        cls,
        head: Head,
        x: Features,
        corpus: Corpus,
        *,
        ensemble: Ensemble | None = None,
        weighting: Weighting = "raters",
        peek: bool = False,
        models: Path | None = None,
    ) -> Material:
        """Take targets from a corpus, and weigh its clips by their raters or equally.

        Passages are asked for only where the loss is of their clips' order.

        Raises
        ------
        StatisticsError
            If a feature is not finite.
        UsageError
            If a head is to peek that has no early stopping.
        SplitError
            If the loss needs passages, and the corpus does not say them.
        """
        if isinstance(x, np.ndarray) and not np.isfinite(x).all():
            row, feature = np.argwhere(~np.isfinite(x))[0]
            clip = corpus.ids[row % len(corpus.clips)]
            raise StatisticsError(
                f"Feature {feature} of clip {clip!r} is {x[row, feature]}. The "
                "encoder must return finite numbers; `bench check` finds what it breaks."
            )
        if peek and not isinstance(head, NetworkHead):
            raise UsageError(
                f"--selection test-fold stops training on the scored fold, and the head "
                f"{head.name!r} has no early stopping. Choose a network head such as mlp, or leave "
                "it out."
            )
        raters = corpus.raters.astype(np.float64)
        weight = raters if weighting == "raters" else np.ones_like(raters)
        ordered = isinstance(head, NetworkHead) and head.loss == "rank"
        passages = corpus.group("passage") if ordered else None
        several = ensemble or Ensemble(len(corpus.clips))
        return cls(head, x, corpus.targets, several, weight, passages, peek, models)


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


def fit_and_predict(material: Material, member: Member) -> Fitted:
    """Fit one model on the training part of its fold and predict the other part.

    Of several renders that are tested, the predictions are averaged.

    Raises
    ------
    PianobenchError
        As `fit_and_predict_each`.
    """
    fitted = fit_and_predict_each(material, member)
    return fitted._replace(predicted=fitted.predicted.mean(axis=0))


def fit_and_predict_each(material: Material, member: Member) -> Fitted:
    """Fit one model, and predict every render of the clips that is tested on its own.

    Returns
    -------
    Fitted
        Predictions of shape (renders, test clips, dimensions).

    Raises
    ------
    PluginError
        If the head, or a pooling learned with it, fails in a way it did not foresee.
    StatisticsError
        If a prediction is missing or not finite.
    UsageError
        If more is learned than the head, and that is not trained by gradient.
    TrainingError, SplitError
        If a network cannot be trained on the fold, or diverges.
    """
    fitted = _fit(material, member)
    predicted = np.asarray(fitted.predicted, dtype=np.float64)
    renders, clips = len(material.ensemble.test), len(member.fold.test)
    expected = (renders * clips, material.y.shape[1])
    if predicted.shape != expected or not np.isfinite(predicted).all():
        raise StatisticsError(
            f"The head {material.head.name!r} predicted an array of shape {predicted.shape} with "
            f"{int((~np.isfinite(predicted)).sum())} non-finite values in fold "
            f"{member.fold.name!r} (seed {member.seed}); expected {expected}, all finite."
        )
    by_render = predicted.reshape(renders, clips, material.y.shape[1])
    return Fitted(by_render, dict(fitted.selected), fitted.curve)


def fit_predictor(material: Material, member: Member) -> Model:
    """Fit one model on the training part of its fold, by the vectors of its clips.

    Several layers are put side by side also for a `PairwiseHead`, whose predictions by pairs are
    the same within rounding: what is returned predicts any clips.

    Raises
    ------
    PluginError, UsageError, TrainingError, SplitError
        As `fit_and_predict_each`.
    """
    head, x, part = material.head, _read(material.x), _Part.of(material, member)
    if isinstance(head, NetworkHead):
        with _naming(head, member, x):
            return _train(head, x, material, part, member)
    return _fit_vectors(head, _require_vectors(head, x), part, member)


class _Part(NamedTuple):
    """What a model is trained on: rows of features, with what is known of each, first axis rows.

    `fold` holds rows, too: those it is tested on, and those it stops early on if they are given.
    """

    fold: Fold
    y: NDArray[np.float64]
    groups: NDArray[np.str_]
    weight: NDArray[np.float64]
    passages: NDArray[np.str_] | None

    @classmethod
    def of(cls, material: Material, member: Member) -> _Part:
        """Find the renders of the clips of a fold; a clip's weight is shared by its renders."""
        fold, ensemble = member.fold, material.ensemble
        weight = material.weight[fold.train] / material.weight[fold.train].mean()
        validation = fold.validation
        return cls(
            Fold(
                fold.name,
                ensemble.rows(ensemble.trained, fold.train),
                ensemble.rows(ensemble.test, fold.test),
                None if validation is None else ensemble.rows(ensemble.validated, validation),
            ),
            ensemble.repeated(material.y[fold.train]),
            ensemble.repeated(member.groups[fold.train]),
            ensemble.repeated(weight) / len(ensemble.train),
            None if material.passages is None else ensemble.repeated(material.passages[fold.train]),
        )


def _fit(material: Material, member: Member) -> Fitted:
    head, x, part = material.head, material.x, _Part.of(material, member)
    if isinstance(head, PairwiseHead) and isinstance(x, StoredFeatures) and x.adds_up:
        return _fit_pairs(head, x, part, member)
    x = _read(x)
    if isinstance(head, NetworkHead):
        return _fit_network(head, x, material, part, member)
    vectors = _require_vectors(head, x)
    predictor = _fit_vectors(head, vectors, part, member)
    return Fitted(predictor.predict(vectors[part.fold.test]), getattr(predictor, "selected", {}))


def _read(x: Features) -> NDArray[np.float64] | Inputs:
    return x.read() if isinstance(x, StoredFeatures) else x


def _require_vectors(head: Head, x: NDArray[np.float64] | Inputs) -> NDArray[np.float64]:
    if not isinstance(x, np.ndarray):
        raise UsageError(
            f"A pooling or weights of layers are learned with the head, and the head {head.name!r} "
            "is not trained by gradient. Choose a network head such as mlp, or the pooling mean "
            "and another merge."
        )
    return x


def _fit_vectors(head: Head, x: NDArray[np.float64], part: _Part, member: Member) -> Predictor:
    with _naming(head, member, x):
        return head.fit(x[part.fold.train], part.y, part.groups, member.seed, part.weight)


def _fit_pairs(head: PairwiseHead, x: StoredFeatures, part: _Part, member: Member) -> Fitted:
    """Fit by how clips compare, added up over layers."""
    with _naming(head, member, x):
        pairs = x.pairs(head, part.fold)
        predictor = head.fit_pairs(pairs, part.y, part.groups, part.weight)
        return Fitted(predictor.predict_pairs(pairs.across), predictor.selected)


def _fit_network(
    head: NetworkHead,
    x: NDArray[np.float64] | Inputs,
    material: Material,
    part: _Part,
    member: Member,
) -> Fitted:
    """Fit by gradient, and keep the network where that is asked for."""
    fold = member.fold
    with _naming(head, member, x):
        network = _train(head, x, material, part, member)
        predicted = network.predict(x[part.fold.test])
    if material.models is not None:
        folder = material.models / member.protocol
        save_network(folder, fold.name, member.seed, head, network, x)
    return Fitted(predicted, network.selected, network.curve)


@contextmanager
def _naming(head: Head, member: Member, x: Features) -> Iterator[None]:
    """Name the model in what a plugin raises; the harness's own errors and the disk's pass."""
    try:
        yield
    except (PianobenchError, OSError):
        raise
    except Exception as error:
        raise _broken(head, member, x, error) from error


def _broken(head: Head, member: Member, x: Features, error: Exception) -> PluginError:
    suspects, of = [head.name], ""
    if isinstance(x, StoredFeatures):
        of = f"{len(x.layers)} layers"
    else:
        form = inputs_of(x).form()
        if "pooling" in form:
            suspects.append(form["pooling"]["name"])
            of = f"frames for the pooling {form['pooling']['name']!r}"
        else:
            of = f"{form['features']} features"
    checks = " and ".join(f"`bench check {name}`" for name in suspects)
    return PluginError(
        f"The head {head.name!r} failed to fit fold {member.fold.name!r} (seed {member.seed}) "
        f"of {len(member.fold.train)} clips and {of}: {type(error).__name__}: {error}. Run "
        f"{checks} to see which promise is broken."
    )


def _train(
    head: NetworkHead,
    x: NDArray[np.float64] | Inputs,
    material: Material,
    part: _Part,
    member: Member,
) -> TrainedNetwork:
    """Train a network on the training part of a fold."""
    seen = member.fold.test if material.peek else member.fold.validation
    rows = part.fold.test if material.peek else part.fold.validation
    try:
        return train_network(
            head,
            x[part.fold.train],
            part.y,
            part.groups,
            member.seed,
            part.weight,
            passages=part.passages,
            validation=None if seen is None or rows is None else (x[rows], material.y[seen]),
            renders=len(material.ensemble.train),
            validated=len(material.ensemble.validated),
        )
    except (TrainingError, SplitError) as error:
        of = f" of {member.protocol!r}" if member.protocol else ""
        where = f"In fold {member.fold.name!r}{of} with seed {member.seed}"
        raise type(error)(f"{where}: {error}") from error
