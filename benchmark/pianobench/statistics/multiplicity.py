"""Adjusting p-values for the number of tests: Holm and Benjamini-Hochberg.

What enters: p-values [test]. What leaves: adjusted p-values [test], in the same order, to be
compared with the level itself. Holm controls the chance of any false rejection; Benjamini-Hochberg
the expected share of false ones, for exploration. The third adjustment used here, max-T, needs the
sign flips and lives in `pianobench.statistics.significance`.
"""

from __future__ import annotations

import numpy as np

from ..errors import StatisticsError
from ..metrics import FloatArray

__all__ = ["benjamini_hochberg", "holm"]


def holm(p_values: FloatArray) -> FloatArray:
    """Holm's step-down adjustment.

    ``adjusted_(i) = min(1, max_{j <= i} (m - j + 1) p_(j))``

    Parameters
    ----------
    p_values : np.ndarray [shape=(test,)]

    Returns
    -------
    np.ndarray [shape=(test,)]

    Raises
    ------
    StatisticsError
        When a value is not a probability.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70. https://www.jstor.org/stable/4615733

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    _validate(p_values)
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def benjamini_hochberg(p_values: FloatArray) -> FloatArray:
    """Benjamini and Hochberg's step-up adjustment, monotone in the p-values.

    ``adjusted_(i) = min(1, min_{j >= i} m p_(j) / j)``

    Parameters
    ----------
    p_values : np.ndarray [shape=(test,)]

    Returns
    -------
    np.ndarray [shape=(test,)]

    Raises
    ------
    StatisticsError
        When a value is not a probability.

    References
    ----------
    Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300.
    doi:10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.04, 0.04]
    """
    _validate(p_values)
    order = np.argsort(p_values, kind="stable")[::-1]
    steps = p_values[order] * len(p_values) / np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(steps))
    return adjusted


def _validate(p_values: FloatArray) -> None:
    if p_values.ndim != 1 or not ((p_values >= 0) & (p_values <= 1)).all():
        raise StatisticsError(
            f"p-values have shape {p_values.shape} and range {p_values.min()} to {p_values.max()}; "
            "give one array [test] of values between 0 and 1."
        )
