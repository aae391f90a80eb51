"""Equivalence of two models: shown to be as good as each other, or merely not told apart.

Not finding a difference does not show that there is none. Two models are *equivalent* only when the
difference is shown to be smaller than a margin (0.01 of R2 unless told otherwise), by two one-sided
tests; otherwise they are *not distinguished*.

References
----------
Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680.
doi:10.1007/BF01068419
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from ..errors import StatisticsError
from ..metrics import FloatArray
from .jackknife import Interval

__all__ = ["MARGIN", "Verdict", "probability_within", "tost", "verdict"]

# A hundredth of R2: a third of the standard error of one model on 42 passages.
MARGIN = 0.01


class Verdict(StrEnum):
    """What a comparison has shown about the first model."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    NOT_DISTINGUISHED = "not distinguished"


def probability_within(differences: NDArray[Any], margin: float = MARGIN) -> FloatArray:
    """Share of resamples in which the difference is smaller than the margin.

    Parameters
    ----------
    differences : np.ndarray [shape=(resample, ...)]
        Differences of columns of `pianobench.statistics.bootstrap_r2`.
    margin : float > 0

    Returns
    -------
    np.ndarray [shape=(...)]

    Raises
    ------
    StatisticsError
        When the margin is not positive.
    """
    _validate(margin)
    share: FloatArray = (np.abs(differences) < margin).mean(axis=0)
    return share


def tost(difference: Interval, margin: float = MARGIN) -> FloatArray:
    """p-value of two one-sided t-tests against differences of the margin or more.

    Parameters
    ----------
    difference : Interval
        From `Jackknife.difference`, of scope C or G.
    margin : float > 0

    Returns
    -------
    np.ndarray, of the shape of the interval's arrays
        The larger of both one-sided p-values; at most 0.05 shows equivalence at 5%.

    Raises
    ------
    StatisticsError
        When the margin is not positive.

    Examples
    --------
    >>> from pianobench.statistics import t_interval
    >>> found = tost(t_interval(np.array([0.001, 0.001]), np.array([0.004, 0.017]), df=41))
    >>> found.round(3).tolist()
    [0.015, 0.3]
    """
    _validate(margin)
    gap = margin - np.abs(difference.estimate)
    exact = difference.standard_error == 0
    ratio = gap / np.where(exact, 1.0, difference.standard_error)
    p_value: FloatArray = np.where(exact, (gap <= 0) * 1.0, stdtr(difference.df, -ratio))
    return p_value


def verdict(difference: float, p_value: float, tost_p_value: float, alpha: float = 0.05) -> Verdict:
    """Put a comparison into one word.

    Parameters
    ----------
    difference : float
        R2 of the first model minus that of the second.
    p_value : float
        Of no difference, corrected for the number of comparisons shown together.
    tost_p_value : float
        Of a difference of the margin or more, see `tost`.
    alpha : float in (0, 1)

    Returns
    -------
    Verdict
        A difference that is established is named even when it is smaller than the margin.
    """
    if p_value <= alpha:
        return Verdict.BETTER if difference > 0 else Verdict.WORSE
    return Verdict.EQUIVALENT if tost_p_value <= alpha else Verdict.NOT_DISTINGUISHED


def _validate(margin: float) -> None:
    if not margin > 0:
        raise StatisticsError(
            f"margin of equivalence is {margin}; give a positive difference in R2, such as 0.01."
        )
