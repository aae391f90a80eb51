"""How sure is a ranking: rank intervals, and the models that may be the best (scope C).

What enters: the resamples shared by all models [resample, model], or targets [clip, dimension],
predictions [model, clip, dimension] and passages [clip]. Rank 1 is the highest R2.

References
----------
Hall and Miller (2009), Annals of Statistics 37, 3929-3959. doi:10.1214/09-AOS699
Hsu (1984), Annals of Statistics 12, 1136-1144. doi:10.1214/aos/1176346732
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray
from .significance import ROUNDING, passage_losses, sign_flips
from .sums import check_level

__all__ = ["RankIntervals", "best_p_values", "may_be_best", "rank_intervals"]

TIE = 1e-6
_CHUNK = 1_000
_CERTAIN = 6.0


class RankIntervals(NamedTuple):
    """Best and worst rank that each model plausibly has; int arrays [model]."""

    best: NDArray[np.int64]
    worst: NDArray[np.int64]


def rank_intervals(distribution: NDArray[Any], level: float = 0.95) -> RankIntervals:
    """Interval of each model's rank over shared resamples.

    Models closer than 1e-6 in a resample, the precision of its float32, tie. They share the better
    rank when the best rank is sought, the worse rank when the worst is: copies of a model never get
    separate ranks.

    Parameters
    ----------
    distribution : np.ndarray [shape=(resample, model)]
        Mean R2, see `pianobench.statistics.bootstrap_r2`.
    level : float in (0, 1)

    Returns
    -------
    RankIntervals

    Raises
    ------
    StatisticsError
        When `distribution` is not [resample, model].

    Examples
    --------
    >>> rank_intervals(np.array([[0.5, 0.4, 0.1], [0.4, 0.5, 0.2]]))
    RankIntervals(best=array([1, 1, 3]), worst=array([2, 2, 3]))
    """
    if distribution.ndim != 2 or not distribution.size:
        raise StatisticsError(
            f"resamples have shape {distribution.shape}; give R2 as [resample, model], all models "
            "from the same resamples."
        )
    check_level(level)
    rows = list(zip(np.sort(distribution, axis=1), distribution, strict=True))
    not_above = np.array([np.searchsorted(row, values + TIE, "right") for row, values in rows])
    below = np.array([np.searchsorted(row, values - TIE, "left") for row, values in rows])
    models = distribution.shape[1]
    tail = (1 - level) / 2
    best = np.quantile(models - not_above + 1, tail, axis=0, method="lower")
    worst = np.quantile(models - below, 1 - tail, axis=0, method="higher")
    return RankIntervals(best.astype(np.int64), worst.astype(np.int64))


def best_p_values(
    targets: FloatArray,
    predictions: FloatArray,
    passages: LabelArray,
    seed: int,
    flips: int = 10_000,
) -> FloatArray:
    """Test of each model being the best, against all others at once.

    For each model, the largest standardised lead that any other has over it is compared with the
    largest lead under shared sign flips of the passages (one-sided max-T). Models with a p-value
    above 0.05 form the set tied with the best: it contains the truly best model with 95%
    probability.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(model, clip, dimension)]
    passages : np.ndarray [shape=(clip,)], int or str
    seed : int
    flips : int > 0

    Returns
    -------
    np.ndarray [shape=(model,)]
        1 for a model that is alone.

    Raises
    ------
    StatisticsError
        When arrays disagree or hold NaN, for fewer than 5 passages, constant targets or no flips.
    """
    losses = passage_losses(targets, predictions, passages).mean(axis=2)
    signs = sign_flips(len(losses), flips, seed)
    p_values = np.ones(losses.shape[1])
    for model in range(losses.shape[1]):
        leads = losses[:, [model]] - losses
        scale = np.sqrt((leads**2).sum(axis=0))
        differ = scale > 0
        if not differ.any():
            continue
        standard = leads[:, differ] / scale[differ]
        largest = (signs @ standard.astype(np.float32)).max(axis=1)
        observed = standard.sum(axis=0).max()
        extreme = np.count_nonzero(largest >= np.float32(observed - ROUNDING * abs(observed)))
        p_values[model] = (extreme + 1) / (flips + 1)
    return p_values


def may_be_best(
    losses: FloatArray, signs: NDArray[np.float32], alpha: float = 0.05
) -> NDArray[np.bool_]:
    """Tell which models may be the best: those with `best_p_values` above a level.

    It stops flipping as soon as the count of extreme flips is six standard deviations from what the
    level allows; more flips would change an answer once in a hundred million. So thousands of
    models take seconds.

    Parameters
    ----------
    losses : np.ndarray [shape=(passage, model)]
        See `pianobench.statistics.significance.passage_losses`, averaged over dimensions.
    signs : np.ndarray [shape=(flip, passage)]
        See `pianobench.statistics.significance.sign_flips`.
    alpha : float in (0, 1)

    Returns
    -------
    np.ndarray of bool [shape=(model,)]

    References
    ----------
    Gandy (2009), Journal of the American Statistical Association 104, 1504-1511.
    doi:10.1198/jasa.2009.tm08368
    """
    found = np.ones(losses.shape[1], dtype=np.bool_)
    for model in range(losses.shape[1]):
        leads = losses[:, [model]] - losses
        scale = np.sqrt((leads**2).sum(axis=0))
        differ = scale > 0
        if differ.any():
            found[model] = _exceeds_level(leads[:, differ] / scale[differ], signs, alpha)
    return found


def _exceeds_level(standard: FloatArray, signs: NDArray[np.float32], alpha: float) -> bool:
    """Tell whether the p-value of the largest of standardised leads is above the level."""
    observed = standard.sum(axis=0).max()
    bar = np.float32(observed - ROUNDING * abs(observed))
    columns = standard.astype(np.float32)
    extreme = done = 0
    for start in range(0, len(signs), _CHUNK):
        largest = (signs[start : start + _CHUNK] @ columns).max(axis=1)
        extreme += int(np.count_nonzero(largest >= bar))
        done += len(largest)
        if abs(extreme - alpha * done) > _CERTAIN * np.sqrt(alpha * (1 - alpha) * done):
            break
    return (extreme + 1) / (done + 1) > alpha
