"""Jackknife-t intervals of R2: clustered by passage (scope C), by passage and performer (scope G).

A group is left out whole and R2 recomputed, in closed form: total sums minus the sums of the group.
The variance of the estimate is the spread of those values; the interval is Student's. It is second
order correct enough for 42 very unequal passages, where the bootstrap's intervals are too short
(`pianobench.statistics.simulation` measures both).

One `Jackknife` holds the values of all models, so that intervals of single models, of differences
and of single dimensions all come from the same groups left out.

References
----------
Efron and Stein (1981), Annals of Statistics 9, 586-596. doi:10.1214/aos/1176345462
Cameron, Gelbach and Miller (2011), Journal of Business & Economic Statistics 29, 238-249.
doi:10.1198/jbes.2010.07136
MacKinnon, Nielsen and Webb (2023), Journal of Econometrics 232, 272-299.
doi:10.1016/j.jeconom.2022.04.001
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray
from .sums import check_level, clip_columns, group_sums, r2_of_columns

__all__ = [
    "Interval",
    "Jackknife",
    "jackknife_t",
    "passage_jackknife",
    "t_interval",
    "two_way_jackknife",
    "two_way_jackknife_t",
]


class Interval(NamedTuple):
    """Estimates with their t intervals; arrays of one shape.

    Attributes
    ----------
    estimate, standard_error, low, high : np.ndarray [shape=(...)]
    p_value : np.ndarray [shape=(...)]
        Two-sided, of the hypothesis that the estimate is 0; meant for differences.
    df : int
        Degrees of freedom of the t distribution.
    level : float
        Nominal coverage, such as 0.95.
    """

    estimate: FloatArray
    standard_error: FloatArray
    low: FloatArray
    high: FloatArray
    p_value: FloatArray
    df: int
    level: float


@dataclass(frozen=True)
class Jackknife:
    """R2 of every model and dimension, with each group left out in turn.

    Attributes
    ----------
    estimate : np.ndarray [shape=(model, dimension)]
    passage : np.ndarray [shape=(passage, model, dimension)]
        R2 without each passage.
    performer, cell : np.ndarray [shape=(group, model, dimension)] or None
        R2 without each performer, and without each performer's clips of each passage (scope G).
    """

    estimate: FloatArray
    passage: FloatArray
    performer: FloatArray | None = None
    cell: FloatArray | None = None

    @property
    def df(self) -> int:
        """Degrees of freedom: the smaller number of groups less one."""
        clustered = (self.passage, self.performer)
        return min(len(values) for values in clustered if values is not None) - 1

    def variance(self, contrast: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """Jackknife variance of any function of the R2 values.

        One way: ``V = (G - 1) / G * sum_g (t_(g) - mean t_(.))^2``. Two ways:
        ``V = V_passage + V_performer - V_cell``, and never less than the larger one-way variance,
        since the difference can turn out too small or negative by chance.

        Parameters
        ----------
        contrast : callable, [..., model, dimension] -> [..., *shape]

        Returns
        -------
        np.ndarray [shape=shape]
        """
        passage = _spread(contrast(self.passage))
        if self.performer is None or self.cell is None:
            return passage
        performer = _spread(contrast(self.performer))
        both = passage + performer - _spread(contrast(self.cell))
        return np.maximum(both, np.maximum(passage, performer))

    def interval(
        self, contrast: Callable[[FloatArray], FloatArray], level: float = 0.95
    ) -> Interval:
        """Interval of any function of the R2 values, see `variance`."""
        error = np.sqrt(self.variance(contrast))
        return t_interval(contrast(self.estimate), error, self.df, level)

    def r2(self, level: float = 0.95) -> Interval:
        """Interval of each model's R2, averaged over dimensions; arrays [model]."""
        return self.interval(_mean, level)

    def r2_per_dimension(self, level: float = 0.95) -> Interval:
        """Interval of each model's R2 in each dimension; arrays [model, dimension]."""
        return self.interval(_identity, level)

    def difference(self, reference: int, level: float = 0.95) -> Interval:
        """Interval of each model's R2 minus that of model `reference`; arrays [model]."""
        return self.interval(lambda r2: _mean(r2 - r2[..., [reference], :]), level)

    def difference_per_dimension(self, reference: int, level: float = 0.95) -> Interval:
        """As `difference`, in each dimension; arrays [model, dimension]."""
        return self.interval(lambda r2: r2 - r2[..., [reference], :], level)


def jackknife_t(
    targets: FloatArray, predictions: FloatArray, passages: LabelArray, level: float = 0.95
) -> Interval:
    """Passage-cluster jackknife-t interval of the mean R2 of each model (scope C).

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(model, clip, dimension)]
    passages : np.ndarray [shape=(clip,)], int or str
    level : float in (0, 1)

    Returns
    -------
    Interval
        Arrays [model]; df is the number of passages less one.

    Raises
    ------
    StatisticsError
        See `passage_jackknife`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=(60, 2))
    >>> found = jackknife_t(y, y[None] + rng.normal(size=(1, 60, 2)) / 2, np.arange(60) // 6)
    >>> found.df, bool(found.low[0] < found.estimate[0] < found.high[0])
    (9, True)
    """
    return passage_jackknife(targets, predictions, passages).r2(level)


