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

    It stops counting flips of a model as soon as they decide, and counts none where Hoeffding's
    bound on a sum of signs does, ``P(T* >= t) <= exp(-t^2 / 2)``; so thousands of models take
    seconds.

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
    Hoeffding (1963), Journal of the American Statistical Association 58, 13-30.
    doi:10.1080/01621459.1963.10500830
    """
    models = losses.shape[1]
    # p = (extreme + 1) / (flips + 1) is above alpha from this number of extreme flips on.
    needed = int(np.floor(alpha * (len(signs) + 1)))
    found = np.ones(models, dtype=np.bool_)
    for model in range(models):
        leads = losses[:, [model]] - losses
        scale = np.sqrt((leads**2).sum(axis=0))
        differ = scale > 0
        if not differ.any():
            continue
        standard = leads[:, differ] / scale[differ]
        observed = standard.sum(axis=0).max()
        expected = len(signs) * standard.shape[1] * np.exp(-(max(observed, 0.0) ** 2) / 2)
        # Half of the number needed is ten standard deviations away from it.
        found[model] = expected > needed / 2 and _reaches(
            standard.astype(np.float32),
            signs,
            np.float32(observed - ROUNDING * abs(observed)),
            needed,
        )
    return found


def _reaches(
    standard: NDArray[np.float32], signs: NDArray[np.float32], bar: np.float32, needed: int
) -> bool:
    """Tell whether so many flips have a largest lead that reaches the bar."""
    extreme = 0
    for start in range(0, len(signs), _CHUNK):
        largest = (signs[start : start + _CHUNK] @ standard).max(axis=1)
        extreme += int(np.count_nonzero(largest >= bar))
        left = len(signs) - start - len(largest)
        if extreme >= needed or extreme + left < needed:
            break
    return extreme >= needed
