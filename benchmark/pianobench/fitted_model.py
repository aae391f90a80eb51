"""A head fitted on a whole corpus, and what it says of other clips.

What enters is a plan and a labelled corpus; what leaves predicts clips of any corpus, labelled or
not. Nothing is held out, so that nothing here says how good a model is: `pianobench.evaluate` does.
Penalties and epochs are chosen as in a fold, by an inner split that keeps passages whole. New clips
pass the encoder exactly as the training clips did: rendered by the same renderer where they are
MIDI, cropped and cut alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .components import AudioEncoder
from .encode import Encoded
from .errors import DataError, StatisticsError
from .fitting import Features, Material, Member, Model, fit_predictor
from .frame_encoding import EncodedFrames
from .parallel import run_all
from .plan import Plan
from .progress import track
from .render import render_clips
from .run import Workplace, encode, features_of, require_device
from .sequences import Sequences
from .split import inner_groups
from .stored_features import StoredFeatures
from .values import Corpus, Dimension, Fold, Split

__all__ = ["EncodedClips", "FittedModel", "encode_clips", "fit_model"]


@dataclass(frozen=True)
class EncodedClips:
    """The features of a corpus as a plan makes them, and how they came about.

    Attributes
    ----------
    features : StoredFeatures or Sequences
        In the order of the corpus.
    encoded : Encoded or EncodedFrames
    """

    features: StoredFeatures | Sequences
    encoded: Encoded | EncodedFrames


@dataclass(frozen=True)
class FittedModel:
    """A head fitted on all clips of a corpus, once per seed.

    Attributes
    ----------
    plan : Plan
        How clips become features; its protocols play no part.
    dimensions : tuple of Dimension
        What is predicted, in order.
    seeds : tuple of int
        One, for a head that does not depend on it.
    models : tuple of Predictor or TrainedNetwork
        One per seed.
    """

    plan: Plan
    dimensions: tuple[Dimension, ...]
    seeds: tuple[int, ...]
    models: tuple[Model, ...]

    def predict(self, features: Features) -> NDArray[np.float64]:
        """Predict clips by their features, averaged over seeds, shape (clips, dimensions).

        Raises
        ------
        StatisticsError
            If a prediction is not finite.
        """
        x = features.read() if isinstance(features, StoredFeatures) else features
        predicted = np.mean([_predict(model, x) for model in self.models], axis=0)
        if not np.isfinite(predicted).all():
            clip, dimension = np.argwhere(~np.isfinite(predicted))[0]
            raise StatisticsError(
                f"The head {self.plan.head.name!r} predicts {predicted[clip, dimension]} for clip "
                f"{clip} of {len(predicted)} in {self.dimensions[dimension].name!r}. `bench check "
                f"{self.plan.head.name}` tells whether it keeps its contract."
            )
        return np.asarray(predicted, dtype=np.float64)

    @property
    def selected(self) -> tuple[Mapping[str, Any], ...]:
        """What each model chose inside the corpus, by seed."""
        return tuple(
            {"seed": seed, **getattr(model, "selected", {})}
            for seed, model in zip(self.seeds, self.models, strict=True)
        )


def fit_model(
    plan: Plan, corpus: Corpus, features: Features, seeds: Sequence[int] | None = None
) -> FittedModel:
    """Fit a plan's head on all clips of a corpus.

    Parameters
    ----------
    plan : Plan
    corpus : Corpus
        With labels; it need not be the plan's dataset.
    features : Features
        Of its clips, as `encode_clips` makes them.
    seeds : sequence of int, optional
        Those of the plan when not given; a head that is not stochastic is fitted with the first.

    Raises
    ------
    DataError
        If nobody rated the corpus.
    PianobenchError
        Whatever fitting refuses; see `pianobench.fitting.fit_predictor`.
    """
    if not corpus.dimensions:
        raise DataError(
            f"Dataset {corpus.name!r} has no labels, so that nothing can be fitted to its "
            f"{len(corpus.clips)} clips. Fit a model on a dataset that has, and apply it to these."
        )
    wanted = tuple(plan.config.seeds if seeds is None else seeds)
    wanted = wanted if plan.head.stochastic else wanted[:1]
    material = Material.of(plan.head, features, corpus, weighting=plan.config.weighting)
    everything = np.arange(len(corpus.clips))
    fold = Fold("of the whole corpus", everything, everything[:0])
    groups = inner_groups(corpus, Split("", (), (fold,), ""))
    models: list[Model] = []
    # One after the other: a network does not travel between processes.
    outcomes = run_all(
        lambda seed: fit_predictor(material, Member(0, fold, groups, seed)), wanted, jobs=1
    )
    for _, outcome in track(outcomes, len(wanted), "fit", "model"):
        if isinstance(outcome, Exception):
            raise outcome
        models.append(outcome)
    return FittedModel(plan, corpus.dimensions, wanted, tuple(models))


def encode_clips(plan: Plan, corpus: Corpus, workplace: Workplace) -> EncodedClips:
    """Render and encode the clips of a corpus as a plan does those of its own dataset.

    Recordings are read as they are, also where the plan has a renderer.

    Raises
    ------
    PianobenchError
        Whatever rendering and encoding refuse; clips that fail do so together, when the others
        are encoded and stored.
    """
    require_device(plan.encoder, workplace.device)
    waveforms = None
    if isinstance(plan.encoder, AudioEncoder) and plan.renderer is not None:
        waveforms = render_clips(
            plan.renderer,
            corpus.clips,
            plan.encoder.sample_rate,
            workplace.cache / "renders",
            workplace.jobs,
        )
    encoded = encode(plan, corpus, waveforms, workplace)
    return EncodedClips(features_of(plan, encoded), encoded)


def _predict(model: Model, x: Any) -> NDArray[np.float64]:
    return np.asarray(model.predict(x), dtype=np.float64)
