"""Spearman's correlation of several columns with one, by pieces: intervals, tests, a control.

- *Interval*: jackknife-t of Fisher's z. A piece is left out, or one of at most 400 groups of pieces
  dealt at random, which bounds the cost and is as good (Kott).
- *Test*: permutations of the pieces. All columns share them, so that the largest |rho| over the
  columns of each permutation (max-T, step-down) accounts for how alike the columns are.
- *Control*: within strata (composers): ranks are taken over all pieces, and the strata's means
  taken off; permutations stay within strata.

What enters: columns [piece, column] and a label [piece].

References
----------
Westfall and Young (1993), Resampling-Based Multiple Testing. Wiley, algorithm 2.8.
Kott (2001), Journal of Official Statistics 17, 521-526.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray
from .jackknife import Interval, t_interval
from .sums import MIN_GROUPS

__all__ = [
    "RankTests",
    "rank_correlation",
    "rank_correlation_interval",
    "rank_correlation_tests",
]

_MOST_GROUPS = 400
_CHUNK = 1_000
# Sums of ranks in another order differ by rounding; permutations that tie must count as ties.
_ROUNDING = 1e-9


class RankTests(NamedTuple):
    """Two-sided permutation tests; arrays [column].

    Attributes
    ----------
    p_value : np.ndarray
        Uncorrected.
    max_t : np.ndarray
        Adjusted for the number of columns.
    """

    p_value: FloatArray
    max_t: FloatArray


def rank_correlation(
    columns: FloatArray, label: FloatArray, strata: LabelArray | None = None
) -> FloatArray:
    """Correlate the ranks of every column with those of the label.

    Parameters
    ----------
    columns : np.ndarray [shape=(piece, column)]
    label : np.ndarray [shape=(piece,)]
    strata : np.ndarray [shape=(piece,)], int or str, optional
        Of whose means both are freed: the partial correlation of ranks.

    Returns
    -------
    np.ndarray [shape=(column,)]
        0 for a column that does not vary (within strata).

    Raises
    ------
    StatisticsError
        When shapes disagree, a value is not finite, or the label does not vary (within strata).
    """
    x, y = _standard_ranks(columns, label, strata)
    rho: FloatArray = y @ x
    return rho


def rank_correlation_interval(
    columns: FloatArray,
    label: FloatArray,
    strata: LabelArray | None = None,
    *,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Jackknife-t interval of `rank_correlation`; arrays [column].

    Parameters
    ----------
    columns, label, strata
        As of `rank_correlation`.
    seed : int
        Of how pieces are dealt, where there are more than 400.
    level : float in (0, 1)

    Raises
    ------
    StatisticsError
        As `rank_correlation`, and for fewer than 5 pieces.
    """
    pieces = len(label)
    if pieces < MIN_GROUPS:
        raise StatisticsError(
            f"{pieces} pieces: an interval needs at least {MIN_GROUPS}. Report the correlation "
            "alone."
        )
    estimate = _fisher(rank_correlation(columns, label, strata))
    groups = min(pieces, _MOST_GROUPS)
    dealt = np.random.default_rng(seed).permutation(pieces) % groups
    if groups == pieces:
        dealt = np.arange(pieces)
    left_out = np.empty((groups, columns.shape[1]))
    for group in range(groups):
        kept = dealt != group
        of = None if strata is None else strata[kept]
        left_out[group] = _fisher(rank_correlation(columns[kept], label[kept], of))
    error = np.sqrt((groups - 1) * left_out.var(axis=0))
    found = t_interval(estimate, error, groups - 1, level)
    return found._replace(
        estimate=np.tanh(found.estimate), low=np.tanh(found.low), high=np.tanh(found.high)
    )


