"""Data that the tests of intervals and tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pianobench import Notes, Ratings, read_notes


@dataclass(frozen=True)
class Sample:
    """Targets [clip, dimension], predictions [model, clip, dimension] and groups [clip]."""

    targets: np.ndarray
    predictions: np.ndarray
    passages: np.ndarray
    performers: np.ndarray
    fixed: np.ndarray
    ratings: Ratings | None = None


def drawn_sample(sizes: list[int], dimensions: int, models: int, seed: int) -> Sample:
    """Draw a crossed design with unequal passages; one performer in eight is a machine."""
    rng = np.random.default_rng(seed)
    passages = np.repeat(np.arange(len(sizes)), sizes)
    clips = len(passages)
    performers = rng.integers(0, 8 + len(sizes) // 3, clips)
    shape = (clips, dimensions)
    targets = 0.5 + 0.1 * (
        rng.normal(size=shape)
        + rng.normal(size=(len(sizes), dimensions))[passages]
        + 0.5 * rng.normal(size=(performers.max() + 1, dimensions))[performers]
    )
    errors = rng.normal(size=(models, *shape))
    errors += rng.normal(size=(models, len(sizes), dimensions))[:, passages]
    scale = np.linspace(0.04, 0.08, models)[:, None, None]
    order = rng.permutation(clips)
    return Sample(
        targets=targets[order],
        predictions=(targets + scale * errors)[:, order],
        passages=passages[order],
        performers=performers[order],
        fixed=performers[order] == 0,
    )


@pytest.fixture(scope="session")
def make_sample() -> Callable[..., Sample]:
    """Give the function that draws a design from sizes of passages, dimensions, models and seed."""
    return drawn_sample


@pytest.fixture(scope="session")
def small() -> Sample:
    """12 passages, 120 clips, 3 dimensions, 4 models."""
    return drawn_sample([30, 15, 12, 10, 10, 10, 8, 7, 6, 5, 4, 3], dimensions=3, models=4, seed=1)


@pytest.fixture(scope="session")
def large() -> Sample:
    """42 passages, 1,202 clips and 19 dimensions, as PercePiano has, and 3 models."""
    sizes = [156, 91, 91, 91, 68, 68, 68, 52, 45, 39, 39, 39] + 17 * [14] + 13 * [9]
    return drawn_sample(sizes, dimensions=19, models=3, seed=2)


@pytest.fixture(scope="session")
def percepiano() -> Sample:
    """PercePiano with out-of-fold predictions of ridge and of trees on a few note statistics."""
    plugin = pytest.importorskip("pianobench_percepiano")
    corpus = plugin.PercePiano().load(Path(os.environ["PIANOBENCH_DATA"]) / "percepiano")
    passages = corpus.group("passage")
    features = np.array([describe(read_notes(clip.midi)) for clip in corpus.clips])
    models = (
        make_pipeline(StandardScaler(), Ridge(30.0)),
        ExtraTreesRegressor(60, min_samples_leaf=5, max_features=0.5, random_state=0),
    )
    predictions = np.zeros((len(models), *corpus.targets.shape))
    for train, test in GroupKFold(4).split(features, groups=passages):
        for prediction, model in zip(predictions, models, strict=True):
            fitted = model.fit(features[train], corpus.targets[train])
            prediction[test] = fitted.predict(features[test])
    return Sample(
        targets=corpus.targets,
        predictions=predictions,
        passages=passages,
        performers=corpus.group("performer"),
        fixed=~corpus.human,
        ratings=corpus.ratings,
    )


def describe(notes: Notes) -> np.ndarray:
    """Loudness, pace, register, articulation and pedal in about thirty numbers."""
    length = notes.onset[-1] - notes.onset[0] + 0.001
    quantiles = [0.05, 0.25, 0.5, 0.75, 0.95]
    pedal = notes.control(64)[1]
    gaps = np.diff(np.unique(notes.onset.round(2)))
    columns = (
        notes.velocity,
        notes.pitch,
        np.log(notes.offset - notes.onset + 0.001),
        np.log(gaps + 0.001),
        pedal if len(pedal) else np.zeros(1),
    )
    spread = [x for c in columns for x in (c.mean(), c.std(), *np.quantile(c, quantiles))]
    return np.array([len(notes) / length, np.log(length), len(pedal) / length, *spread])