def two_way_jackknife_t(
    targets: FloatArray,
    predictions: FloatArray,
    passages: LabelArray,
    performers: LabelArray,
    fixed: NDArray[np.bool_] | None = None,
    level: float = 0.95,
) -> Interval:
    """Two-way (passage and performer) jackknife-t interval of each model's mean R2 (scope G).

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(model, clip, dimension)]
    passages, performers, fixed
        See `two_way_jackknife`.
    level : float in (0, 1)

    Returns
    -------
    Interval
        Arrays [model]; df is the smaller number of groups less one.

    Raises
    ------
    StatisticsError
        See `two_way_jackknife`.
    """
    return two_way_jackknife(targets, predictions, passages, performers, fixed).r2(level)


def passage_jackknife(
    targets: FloatArray, predictions: FloatArray, passages: LabelArray
) -> Jackknife:
    """Leave out each passage in turn.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(model, clip, dimension)]
    passages : np.ndarray [shape=(clip,)], int or str

    Returns
    -------
    Jackknife

    Raises
    ------
    StatisticsError
        When arrays disagree or hold NaN, when there are fewer than 5 passages, or when the targets
        are constant in a dimension, with or without some passage.
    """
    columns = clip_columns(targets, predictions)
    total = columns.sum(axis=0)
    return Jackknife(
        estimate=_r2(total, targets.shape[1]),
        passage=_left_out(columns, total, passages, "passage", targets.shape[1]),
    )


def two_way_jackknife(
    targets: FloatArray,
    predictions: FloatArray,
    passages: LabelArray,
    performers: LabelArray,
    fixed: NDArray[np.bool_] | None = None,
) -> Jackknife:
    """Leave out each passage, each performer, and each performer's clips of each passage.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(model, clip, dimension)]
    passages, performers : np.ndarray [shape=(clip,)], int or str
    fixed : np.ndarray of bool [shape=(clip,)], optional
        True for clips whose performer is not a draw from a population, such as machine renditions.
        They stay in every sample of performers and are left out with their passage only.

    Returns
    -------
    Jackknife

    Raises
    ------
    StatisticsError
        As `passage_jackknife`, and for fewer than 5 performers that are not fixed.
    """
    columns = clip_columns(targets, predictions)
    dimensions = targets.shape[1]
    total = columns.sum(axis=0)
    drawn = np.ones(len(targets), dtype=bool) if fixed is None else ~np.asarray(fixed, dtype=bool)
    if not len(drawn) == len(performers) == len(passages) == len(targets):
        raise StatisticsError(
            f"{len(targets)} clips, but {len(passages)} passages, {len(performers)} performers and "
            f"{len(drawn)} marks of fixed performers. Give one of each per clip."
        )
    _, passage = np.unique(passages[drawn], return_inverse=True)
    names, performer = np.unique(performers[drawn], return_inverse=True)
    cells = passage * len(names) + performer
    return Jackknife(
        estimate=_r2(total, dimensions),
        passage=_left_out(columns, total, passages, "passage", dimensions),
        performer=_left_out(columns[drawn], total, performers[drawn], "performer", dimensions),
        cell=_left_out(columns[drawn], total, cells, "passage-by-performer", dimensions),
    )


def t_interval(
    estimate: FloatArray, standard_error: FloatArray, df: int, level: float = 0.95
) -> Interval:
    """Student's interval and two-sided p-value.

    Parameters
    ----------
    estimate, standard_error : np.ndarray [shape=(...)]
    df : int > 0
    level : float in (0, 1)

    Returns
    -------
    Interval
        An estimate of 0 with standard error 0 (a model against itself) has p-value 1.

    Raises
    ------
    StatisticsError
        When `level` is outside (0, 1).
    """
    check_level(level)
    reach = stdtrit(df, (1 + level) / 2) * standard_error
    exact = standard_error == 0
    ratio = np.abs(estimate) / np.where(exact, 1.0, standard_error)
    p_value = np.where(exact, (estimate == 0).astype(np.float64), 2 * stdtr(df, -ratio))
    low, high = np.asarray(estimate - reach), np.asarray(estimate + reach)
    return Interval(estimate, np.asarray(standard_error), low, high, p_value, df, level)


def _left_out(
    columns: FloatArray, total: FloatArray, groups: LabelArray, unit: str, dimensions: int
) -> FloatArray:
    return _r2(total - group_sums(columns, groups, unit).columns, dimensions)


def _r2(columns: FloatArray, dimensions: int) -> FloatArray:
    return np.swapaxes(r2_of_columns(columns, dimensions), -1, -2)


def _spread(left_out: FloatArray) -> FloatArray:
    groups = len(left_out)
    variance: FloatArray = (groups - 1) * left_out.var(axis=0)
    return variance


def _mean(r2: FloatArray) -> FloatArray:
    mean: FloatArray = r2.mean(axis=-1)
    return mean


def _identity(r2: FloatArray) -> FloatArray:
    return r2
