"""Passage bootstrap of R2: whole passages are drawn with replacement, alike for all models.

What enters: targets [clip, dimension], predictions [model, clip, dimension], passages [clip] and a
seed. What leaves: the distribution of each model's mean R2 [resample, model], and percentile and
BCa intervals from it. Because all models share the resamples, the distribution of a difference is a
difference of columns, and ranks are consistent with it.

How it is fast: a resample is a row of counts, so one matrix product of counts [resample, passage]
by sums [passage, column] gives every sum of every resample. The dtype of the counts is the
precision of the product; float32 is exact to 1.4e-7 here because targets are centred.

Passages are not stratified by work: with few works that loses coverage (0.89-0.93).

References
----------
Efron (1987), Journal of the American Statistical Association 82, 171-185.
doi:10.1080/01621459.1987.10478410
Davison and Hinkley (1997), Bootstrap Methods and their Application, section 3.8.
doi:10.1017/CBO9780511802843
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.special import ndtr, ndtri

from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray
from .jackknife import passage_jackknife
from .sums import check_level, clip_columns, group_sums, r2_of_columns

__all__ = [
    "BootstrapIntervals",
    "Bounds",
    "bca_interval",
    "bootstrap_interval",
    "bootstrap_r2",
    "counts_of",
    "percentile_interval",
    "resample_indices",
]

# Sums in one chunk: 1,000 rows of 100 models are 8 MB and stay in cache; one model takes one chunk.
CHUNK = 2_000_000


class Bounds(NamedTuple):
    """Lower and upper ends, arrays [model]."""

    low: FloatArray
    high: FloatArray


class BootstrapIntervals(NamedTuple):
    """Both bootstrap intervals of each model's mean R2.

    Attributes
    ----------
    estimate : np.ndarray [shape=(model,)]
    percentile, bca : Bounds
    distribution : np.ndarray of float32 [shape=(resample, model)]
    """

    estimate: FloatArray
    percentile: Bounds
    bca: Bounds
    distribution: NDArray[Any]


def bootstrap_interval(
    targets: FloatArray,
    predictions: FloatArray,
    passages: LabelArray,
    seed: int,
    resamples: int = 10_000,
    level: float = 0.95,
) -> BootstrapIntervals:
    """Percentile and BCa intervals of the mean R2 of each model (scope C).

    They are shown beside the jackknife-t interval, with the coverage measured for them.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(model, clip, dimension)]
    passages : np.ndarray [shape=(clip,)], int or str
    seed : int
    resamples : int > 0
    level : float in (0, 1)

    Returns
    -------
    BootstrapIntervals

    Raises
    ------
    StatisticsError
        See `pianobench.statistics.passage_jackknife`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=(60, 2))
    >>> p = y[None] + rng.normal(size=(1, 60, 2)) / 2
    >>> found = bootstrap_interval(y, p, np.arange(60) // 6, seed=1, resamples=500)
    >>> bool(found.bca.low[0] < found.estimate[0] < found.bca.high[0])
    True
    """
    left_out = passage_jackknife(targets, predictions, passages)
    indices = resample_indices(len(left_out.passage), resamples, seed)
    counts = counts_of(indices, len(left_out.passage))
    distribution = bootstrap_r2(targets, predictions, passages, counts)
    estimate = left_out.estimate.mean(axis=-1)
    bca = bca_interval(distribution, estimate, left_out.passage.mean(axis=-1), level)
    return BootstrapIntervals(estimate, percentile_interval(distribution, level), bca, distribution)


def resample_indices(groups: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """Draw groups with replacement.

    Returns
    -------
    np.ndarray of int [shape=(resample, groups)]
        Positions of the drawn groups in sorted order of their names.

    Raises
    ------
    StatisticsError
        When `resamples` is not positive.
    """
    if resamples < 1:
        raise StatisticsError(f"number of resamples is {resamples}; draw at least one, say 10,000.")
    return np.random.default_rng(seed).integers(0, groups, size=(resamples, groups))


def counts_of(
    indices: NDArray[np.int64], groups: int, dtype: DTypeLike = np.float32
) -> NDArray[Any]:
    """Count how often each resample holds each group.

    Parameters
    ----------
    indices : np.ndarray of int [shape=(resample, draw)]
    groups : int > 0
    dtype : float32 or float64
        The precision of every product with these counts.

    Returns
    -------
    np.ndarray [shape=(resample, groups)]
    """
    rows = len(indices)
    flat = (indices + groups * np.arange(rows)[:, None]).ravel()
    return np.bincount(flat, minlength=rows * groups).reshape(rows, groups).astype(dtype)


def bootstrap_r2(
    targets: FloatArray, predictions: FloatArray, passages: LabelArray, counts: NDArray[Any]
) -> NDArray[Any]:
    """Mean R2 of every model in every resample.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(model, clip, dimension)]
    passages : np.ndarray [shape=(clip,)], int or str
    counts : np.ndarray of float32 or float64 [shape=(resample, passage)]
        See `counts_of`; columns in sorted order of the passage names.

    Returns
    -------
    np.ndarray [shape=(resample, model)], of the dtype of `counts`

    Raises
    ------
    StatisticsError
        When arrays disagree or hold NaN, when there are fewer than 5 passages, or when a resample
        has a dimension of constant targets.
    """
    sums = group_sums(clip_columns(targets, predictions), passages, "passage").columns
    if counts.shape[1] != len(sums):
        raise StatisticsError(
            f"counts have {counts.shape[1]} columns, but there are {len(sums)} passages. Draw them "
            "for the passages of these clips."
        )
    right = sums.astype(counts.dtype)
    distribution = np.empty((len(counts), len(predictions)), dtype=counts.dtype)
    step = max(1, CHUNK // right.shape[1])
    for start in range(0, len(counts), step):
        rows = slice(start, start + step)
        distribution[rows] = r2_of_columns(counts[rows] @ right, targets.shape[1]).mean(axis=1)
    return distribution


def percentile_interval(distribution: NDArray[Any], level: float = 0.95) -> Bounds:
    """Percentile interval.

    Parameters
    ----------
    distribution : np.ndarray [shape=(resample, model)]
    level : float in (0, 1)

    Returns
    -------
    Bounds

    Raises
    ------
    StatisticsError
        When `level` is outside (0, 1).
    """
    check_level(level)
    low, high = np.quantile(distribution, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Bounds(low.astype(np.float64), high.astype(np.float64))


def bca_interval(
    distribution: NDArray[Any], estimate: FloatArray, left_out: FloatArray, level: float = 0.95
) -> Bounds:
    """Bias-corrected and accelerated interval.

    Resamples equal to the estimate count half towards the bias correction; the acceleration comes
    from the passages left out. A model whose resamples are all equal gets an interval of no width.

    Parameters
    ----------
    distribution : np.ndarray [shape=(resample, model)]
    estimate : np.ndarray [shape=(model,)]
    left_out : np.ndarray [shape=(passage, model)]
        The estimate without each passage.
    level : float in (0, 1)

    Returns
    -------
    Bounds

    Raises
    ------
    StatisticsError
        When all resamples of a model lie on one side of its estimate, or `level` is outside (0, 1).
    """
    check_level(level)
    point = estimate.astype(distribution.dtype)
    below = ((distribution < point).mean(axis=0) + (distribution <= point).mean(axis=0)) / 2
    outside = np.flatnonzero((below == 0) | (below == 1)).tolist()
    if outside:
        raise StatisticsError(
            f"all {len(distribution)} resamples of model {outside} lie on one side of its "
            "estimate, so BCa is not defined. Draw more resamples."
        )
    influence = left_out.mean(axis=0) - left_out
    cubes, squares = (influence**3).sum(axis=0), (influence**2).sum(axis=0)
    acceleration = cubes / (6 * np.where(squares > 0, squares, 1.0) ** 1.5)
    bias = ndtri(below)
    ends = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        reach = bias + ndtri(tail)
        share = ndtr(bias + reach / (1 - acceleration * reach))
        columns = (np.quantile(column, q) for column, q in zip(distribution.T, share, strict=True))
        ends.append(np.fromiter(columns, dtype=np.float64, count=len(share)))
    return Bounds(*ends)
