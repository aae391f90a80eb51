"""From predictions to numbers: the one function that runs, and later checks, every score."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from . import metrics, statistics
from .errors import StatisticsError
from .predictions import Predictions
from .split import PROTOCOLS
from .values import Corpus

__all__ = ["IntervalRecord", "Scores", "score"]

_RESAMPLES = 10_000
_RESAMPLING_SEED = 0


class IntervalRecord(BaseModel):
    """A 95% interval of the mean R2.

    `scope` says what is new in the question it answers: ``C`` new passages, ``G`` new passages
    and performers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scope: str
    method: str
    low: float
    high: float
    standard_error: float | None = None
    df: int | None = None


class Scores(BaseModel):
    """Everything computed from one predictions file.

    Seeds are averaged first; `r2_per_seed` shows their spread.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clips: int
    metrics: dict[str, float]
    """Uniform mean over dimensions, by metric."""
    dimensions: dict[str, dict[str, float]]
    """Metric, then dimension."""
    folds: dict[str, float]
    """R2 within each fold; empty where a fold is too small to have one."""
    r2_per_seed: dict[str, float]
    intervals: list[IntervalRecord]
    limits: list[str]
    """What could not be computed, and why."""


def score(corpus: Corpus, predictions: Predictions, protocol: str) -> Scores:
    """Score predictions against the corpus.

    Parameters
    ----------
    corpus : Corpus
    predictions : Predictions
    protocol : str
        Says whether the units are enough to support an interval.

    Raises
    ------
    StatisticsError
        If a metric is not defined: a dimension whose targets do not vary, a non-finite value.
    """
    clips = predictions.clips
    targets = corpus.targets[clips]
    passages = corpus.group("passage")[clips]
    names = [dimension.name for dimension in corpus.dimensions]
    found = metrics.evaluate(
        targets, predictions.mean, passages, predictions.folds, corpus.human[clips]
    )
    per_dimension = {
        metric: dict(zip(names, values.tolist(), strict=True))
        for metric, values in vars(found).items()
        if values is not None and metric != "r2_per_fold"
    }
    folds = np.unique(predictions.folds).tolist()
    per_fold = [] if found.r2_per_fold is None else found.r2_per_fold.tolist()
    limits = [
        f"{metric} is not defined on these clips"
        for metric, values in vars(found).items()
        if values is None
    ]
    intervals: list[IntervalRecord] = []
    if not PROTOCOLS[protocol].interval:
        limits.append(f"the {protocol} protocol has too few independent units for an interval")
    else:
        try:
            intervals = _intervals(targets, predictions, passages)
        except StatisticsError as error:
            limits.append(f"no interval: {error}")
    return Scores(
        clips=len(clips),
        metrics=found.summary(),
        dimensions=per_dimension,
        folds=dict(zip(folds, per_fold, strict=True)) if per_fold else {},
        r2_per_seed={
            str(seed): float(metrics.pooled_r2(targets, values).mean())
            for seed, values in zip(predictions.seeds, predictions.values, strict=True)
        },
        intervals=intervals,
        limits=limits,
    )


def _intervals(
    targets: metrics.FloatArray, predictions: Predictions, passages: metrics.LabelArray
) -> list[IntervalRecord]:
    mean = predictions.mean[None]
    jackknife = statistics.jackknife_t(targets, mean, passages)
    bootstrap = statistics.bootstrap_interval(
        targets, mean, passages, seed=_RESAMPLING_SEED, resamples=_RESAMPLES
    )
    records = [
        IntervalRecord(
            scope="C",
            method="jackknife-t",
            low=float(jackknife.low[0]),
            high=float(jackknife.high[0]),
            standard_error=float(jackknife.standard_error[0]),
            df=jackknife.df,
        )
    ]
    for method, bounds in (("percentile", bootstrap.percentile), ("bca", bootstrap.bca)):
        records.append(
            IntervalRecord(
                scope="C", method=method, low=float(bounds.low[0]), high=float(bounds.high[0])
            )
        )
    return records