def rank_correlation_tests(
    columns: FloatArray,
    label: FloatArray,
    strata: LabelArray | None = None,
    *,
    seed: int,
    permutations: int = 10_000,
) -> RankTests:
    """Test every column, with and without correction for their number.

    Parameters
    ----------
    columns, label, strata
        As of `rank_correlation`. With strata, labels are exchanged within them only.
    seed : int
    permutations : int > 0
        The smallest possible p-value is 1 / (permutations + 1).

    Raises
    ------
    StatisticsError
        As `rank_correlation`, and without permutations.
    """
    if permutations < 1:
        raise StatisticsError(f"number of permutations is {permutations}; draw at least one.")
    x, y = _standard_ranks(columns, label, strata)
    observed = np.abs(y @ x)
    order = np.argsort(-observed, kind="stable")
    bar = observed[order] - _ROUNDING
    single, largest = np.zeros(len(bar)), np.zeros(len(bar))
    rng = np.random.default_rng(seed)
    for start in range(0, permutations, _CHUNK):
        size = min(_CHUNK, permutations - start)
        drawn = np.abs(_permuted(y, strata, size, rng) @ x[:, order])
        single += np.count_nonzero(drawn >= bar, axis=0)
        # Column i: the largest among the columns that are not more significant than column i.
        highest = np.maximum.accumulate(drawn[:, ::-1], axis=1)[:, ::-1]
        largest += np.count_nonzero(highest >= bar, axis=0)
    p_value, max_t = np.empty_like(bar), np.empty_like(bar)
    p_value[order] = (single + 1) / (permutations + 1)
    max_t[order] = np.maximum.accumulate((largest + 1) / (permutations + 1))
    return RankTests(p_value, max_t)


def _standard_ranks(
    columns: FloatArray, label: FloatArray, strata: LabelArray | None
) -> tuple[FloatArray, FloatArray]:
    """Rank, take off means and scale to length 1, so that a product is a correlation."""
    if columns.ndim != 2 or label.shape != (len(columns),):
        raise StatisticsError(
            f"columns have shape {columns.shape} and the label {label.shape}; expected [piece, "
            "column] and [piece]."
        )
    if not (np.isfinite(columns).all() and np.isfinite(label).all()):
        raise StatisticsError("a value is not finite. Leave out pieces that lack one.")
    x = _freed(rankdata(columns, axis=0), strata)
    y = _freed(rankdata(label), strata)
    length = np.sqrt((y**2).sum())
    if length <= _ROUNDING:
        where = "" if strata is None else " within strata"
        raise StatisticsError(
            f"the label of {len(label)} pieces does not vary{where}, so that nothing can be "
            "correlated with it."
        )
    lengths = np.sqrt((x**2).sum(axis=0))
    varies = lengths > _ROUNDING
    return np.where(varies, x / np.where(varies, lengths, 1.0), 0.0), y / length


def _freed(ranks: FloatArray, strata: LabelArray | None) -> FloatArray:
    """Take off the mean of all, or of each stratum."""
    if strata is None:
        return np.asarray(ranks - ranks.mean(axis=0), dtype=np.float64)
    if len(strata) != len(ranks):
        raise StatisticsError(f"{len(strata)} strata for {len(ranks)} pieces. Give one each.")
    freed = np.array(ranks, dtype=np.float64)
    for name in np.unique(strata):
        chosen = strata == name
        freed[chosen] -= freed[chosen].mean(axis=0)
    return freed


def _permuted(
    y: FloatArray, strata: LabelArray | None, size: int, rng: np.random.Generator
) -> FloatArray:
    """Exchange values [piece] at random, within strata; shape (size, piece)."""
    drawn = np.tile(y, (size, 1))
    names = [None] if strata is None else list(np.unique(strata))
    for name in names:
        chosen = np.ones(len(y), dtype=np.bool_) if name is None else strata == name
        drawn[:, chosen] = rng.permuted(drawn[:, chosen], axis=1)
    return drawn


def _fisher(rho: FloatArray) -> FloatArray:
    # Perfect order has no finite z; the bound is the largest that ranks of a million pieces reach.
    return np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12))
