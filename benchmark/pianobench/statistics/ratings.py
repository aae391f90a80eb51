"""Raw ratings in the form that reliability is computed from.

What enters: for every rating its rater, its clip and its values [rating, dimension], NaN where a
dimension was not rated; the passage of every clip. What leaves: a `Panel` with one row for each
rater and clip, and, for statistics that follow from sums over clips, jackknife-t intervals over
passages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray
from .jackknife import Interval, t_interval
from .sums import group_sums

__all__ = ["Panel", "Reliability", "panel_of", "refuse_constant", "reliability", "whole_and_parts"]


class Reliability(NamedTuple):
    """Reliability of the labels.

    Attributes
    ----------
    per_dimension : Interval
        Arrays [dimension].
    mean : Interval
        Arrays of shape (), the uniform mean over dimensions.
    """

    per_dimension: Interval
    mean: Interval


class Panel(NamedTuple):
    """Ratings sorted by clip, with the repeats of one rater and clip added up.

    Attributes
    ----------
    starts : np.ndarray of int [shape=(clip,)]
        First row of each clip that was rated.
    clip : np.ndarray of int [shape=(row,)]
        Consecutive numbers from 0.
    total, ratings : np.ndarray [shape=(row, dimension)]
        Sum of the centred ratings given, and their number.
    passages : np.ndarray [shape=(clip,)]
        Of the clips that were rated.
    """

    starts: NDArray[np.int64]
    clip: NDArray[np.int64]
    total: FloatArray
    ratings: FloatArray
    passages: LabelArray


def panel_of(
    rater: LabelArray, clip: NDArray[np.int64], values: FloatArray, passages: LabelArray
) -> Panel:
    """Collect ratings by clip and rater.

    Parameters
    ----------
    rater : np.ndarray [shape=(rating,)]
    clip : np.ndarray of int [shape=(rating,)]
        Index into `passages`.
    values : np.ndarray [shape=(rating, dimension)]
    passages : np.ndarray [shape=(clip,)], int or str

    Returns
    -------
    Panel

    Raises
    ------
    StatisticsError
        When lengths disagree, a clip has no passage, or nobody rated a dimension.
    """
    if values.ndim != 2 or not len(rater) == len(clip) == len(values):
        raise StatisticsError(
            f"{len(rater)} raters and {len(clip)} clips for values of shape {values.shape}. Give a "
            "rater and a clip for each row [rating, dimension]."
        )
    given = ~np.isnan(values)
    if not given.any(axis=0).all():
        raise StatisticsError(
            f"nobody rated dimension {np.flatnonzero(~given.any(axis=0)).tolist()} in "
            f"{len(values)} ratings. Leave the dimension out."
        )
    if clip.min() < 0 or clip.max() >= len(passages):
        raise StatisticsError(
            f"ratings are of clips {clip.min()} to {clip.max()}, but there are passages for "
            f"{len(passages)} clips. Number the clips from 0 in the order of the passages."
        )
    names, who = np.unique(rater, return_inverse=True)
    pairs, row = np.unique(clip * len(names) + who, return_inverse=True)
    total, ratings = np.zeros((2, len(pairs), values.shape[1]))
    np.add.at(total, row, np.nan_to_num(values - np.nanmean(values, axis=0)))
    np.add.at(ratings, row, given)
    rated, starts, number = np.unique(pairs // len(names), return_index=True, return_inverse=True)
    return Panel(starts, number, total, ratings, passages[rated])


def whole_and_parts(
    moments: FloatArray, passages: LabelArray, statistic: Callable[[FloatArray], FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Compute a statistic of summed moments, from all clips and without each passage.

    Parameters
    ----------
    moments : np.ndarray [shape=(clip, moment, dimension)]
    passages : np.ndarray [shape=(clip,)]
    statistic : callable, [..., moment, dimension] -> [..., dimension]

    Returns
    -------
    whole : np.ndarray [shape=(dimension,)]
    parts : np.ndarray [shape=(passage, dimension)]
    """
    flat = moments.reshape(len(moments), -1)
    total = flat.sum(axis=0)
    without = total - group_sums(flat, passages, "passage").columns
    shape = moments.shape[1:]
    return statistic(total.reshape(shape)), statistic(without.reshape(-1, *shape))


def reliability(whole: FloatArray, parts: FloatArray, level: float) -> Reliability:
    """Jackknife-t intervals from a statistic [dimension] and its `parts` [passage, dimension]."""

    def interval(estimate: FloatArray, left_out: FloatArray) -> Interval:
        error = np.sqrt((len(parts) - 1) * left_out.var(axis=0))
        return t_interval(estimate, error, len(parts) - 1, level)

    return Reliability(
        per_dimension=interval(whole, parts),
        mean=interval(np.asarray(whole.mean()), parts.mean(axis=1)),
    )


def refuse_constant(spread: FloatArray) -> None:
    """Refuse a denominator [..., dimension] that is not positive.

    Raises
    ------
    StatisticsError
        Naming the dimensions.
    """
    if not (spread > 0).all():
        dimensions = np.unique(np.nonzero(~(spread > 0))[-1]).tolist()
        raise StatisticsError(
            f"ratings do not vary, or no clip has two raters, in dimension {dimensions} (perhaps "
            "only after leaving one passage out), so their reliability is not defined. Leave the "
            "dimension out."
        )
