"""Sums over clips from which R2 follows: the sufficient statistics behind every interval.

R2 needs four sums: n, sum y, sum y^2 and sum (y - p)^2, the last for every dimension and model.
They add up over clips, so a group is a row of sums, a resample of groups is a row of counts times
those rows, and leaving a group out is a subtraction. One matrix [group, column] holds them all:

``[n | sum y, per dimension | sum y^2, per dimension | sum (y - p)^2, per dimension and model]``

What enters: targets [clip, dimension], predictions [model, clip, dimension]. Targets are centred
first; without that the denominator of R2 loses its digits in float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray, r2_from_sums, validate

__all__ = [
    "MIN_GROUPS",
    "PAIR",
    "GroupSums",
    "check_level",
    "clip_columns",
    "group_sums",
    "pair_of_columns",
    "r2_of_columns",
]

PAIR = ("first", "second", "difference")

# With four groups a t interval has three degrees of freedom and a sign-flip test 16 outcomes.
MIN_GROUPS = 5


class GroupSums(NamedTuple):
    """Sums of clip columns by group.

    Attributes
    ----------
    names : np.ndarray [shape=(group,)]
        Sorted.
    columns : np.ndarray [shape=(group, column)]
    """

    names: LabelArray
    columns: FloatArray


def check_level(level: float) -> None:
    """Refuse a nominal coverage that is not a share.

    Raises
    ------
    StatisticsError
        When `level` is outside (0, 1).
    """
    if not 0 < level < 1:
        raise StatisticsError(f"level of an interval is {level}; give a share such as 0.95.")


def clip_columns(targets: FloatArray, predictions: FloatArray) -> FloatArray:
    """Lay out what each clip adds to the sums.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(model, clip, dimension)]

    Returns
    -------
    np.ndarray [shape=(clip, 1 + 2 * dimension + dimension * model)]

    Raises
    ------
    StatisticsError
        When `predictions` has no model axis; see also `pianobench.metrics.validate`.
    """
    if predictions.ndim != 3:
        raise StatisticsError(
            f"predictions have shape {predictions.shape}, expected [model, clip, dimension]. "
            "For one model pass predictions[None]."
        )
    validate(targets, predictions)
    y = targets - targets.mean(axis=0)
    errors = (predictions - targets).transpose(1, 2, 0) ** 2
    return np.hstack([np.ones((len(y), 1)), y, y**2, errors.reshape(len(y), -1)])


def group_sums(columns: FloatArray, groups: LabelArray, unit: str) -> GroupSums:
    """Add up clip columns by group.

    Parameters
    ----------
    columns : np.ndarray [shape=(clip, column)]
    groups : np.ndarray [shape=(clip,)]
    unit : str
        What a group is, for the error message.

    Raises
    ------
    StatisticsError
        When lengths differ, or there are fewer than 5 groups.
    """
    if groups.shape != (len(columns),):
        raise StatisticsError(
            f"{unit} labels have shape {groups.shape}, but there are {len(columns)} clips. Give "
            f"one {unit} per clip, in the order of the targets."
        )
    names, index = np.unique(groups, return_inverse=True)
    if len(names) < MIN_GROUPS:
        raise StatisticsError(
            f"{len(names)} {unit} groups among {len(columns)} clips: an interval needs at least "
            f"{MIN_GROUPS}. Report the point estimate alone."
        )
    starts = np.searchsorted(np.sort(index), np.arange(len(names)))
    sums: FloatArray = np.add.reduceat(columns[np.argsort(index, kind="stable")], starts, axis=0)
    return GroupSums(names, sums)


def r2_of_columns(columns: NDArray[Any], dimensions: int) -> NDArray[Any]:
    """R2 of rows of sums, by the formula of `pianobench.metrics.r2_from_sums`.

    Parameters
    ----------
    columns : np.ndarray of float32 or float64 [shape=(..., column)]
    dimensions : int > 0

    Returns
    -------
    np.ndarray [shape=(..., dimension, model)], of the dtype of `columns`

    Raises
    ------
    StatisticsError
        When the targets of a row do not vary in some dimension.
    """
    clips = columns[..., :1, None]
    total = columns[..., 1 : 1 + dimensions, None]
    squares = columns[..., 1 + dimensions : 1 + 2 * dimensions, None]
    errors = columns[..., 1 + 2 * dimensions :].reshape(*columns.shape[:-1], dimensions, -1)
    if not (squares - total**2 / clips > 0).all():
        raise StatisticsError(
            "in a resample or after leaving one group out, the targets of a dimension are constant "
            f"(smallest resample: {int(clips.min())} clips). Too few groups carry the variation; "
            "report the point estimate alone."
        )
    return r2_from_sums(errors, squares, total, clips)


def pair_of_columns(columns: NDArray[Any], dimensions: int) -> NDArray[Any]:
    """Mean R2 of two models and their difference, `PAIR`, from rows of sums.

    Parameters
    ----------
    columns : np.ndarray of float32 or float64 [shape=(..., 1 + 4 * dimension)]
    dimensions : int > 0

    Returns
    -------
    np.ndarray [shape=(..., 3)]

    Raises
    ------
    StatisticsError
        As `r2_of_columns`.
    """
    r2 = r2_of_columns(columns, dimensions).mean(axis=-2)
    return np.concatenate([r2, r2[..., :1] - r2[..., 1:]], axis=-1)
