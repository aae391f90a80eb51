"""What a comparison can resolve: the smallest detectable difference, and the noise of seeds.

Predictions are averaged over seeds before they are scored. What is left of the seeds' noise adds to
that of the passages: ``Var = Var_passage + Var_seed / S`` for S seeds.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from ..errors import StatisticsError
from ..metrics import FloatArray, pooled_r2
from .jackknife import Interval, t_interval
from .sums import check_level

__all__ = ["seed_variance", "smallest_detectable_difference", "with_seed_variance"]


def smallest_detectable_difference(
    standard_error: FloatArray, df: int, power: float = 0.8, level: float = 0.95
) -> FloatArray:
    """Smallest true difference that the two-sided t-test finds with the given probability.

    ``(t_df((1 + level) / 2) + t_df(power)) * SE``: 2.87 SE for 42 passages (2.84 for 71), 2.95 SE
    for 20 performers (2.94 for 22), at 80% power and 5%.

    Parameters
    ----------
    standard_error : np.ndarray [shape=(...)]
        Of the difference of the pair, see `Interval.standard_error`.
    df : int > 0
    power, level : float in (0, 1)

    Returns
    -------
    np.ndarray [shape=(...)]

    Raises
    ------
    StatisticsError
        When `power` or `level` is not a share.

    Examples
    --------
    >>> smallest_detectable_difference(np.array([0.017]), df=41).round(3).tolist()
    [0.049]
    """
    check_level(level)
    if not 0 < power < 1:
        raise StatisticsError(f"power of a test is {power}; give a share such as 0.8.")
    detectable: FloatArray = (stdtrit(df, (1 + level) / 2) + stdtrit(df, power)) * standard_error
    return detectable


def seed_variance(targets: FloatArray, predictions: FloatArray) -> float:
    """Variance over seeds of a single seed's mean R2, ``Var_seed``.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(seed, clip, dimension)]

    Returns
    -------
    float

    Raises
    ------
    StatisticsError
        When there are fewer than two seeds; see also `pianobench.metrics.validate`.
    """
    if predictions.ndim != 3 or len(predictions) < 2:
        raise StatisticsError(
            f"predictions have shape {predictions.shape}; the variance between seeds needs "
            "[seed, clip, dimension] with at least two seeds. Run the model with more seeds."
        )
    return float(pooled_r2(targets, predictions).mean(axis=-1).var(ddof=1))


def with_seed_variance(interval: Interval, variance: float, seeds: int) -> Interval:
    """Widen an interval of seed-averaged predictions by what is left of the seeds' noise.

    Parameters
    ----------
    interval : Interval
        From the average of the predictions of all seeds.
    variance : float >= 0
        See `seed_variance`; for a difference of two models, the sum of both variances.
    seeds : int > 0
        Number of seeds averaged.

    Returns
    -------
    Interval
        With the same degrees of freedom: passages stay the fewest units.

    Raises
    ------
    StatisticsError
        When `variance` is negative or `seeds` not positive.
    """
    if variance < 0 or seeds < 1:
        raise StatisticsError(
            f"variance {variance} over {seeds} seeds: give a variance of at least 0 and the number "
            "of seeds averaged, at least 1."
        )
    error = np.sqrt(interval.standard_error**2 + variance / seeds)
    return t_interval(interval.estimate, error, interval.df, interval.level)
