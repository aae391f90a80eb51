"""From predictions to numbers: the one function that runs, and later checks, every score."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from . import metrics, statistics
from .errors import SplitError, StatisticsError
from .predictions import Predictions
from .split import PROTOCOLS
from .values import Corpus

__all__ = ["IntervalRecord", "Scores", "claimed_r2", "score"]

_RESAMPLES = 10_000
_RESAMPLING_SEED = 0


class IntervalRecord(BaseModel):
    """A 95% interval of the mean R2.

    `scope` says what is new in the question it answers: ``C`` new passages, ``G`` new passages
    and performers. The jackknife-t intervals include the noise of the seeds; the resampled ones,
    shown beside them, do not.
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
        limits.append(f"no interval: the units of {protocol!r} are too few, or share music")
    else:
        for scope in (_passage_intervals, _resampled_intervals, _performer_intervals):
            try:
                intervals += scope(corpus, predictions)
            except (SplitError, StatisticsError) as error:
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


def claimed_r2(corpus: Corpus, predictions: Predictions) -> float:
    """Mean R2 of predictions that are not scored further, see `OptimismRecord`."""
    return float(metrics.pooled_r2(corpus.targets[predictions.clips], predictions.mean).mean())


def _passage_intervals(corpus: Corpus, predictions: Predictions) -> list[IntervalRecord]:
    """Answer for new passages by these performers (scope C)."""
    clips = predictions.clips
    targets, mean = corpus.targets[clips], predictions.mean[None]
    passages = corpus.group("passage")[clips]
    jackknife = statistics.jackknife_t(targets, mean, passages)
    return [_t_record("C", "jackknife-t", _with_seeds(jackknife, targets, predictions))]


def _resampled_intervals(corpus: Corpus, predictions: Predictions) -> list[IntervalRecord]:
    """Show beside it what the bootstraps say, where a resample is defined (scope C)."""
    clips = predictions.clips
    bootstrap = statistics.bootstrap_interval(
        corpus.targets[clips],
        predictions.mean[None],
        corpus.group("passage")[clips],
        seed=_RESAMPLING_SEED,
        resamples=_RESAMPLES,
    )
    return [
        _bootstrap_record("percentile", bootstrap.percentile),
        _bootstrap_record("bca", bootstrap.bca),
    ]


def _performer_intervals(corpus: Corpus, predictions: Predictions) -> list[IntervalRecord]:
    """Answer for new passages by new performers (scope G)."""
    clips = predictions.clips
    targets, mean = corpus.targets[clips], predictions.mean[None]
    jackknife = statistics.two_way_jackknife_t(
        targets,
        mean,
        corpus.group("passage")[clips],
        corpus.group("performer")[clips],
        fixed=~corpus.human[clips],
    )
    return [_t_record("G", "two-way jackknife-t", _with_seeds(jackknife, targets, predictions))]


def _with_seeds(
    interval: statistics.Interval, targets: metrics.FloatArray, predictions: Predictions
) -> statistics.Interval:
    seeds = len(predictions.seeds)
    if seeds == 1:
        return interval
    variance = statistics.seed_variance(targets, predictions.values)
    return statistics.with_seed_variance(interval, variance, seeds)


def _t_record(scope: str, method: str, interval: statistics.Interval) -> IntervalRecord:
    return IntervalRecord(
        scope=scope,
        method=method,
        low=float(interval.low[0]),
        high=float(interval.high[0]),
        standard_error=float(interval.standard_error[0]),
        df=interval.df,
    )


def _bootstrap_record(method: str, bounds: statistics.Bounds) -> IntervalRecord:
    return IntervalRecord(
        scope="C", method=method, low=float(bounds.low[0]), high=float(bounds.high[0])
    )
