"""The study's own tests and interval, each beside the error rate measured for it.

The study compares two models by a paired t-test and a Wilcoxon signed-rank test on 1,202 clips, and
draws single clips for its bootstrap interval. Clips of one passage are alike, so there are far
fewer independent units than clips, and all three are too sure of themselves. They are here for
comparison with the literature, never to decide.

What enters: targets, first, second [clip, dimension]. A clip's loss is its squared error averaged
over dimensions. Positive means that the first model is better.

References
----------
Wilcoxon (1945), Biometrics Bulletin 1, 80-83. doi:10.2307/3001968
Lakens (2013), Frontiers in Psychology 4, 863. doi:10.3389/fpsyg.2013.00863 (d_av)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr
from scipy.stats import wilcoxon

from ..errors import StatisticsError
from ..metrics import FloatArray
from .bootstrap import Bounds, counts_of, percentile_interval
from .sums import clip_columns, pair_of_columns

__all__ = [
    "IID_INTERVAL",
    "PAIRED_T",
    "WILCOXON",
    "AsPublished",
    "Measured",
    "PublishedTest",
    "as_published",
    "clip_differences",
    "iid_percentile",
    "paired_t_p_value",
    "signed_rank",
]


CHUNK = 1_000


class Measured(NamedTuple):
    """How often a method errs at a nominal 5%.

    Ridge against trees, both on statistics of the notes, on PercePiano with its 42 passages.

    Attributes
    ----------
    passages : float
        When the passages are new, see `pianobench.statistics.error_rate_of_passages`.
    performers : float
        When passages and performers are new, see `pianobench.statistics.error_rate_of_crossed`.
    """

    passages: float
    performers: float


PAIRED_T = Measured(passages=0.36, performers=0.47)
WILCOXON = Measured(passages=0.35, performers=0.47)
# Of the interval of one model; the larger of two.
IID_INTERVAL = Measured(passages=0.51, performers=0.54)


class PublishedTest(NamedTuple):
    """A test, with the measured rate at which it rejects true hypotheses at 5%."""

    statistic: float
    p_value: float
    measured: Measured


class AsPublished(NamedTuple):
    """The study's statistics of two models.

    Attributes
    ----------
    paired_t, wilcoxon : PublishedTest
        The t ratio; the smaller sum of signed ranks.
    interval : Bounds
        Of R2 of the first model, of the second, and of their difference, [3].
    interval_measured : Measured
        Rate at which the interval of one model misses.
    d_av : float
    """

    paired_t: PublishedTest
    wilcoxon: PublishedTest
    interval: Bounds
    interval_measured: Measured
    d_av: float


def as_published(
    targets: FloatArray, first: FloatArray, second: FloatArray, seed: int, resamples: int = 10_000
) -> AsPublished:
    """Compute the study's statistics of two models.

    Parameters
    ----------
    targets, first, second : np.ndarray [shape=(clip, dimension)]
    seed : int
    resamples : int > 0

    Returns
    -------
    AsPublished

    Raises
    ------
    StatisticsError
        When arrays disagree or hold NaN, for constant targets, or for models that err alike on
        every clip, for which neither test is defined.
    """
    columns = clip_columns(targets, np.stack([first, second]))
    gains = clip_differences(targets, first, second)
    if np.ptp(gains) == 0:
        raise StatisticsError(
            f"both models' losses differ by {gains[0]} on all {len(gains)} clips, so the paired "
            "tests have no denominator. Compare two different models."
        )
    losses = np.stack([((p - targets) ** 2).mean(axis=1) for p in (first, second)])
    clips = len(gains)
    low_high = iid_percentile(
        columns.astype(np.float32), targets.shape[1], np.random.default_rng(seed), resamples
    )
    return AsPublished(
        paired_t=PublishedTest(
            statistic=float(gains.mean() / gains.std(ddof=1) * np.sqrt(clips)),
            p_value=float(paired_t_p_value(clips, gains.sum(), (gains**2).sum())),
            measured=PAIRED_T,
        ),
        wilcoxon=PublishedTest(*signed_rank(gains), measured=WILCOXON),
        interval=low_high,
        interval_measured=IID_INTERVAL,
        d_av=float(gains.mean() / losses.std(axis=1, ddof=1).mean()),
    )


def clip_differences(targets: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Mean squared error of the second model minus that of the first, per clip [clip]."""
    difference: FloatArray = ((second - targets) ** 2 - (first - targets) ** 2).mean(axis=1)
    return difference


def iid_percentile(
    clips: NDArray[np.float32], dimensions: int, rng: np.random.Generator, resamples: int
) -> Bounds:
    """Percentile intervals of `pianobench.statistics.sums.PAIR` from clips drawn one by one.

    Parameters
    ----------
    clips : np.ndarray of float32 [shape=(clip, column)]
        Of two models, see `pianobench.statistics.sums.clip_columns`.
    dimensions, resamples : int > 0
    rng : np.random.Generator

    Returns
    -------
    Bounds
        Arrays [3].
    """
    distribution: list[NDArray[Any]] = []
    for start in range(0, resamples, CHUNK):  # counts of 1,202 clips are 5 MB
        rows = min(CHUNK, resamples - start)
        counts = counts_of(rng.integers(0, len(clips), (rows, len(clips))), len(clips))
        distribution.append(pair_of_columns(counts @ clips, dimensions))
    return percentile_interval(np.concatenate(distribution))


def paired_t_p_value(clips: FloatArray | int, total: FloatArray, squares: FloatArray) -> FloatArray:
    """Two-sided p-value of the paired t-test from n, sum and sum of squares of the differences."""
    variance = (squares - total**2 / clips) / (clips - 1)
    p_value: FloatArray = 2 * stdtr(clips - 1, -np.abs(total) / np.sqrt(clips * variance))
    return p_value


def signed_rank(gains: FloatArray) -> tuple[float, float]:
    """Statistic and two-sided p-value of the Wilcoxon signed-rank test, large-sample form."""
    found = wilcoxon(gains, method="approx")
    return float(found.statistic), float(found.pvalue)
