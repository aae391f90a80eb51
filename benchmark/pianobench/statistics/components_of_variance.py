"""How values spread within groups and between them: one-way random effects, unbalanced groups.

A value is the mean, plus what its group adds (variance ``between``), plus the rest (``within``).
The moments are those of the analysis of variance, with group sizes n_i, k groups and N values:

``within = SSW / (N - k)``, ``between = (SSB / (k - 1) - within) / n0``,
``n0 = (N - sum n_i^2 / N) / (k - 1)``

Units that may hold several groups (passages that hold excerpts) are left out in turn; all sums add
up over groups, so that this is a subtraction. Intervals are jackknife-t where the estimate is
closest to normal: logarithms of ``within`` and of F = MSB / MSW, of which the share of the variance
that is within groups is a monotone function, and ``between`` itself.

What enters: values [clip, dimension], groups [clip] and units [clip]. What leaves: one estimate and
interval per dimension.

References
----------
Searle, Casella and McCulloch (1992), Variance Components. Wiley, chapter 3.
Arvesen and Schmitz (1970), Biometrics 26, 677-686. doi:10.2307/2528715
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray
from .jackknife import Interval, t_interval
from .sums import group_sums

__all__ = [
    "VarianceComponents",
    "centred",
    "jackknife_error",
    "validate_groups",
    "variance_components",
]


class VarianceComponents(NamedTuple):
    """Spread within groups and between them; arrays [dimension].

    Attributes
    ----------
    within, between : Interval
        Variances. `between` is never below 0, and its interval is cut there.
    share_within : Interval
        within / (within + between): 1 where groups do not differ at all, 0 where all that differs
        is the group.
    groups, values, singles : int
        Groups; values in them; groups of one value, which tell of `between` only.
    """

    within: Interval
    between: Interval
    share_within: Interval
    groups: int
    values: int
    singles: int


def variance_components(
    values: FloatArray, groups: LabelArray, units: LabelArray | None = None, level: float = 0.95
) -> VarianceComponents:
    """Estimate the variances within groups and between groups.

    Parameters
    ----------
    values : np.ndarray [shape=(clip, dimension)]
    groups : np.ndarray [shape=(clip,)], int or str
    units : np.ndarray [shape=(clip,)], int or str, optional
        What is independent, and left out whole; each holds whole groups. The groups themselves by
        default.
    level : float in (0, 1)

    Raises
    ------
    StatisticsError
        When a value is not finite, a group is in two units, no group (with or without some unit)
        has two values, values never differ within groups, or there are fewer than 5 units.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> group = np.repeat(np.arange(200), 4)
    >>> y = rng.normal(0, 2, size=(200, 1))[group] + rng.normal(size=(800, 1))
    >>> found = variance_components(y, group)
    >>> bool(found.within.low[0] < 1 < found.within.high[0])
    True
    """
    validate_groups(values, groups)
    sums, unit_of_group = _group_sums(values, groups, groups if units is None else units)
    per_unit = group_sums(sums, unit_of_group, "unit").columns
    total = per_unit.sum(axis=0)
    whole, left_out = _Moments.of(total), _Moments.of(total - per_unit)
    within = _log_interval(whole.within, left_out.within, level)
    ratio = _log_interval(whole.ratio, left_out.ratio_at(whole.size), level)
    between = t_interval(whole.between, jackknife_error(left_out.between), len(per_unit) - 1, level)
    return VarianceComponents(
        within=within,
        between=between._replace(
            estimate=np.maximum(between.estimate, 0),
            low=np.maximum(between.low, 0),
            high=np.maximum(between.high, 0),
        ),
        share_within=_share(ratio, whole.size),
        groups=len(sums),
        values=len(values),
        singles=int((sums[:, 1] == 1).sum()),
    )


class _Moments(NamedTuple):
    """Moments of the analysis of variance, of rows of sums."""

    within: FloatArray
    between: FloatArray
    ratio: FloatArray
    size: FloatArray

    @classmethod
    def of(cls, sums: FloatArray) -> _Moments:
        """Take them from sums [..., k | N | sum n_i^2 | sum y | sum y_i.^2 / n_i | sum y^2]."""
        k, n, squares = (sums[..., i, None] for i in range(3))
        total, of_groups, of_values = np.split(sums[..., 3:], 3, axis=-1)
        if (n <= k).any() or (k < 2).any():
            raise StatisticsError(
                f"{int(k.min())} groups hold {int(n.min())} values (with the largest unit left "
                "out): at least two groups, one of them of two values, are needed. Choose groups "
                "that were played more than once."
            )
        within = (of_values - of_groups) / (n - k)
        if (within <= 0).any():
            raise StatisticsError(
                f"values never differ within groups in dimensions "
                f"{np.unique(np.nonzero(within <= 0)[-1]).tolist()}, so that nothing can be said "
                "of their spread there. Leave these out."
            )
        mean_square = (of_groups - total**2 / n) / (k - 1)
        size = (n - squares / n) / (k - 1)
        return cls(within, (mean_square - within) / size, mean_square / within, size)

    def ratio_at(self, size: FloatArray) -> FloatArray:
        """F as it would be with groups of this size: leaving out a large one makes them smaller."""
        # F itself is positive; carried over to other sizes it is but for values far below 1.
        return np.maximum(1 + (self.ratio - 1) * size / self.size, 1e-6)


def _group_sums(
    values: FloatArray, groups: LabelArray, units: LabelArray
) -> tuple[FloatArray, LabelArray]:
    """Lay out what each group adds to the sums, and the unit of each group."""
    if units.shape != groups.shape:
        raise StatisticsError(
            f"units have shape {units.shape}, groups {groups.shape}. Give one of each per clip."
        )
    # About the mean: the digits of large sums would drown those of small deviations.
    about_mean = values - values.mean(axis=0)
    names, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    first = np.unique(index, return_index=True)[1]
    unit_of_group = units[first]
    if (unit_of_group[index] != units).any():
        clip = int(np.argmax(unit_of_group[index] != units))
        raise StatisticsError(
            f"the group '{names[index[clip]]}' is in the unit '{units[clip]}' and in another. A "
            "unit holds whole groups."
        )
    total = np.zeros((len(names), values.shape[1]))
    squares = np.zeros_like(total)
    np.add.at(total, index, about_mean)
    np.add.at(squares, index, about_mean**2)
    ones = np.ones(len(names))
    columns = [ones, sizes, sizes**2, total, total**2 / sizes[:, None], squares]
    return np.column_stack(columns).astype(np.float64), unit_of_group


def _log_interval(estimate: FloatArray, left_out: FloatArray, level: float) -> Interval:
    error = jackknife_error(np.log(left_out))
    found = t_interval(np.log(estimate), error, len(left_out) - 1, level)
    return found._replace(estimate=estimate, low=np.exp(found.low), high=np.exp(found.high))


def _share(ratio: Interval, size: FloatArray) -> Interval:
    """Turn F into within / (within + between), which falls where F rises."""

    def share(f: FloatArray) -> FloatArray:
        return 1 / (1 + np.maximum(f - 1, 0) / size)

    return ratio._replace(
        estimate=share(ratio.estimate), low=share(ratio.high), high=share(ratio.low)
    )


def jackknife_error(left_out: FloatArray) -> FloatArray:
    """Work out the standard error from estimates without each unit, [unit, ...] -> [...]."""
    error: FloatArray = np.sqrt((len(left_out) - 1) * left_out.var(axis=0))
    return error


def centred(values: FloatArray, groups: LabelArray) -> FloatArray:
    """Take the mean of its group off every value [clip, dimension]."""
    _, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    total = np.zeros((len(sizes), values.shape[1]))
    np.add.at(total, index, values)
    return values - (total / sizes[:, None])[index]


def validate_groups(values: FloatArray, groups: LabelArray) -> None:
    """Refuse values [clip, dimension] that are not finite or have no group each.

    Raises
    ------
    StatisticsError
    """
    if values.ndim != 2 or groups.shape != (len(values),):
        raise StatisticsError(
            f"values have shape {values.shape} and groups {groups.shape}; expected [clip, "
            "dimension] and one group per clip."
        )
    if not np.isfinite(values).all():
        raise StatisticsError(
            f"{int((~np.isfinite(values)).sum())} of {values.size} values are not finite. Leave "
            "out the clips that could not be predicted."
        )
