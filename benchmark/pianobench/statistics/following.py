"""What share of the differences within groups predictions repeat, the labels' noise set aside.

The slope of predictions on labels within groups is ``cov(p, y) / var(y)``. Noise of the labels
leaves the covariance alone and inflates the variance. The variance without it is had from raters:
they are divided at random into two halves, the same for all clips, and labels are made of each
half. What the two deviate from their group's mean has only the truth in common, so that the mean
product is the true variance within groups. Raters are divided once for all clips of a split, since
a rater who is always low, or of one performer, would else agree with himself across the halves.
(Subtracting noise as the reliability over *all* clips has it would take off too much: what a rater
is off by for a whole excerpt does not differ within it.)

What enters: labels, predictions and groups [clip], and raw ratings. What leaves: an estimate and a
jackknife-t interval per dimension.

References
----------
Fuller (1987), Measurement Error Models. Wiley, chapter 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray
from .components_of_variance import centred, jackknife_error, validate_groups
from .jackknife import Interval, t_interval
from .sums import group_sums

__all__ = ["TrueDeviations", "true_deviations", "within_slope"]


class TrueDeviations(NamedTuple):
    """What clips truly deviate from the mean of their group, squared.

    Attributes
    ----------
    products : np.ndarray [shape=(clip, dimension)]
        Of the deviations of both halves' labels, averaged over splits.
    freedom : np.ndarray [shape=(clip,)]
        Share of the degrees of freedom: 1 - 1/n in a group of n.
    """

    products: FloatArray
    freedom: FloatArray

    @property
    def variance(self) -> FloatArray:
        """True variance within groups [dimension]; negative by chance where it is small."""
        variance: FloatArray = self.products.sum(axis=0) / self.freedom.sum()
        return variance


def true_deviations(
    rater: LabelArray,
    clip: NDArray[np.int64],
    values: FloatArray,
    groups: LabelArray,
    seed: int,
    splits: int = 100,
) -> TrueDeviations:
    """Multiply deviations of labels that disjoint halves of the raters give.

    Parameters
    ----------
    rater : np.ndarray [shape=(rating,)]
    clip : np.ndarray of int [shape=(rating,)]
        Index into `groups`.
    values : np.ndarray [shape=(rating, dimension)]
        NaN where missing. A clip that a half has not rated in full is left out of that split.
    groups : np.ndarray [shape=(clip,)], int or str
    seed : int
    splits : int > 0

    Raises
    ------
    StatisticsError
        When no group has two clips that both halves rated.
    """
    _, who = np.unique(rater, return_inverse=True)
    rng = np.random.default_rng(seed)
    products = np.zeros((len(groups), values.shape[1]))
    freedom = np.zeros(len(groups))
    for _ in range(splits):
        half = rng.permutation(who.max() + 1) % 2
        labels = [_labels(clip, values, half[who] == side, len(groups)) for side in (0, 1)]
        rated = np.flatnonzero(~np.isnan(labels[0] + labels[1]).any(axis=1))
        if not len(rated):
            continue
        one, other = (centred(of[rated], groups[rated]) for of in labels)
        products[rated] += one * other
        freedom[rated] += _freedom(groups[rated])
    if not freedom.sum() > 0:
        raise StatisticsError(
            f"no group of {len(groups)} clips has two that two halves of the raters both rated, so "
            "that their noise cannot be told from what differs. Do without."
        )
    return TrueDeviations(products / splits, freedom / splits)


def within_slope(
    targets: FloatArray,
    predictions: FloatArray,
    groups: LabelArray,
    true: TrueDeviations | None = None,
    units: LabelArray | None = None,
    level: float = 0.95,
) -> Interval:
    """Estimate the slope of predictions on true labels within groups.

    It is 1 where a prediction follows all that differs within groups, and 0 where it is blind.

    Parameters
    ----------
    targets, predictions : np.ndarray [shape=(clip, dimension)]
    groups : np.ndarray [shape=(clip,)], int or str
    true : TrueDeviations, optional
        Of the same clips; without it the targets are taken to be free of noise.
    units : np.ndarray [shape=(clip,)], int or str, optional
        What is independent, and left out whole; each holds whole groups. The groups by default.
    level : float in (0, 1)

    Returns
    -------
    Interval
        NaN in dimensions whose targets differ within groups by no more than noise.

    Raises
    ------
    StatisticsError
        When arrays disagree, a value is not finite, or there are fewer than 5 units.
    """
    if targets.shape != predictions.shape:
        raise StatisticsError(
            f"predictions have shape {predictions.shape}, targets {targets.shape}. Give one "
            "prediction per target."
        )
    validate_groups(targets, groups)
    validate_groups(predictions, groups)
    y, p = centred(targets, groups), centred(predictions, groups)
    own = TrueDeviations(y * y, _freedom(groups))
    columns = np.column_stack([own.freedom, y * p, *reversed(true or own)])
    per_unit = group_sums(columns, groups if units is None else units, "unit").columns
    total = per_unit.sum(axis=0)
    error = jackknife_error(_slope(total - per_unit, targets.shape[1]))
    return t_interval(_slope(total, targets.shape[1]), error, len(per_unit) - 1, level)


def _labels(
    clip: NDArray[np.int64], values: FloatArray, chosen: NDArray[np.bool_], clips: int
) -> FloatArray:
    """Average some ratings by clip; NaN where there is none."""
    given = ~np.isnan(values[chosen])
    total, ratings = np.zeros((2, clips, values.shape[1]))
    np.add.at(total, clip[chosen], np.where(given, values[chosen], 0.0))
    np.add.at(ratings, clip[chosen], given)
    return np.divide(total, ratings, out=np.full_like(total, np.nan), where=ratings > 0)


def _freedom(groups: LabelArray) -> FloatArray:
    _, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    freedom: FloatArray = 1 - 1 / sizes[index]
    return freedom


def _slope(sums: FloatArray, dimensions: int) -> FloatArray:
    """Slope from sums [..., freedom | y p | true freedom | true squares]."""
    covariance = sums[..., 1 : 1 + dimensions] / sums[..., :1]
    variance = sums[..., 2 + dimensions :] / sums[..., 1 + dimensions : 2 + dimensions]
    slope: FloatArray = covariance / np.where(variance > 0, variance, np.nan)
    return slope
