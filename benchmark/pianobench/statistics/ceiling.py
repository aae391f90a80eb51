"""The noise ceiling: how reliable are the labels, from the raw ratings.

A label is the mean of ratings, so it is noisy, and no model can be expected to explain more of its
variance than the share that another set of raters would reproduce. Against noisy labels the ceiling
of R2 is the reliability itself, not its square root.

Split half: the *raters* of each clip are divided at random into two halves (not the ratings: who
rated a clip twice would agree with himself across the halves), the half means are correlated over
clips, and Spearman-Brown steps the correlation up to the full number of raters. The result is
averaged over many splits. Intraclass correlations, from a one-way analysis of variance with raters
nested in clips, are the cross-check.

What enters: ratings as `pianobench.statistics.ratings` takes them. What leaves: jackknife-t
intervals over passages, per dimension and for their mean.

References
----------
Spearman (1910), British Journal of Psychology 3, 271-295. doi:10.1111/j.2044-8295.1910.tb00206.x
Shrout and Fleiss (1979), Psychological Bulletin 86, 420-428. doi:10.1037/0033-2909.86.2.420
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray
from .ratings import Panel, Reliability, panel_of, refuse_constant, reliability, whole_and_parts

__all__ = ["IntraclassCorrelation", "intraclass_correlation", "split_half"]


class IntraclassCorrelation(NamedTuple):
    """One-way intraclass correlations: of a single rater, and of the mean of a clip's raters."""

    single: Reliability
    average: Reliability


def split_half(
    rater: LabelArray,
    clip: NDArray[np.int64],
    values: FloatArray,
    passages: LabelArray,
    seed: int,
    splits: int = 200,
    level: float = 0.95,
) -> Reliability:
    """Split-half reliability with disjoint raters, stepped up by Spearman-Brown.

    ``rho = 2 r / (1 + r)``, r the correlation of the two half means over clips. Half means are
    means of ratings, as labels are.

    Parameters
    ----------
    rater : np.ndarray [shape=(rating,)]
    clip : np.ndarray of int [shape=(rating,)]
        Index into `passages`.
    values : np.ndarray [shape=(rating, dimension)]
        NaN where missing. A clip without raters in both halves is left out of that split.
    passages : np.ndarray [shape=(clip,)], int or str
    seed : int
    splits : int > 0
    level : float in (0, 1)

    Returns
    -------
    Reliability

    Raises
    ------
    StatisticsError
        When lengths disagree, a dimension has no variation, or there are fewer than 5 passages.
    """
    panel = panel_of(rater, clip, values, passages)
    if splits < 1:
        raise StatisticsError(f"number of splits is {splits}; draw at least one, say 200.")
    rng = np.random.default_rng(seed)
    halves = (_half_moments(panel, rng) for _ in range(splits))
    found = [whole_and_parts(moments, panel.passages, _stepped_up) for moments in halves]
    whole = np.mean([whole for whole, _ in found], axis=0)
    return reliability(whole, np.mean([parts for _, parts in found], axis=0), level)


def intraclass_correlation(
    rater: LabelArray,
    clip: NDArray[np.int64],
    values: FloatArray,
    passages: LabelArray,
    level: float = 0.95,
) -> IntraclassCorrelation:
    """One-way random-effects intraclass correlations, ICC(1) and ICC(1, k).

    With mean squares between clips B and within clips W, and k the effective number of raters,
    ``ICC(1) = (B - W) / (B + (k - 1) W)`` and ``ICC(1, k) = (B - W) / B``. A rater's repeated
    ratings of a clip are averaged first.

    Parameters
    ----------
    rater, clip, values, passages, level
        See `split_half`.

    Returns
    -------
    IntraclassCorrelation

    Raises
    ------
    StatisticsError
        As `split_half`.
    """
    panel = panel_of(rater, clip, values, passages)
    rated = (panel.ratings > 0).astype(np.float64)
    value = panel.total / np.maximum(panel.ratings, 1.0)
    raters = np.add.reduceat(rated, panel.starts, axis=0)
    total = np.add.reduceat(value, panel.starts, axis=0)
    squares = np.add.reduceat(value**2, panel.starts, axis=0)
    between = total**2 / np.maximum(raters, 1.0)
    moments = np.stack([raters > 0, raters, raters**2, total, squares, between], axis=1)
    return IntraclassCorrelation(
        *(
            reliability(*whole_and_parts(moments, panel.passages, statistic), level)
            for statistic in (_single_rater, _average_rater)
        )
    )


def _half_moments(panel: Panel, rng: np.random.Generator) -> FloatArray:
    """Moments [clip, 6, dimension] of the two half means of each clip under one random split."""
    shuffled = np.lexsort((rng.random(len(panel.clip)), panel.clip))
    place = np.empty_like(shuffled)
    place[shuffled] = np.arange(len(shuffled)) - panel.starts[panel.clip]
    # A random offset, so that the larger part of an odd panel is not always the same half.
    second = ((place + rng.integers(0, 2, len(panel.starts))[panel.clip]) % 2)[:, None]
    total = [np.add.reduceat(panel.total * h, panel.starts, axis=0) for h in (second, 1 - second)]
    count = [np.add.reduceat(panel.ratings * h, panel.starts, axis=0) for h in (second, 1 - second)]
    both = (count[0] > 0) & (count[1] > 0)
    a, b = (both * t / np.maximum(c, 1.0) for t, c in zip(total, count, strict=True))
    return np.stack([both, a, b, a**2, b**2, a * b], axis=1)


def _stepped_up(moments: FloatArray) -> FloatArray:
    """Spearman-Brown reliability [...] from summed half moments [..., 6, dimension]."""
    n, a, b, aa, bb, ab = np.moveaxis(moments, -2, 0)
    spread = (n * aa - a**2) * (n * bb - b**2)
    refuse_constant(spread)
    correlation = (n * ab - a * b) / np.sqrt(spread)
    stepped: FloatArray = 2 * correlation / (1 + correlation)
    return stepped


def _single_rater(moments: FloatArray) -> FloatArray:
    between, within, raters = _mean_squares(moments)
    return (between - within) / (between + (raters - 1) * within)


def _average_rater(moments: FloatArray) -> FloatArray:
    between, within, _ = _mean_squares(moments)
    return (between - within) / between


def _mean_squares(moments: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean squares between and within clips and the effective number of raters, each [...]."""
    clips, ratings, rater_squares, total, squares, clip_squares = np.moveaxis(moments, -2, 0)
    spread = clip_squares - total**2 / ratings
    refuse_constant(np.minimum(spread, np.minimum(clips - 1, ratings - clips)))
    between = spread / (clips - 1)
    within = (squares - clip_squares) / (ratings - clips)
    return between, within, (ratings - rater_squares / ratings) / (clips - 1)
