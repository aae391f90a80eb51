"""Where rows stand: rank intervals, the set that may be the best, verdicts of every pair.

What enters are the `Measures` of comparable rows, best first. All pairs follow from the R2 with
groups left out: the variance of a difference is that of both rows less twice their covariance, so
that one product of matrices serves two million pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from .. import statistics
from ..metrics import FloatArray
from ..statistics import MARGIN, Interval, Jackknife
from ..statistics.ranks import may_be_best
from ..statistics.significance import sign_flips
from .board import Standing
from .measures import RESAMPLES, SEED, Measures

__all__ = ["Standings", "find_standings"]

_LEVEL = 0.95


class Standings(NamedTuple):
    """Of each row, best first; see `Standing` and `ProtocolBoard.verdicts`."""

    rows: tuple[Standing, ...]
    verdicts: tuple[str, ...]


def find_standings(measures: Measures) -> Standings:
    """Find where each row stands.

    Parameters
    ----------
    measures : Measures
        Of rows in descending order of R2.
    """
    left_out = measures.left_out
    r2 = left_out.estimate[:, 0]
    gaps = r2[:, None] - r2[None, :]
    errors = np.sqrt(_pair_variances(left_out) + measures.noise[:, None] + measures.noise[None, :])
    np.fill_diagonal(errors, 0.0)
    apart, equivalent = _told_apart(gaps, errors, left_out.df)
    ranks = statistics.rank_intervals(measures.distribution, _LEVEL)
    signs = sign_flips(len(measures.losses), RESAMPLES, SEED)
    best = may_be_best(measures.losses, signs, 1 - _LEVEL)
    from_best = statistics.t_interval(gaps[1:, 0], errors[1:, 0], left_out.df, _LEVEL)
    rows = tuple(
        Standing(
            best_rank=int(ranks.best[row]),
            worst_rank=int(ranks.worst[row]),
            may_be_best=bool(best[row]),
            **against,
            **_group(~apart[row]),
        )
        for row, against in enumerate(_against_best(from_best))
    )
    return Standings(rows, _letters(apart, equivalent))


def _pair_variances(left_out: Jackknife) -> FloatArray:
    """Jackknife variance of the difference of every pair [row, row]; see `Jackknife.variance`."""
    passage = _difference_variances(left_out.passage)
    if left_out.performer is None or left_out.cell is None:
        return passage
    performer = _difference_variances(left_out.performer)
    both = passage + performer - _difference_variances(left_out.cell)
    return np.maximum(both, np.maximum(passage, performer))


def _difference_variances(r2: FloatArray) -> FloatArray:
    """Variance of differences of columns that were left out [group, row, 1]."""
    centred = r2[:, :, 0] - r2[:, :, 0].mean(axis=0)
    products = centred.T @ centred * ((len(centred) - 1) / len(centred))
    own = np.diag(products)
    variances: FloatArray = np.maximum(own[:, None] + own[None, :] - 2 * products, 0.0)
    return variances


def _told_apart(
    gaps: FloatArray, errors: FloatArray, df: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pairs differ at 5%, and which of the others are equivalent (two one-sided tests)."""
    size = np.abs(gaps)
    apart = (size > 0) & (size >= stdtrit(df, (1 + _LEVEL) / 2) * errors)
    room = MARGIN - size
    return apart, ~apart & (room > 0) & (room >= stdtrit(df, _LEVEL) * errors)


def _group(together: NDArray[np.bool_]) -> dict[str, int]:
    places = np.flatnonzero(together) + 1
    return {
        "group_first": int(places[0]),
        "group_last": int(places[-1]),
        "group_size": len(places),
    }


def _letters(apart: NDArray[np.bool_], equivalent: NDArray[np.bool_]) -> tuple[str, ...]:
    letters = np.where(apart, "w", np.where(equivalent, "e", "n"))
    return tuple("".join(row[:place]) for place, row in enumerate(letters))


def _against_best(difference: Interval) -> Sequence[dict[str, Any]]:
    """Verdicts after Holm over all rows; the best row itself comes first."""
    itself: dict[str, Any] = {
        "verdict": None,
        "difference": 0.0,
        "difference_low": 0.0,
        "difference_high": 0.0,
        "p_adjusted": 1.0,
    }
    if not len(difference.estimate):
        return [itself]
    p_values = statistics.holm(difference.p_value)
    equivalent = statistics.holm(statistics.tost(difference))
    rows = zip(
        difference.estimate.tolist(),
        difference.low.tolist(),
        difference.high.tolist(),
        p_values.tolist(),
        equivalent.tolist(),
        strict=True,
    )
    others = [
        {
            "verdict": statistics.verdict(gap, p_value, p_equivalent),
            "difference": gap,
            "difference_low": low,
            "difference_high": high,
            "p_adjusted": p_value,
        }
        for gap, low, high, p_value, p_equivalent in rows
    ]
    return [itself, *others]
