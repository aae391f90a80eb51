"""Effect sizes of the difference between two models, on passage means.

A clip's loss is its squared error divided by the variance of the labels, averaged over dimensions
(so its mean over clips is 1 - R2). The unit of an effect size is the passage: the mean loss of its
clips. Passages count alike, whatever their number of clips. Positive means that the first model is
better.

=============  ====================================================================================
d_z            mean of the paired differences, over their standard deviation
d_av           the same mean, over the average of the two models' standard deviations
Hedges' g      d_av times ``1 - 3 / (4 (n - 1) - 1)``, its small-sample correction
Cliff's delta  share of pairs (a passage of one, a passage of the other) won, less the share lost
=============  ====================================================================================

Intervals are percentiles over resampled passages, which respect the bounds of Cliff's delta.

References
----------
Lakens (2013), Frontiers in Psychology 4, 863. doi:10.3389/fpsyg.2013.00863
Cliff (1993), Psychological Bulletin 114, 494-509. doi:10.1037/0033-2909.114.3.494
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray
from .bootstrap import counts_of, percentile_interval, resample_indices
from .sums import clip_columns, group_sums

__all__ = ["Effect", "EffectSizes", "effect_sizes", "passage_means"]


class Effect(NamedTuple):
    """One effect size with its interval."""

    value: float
    low: float
    high: float


class EffectSizes(NamedTuple):
    """Every effect size; positive where the first model is better."""

    d_z: Effect
    d_av: Effect
    hedges_g: Effect
    cliffs_delta: Effect


def effect_sizes(
    targets: FloatArray,
    first: FloatArray,
    second: FloatArray,
    passages: LabelArray,
    seed: int,
    resamples: int = 10_000,
    level: float = 0.95,
) -> EffectSizes:
    """Compute every effect size of two models.

    Parameters
    ----------
    targets, first, second : np.ndarray [shape=(clip, dimension)]
    passages : np.ndarray [shape=(clip,)], int or str
    seed : int
    resamples : int > 0
    level : float in (0, 1)

    Returns
    -------
    EffectSizes
        All 0 for a model against itself.

    Raises
    ------
    StatisticsError
        When arrays disagree or hold NaN, for fewer than 5 passages or constant targets, or when the
        losses of all passages differ by the same amount, so that d_z has no denominator.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=(60, 2))
    >>> a, b = y + rng.normal(size=(60, 2)) * 0.2, y + rng.normal(size=(60, 2)) * 0.8
    >>> effect_sizes(y, a, b, np.arange(60) // 6, seed=1, resamples=500).cliffs_delta.value
    1.0
    """
    means = passage_means(targets, np.stack([first, second]), passages)
    groups = len(means)
    gains = means[:, 1] - means[:, 0]
    if np.ptp(gains) == 0 and gains[0] != 0:
        raise StatisticsError(
            f"the losses of all {groups} passages differ by {gains[0]}, so d_z has no denominator. "
            "Compare predictions of two models, not copies shifted by a constant."
        )
    drawn = counts_of(resample_indices(groups, resamples, seed), groups, np.float64)
    values = _sizes(means, np.ones((1, groups)))[0]
    bounds = percentile_interval(_sizes(means, drawn), level)
    ends = zip(values.tolist(), bounds.low.tolist(), bounds.high.tolist(), strict=True)
    return EffectSizes(*(Effect(*row) for row in ends))


def passage_means(targets: FloatArray, predictions: FloatArray, passages: LabelArray) -> FloatArray:
    """Mean loss of each passage and model, in units of the label variance.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(model, clip, dimension)]
    passages : np.ndarray [shape=(clip,)], int or str

    Returns
    -------
    np.ndarray [shape=(passage, model)]

    Raises
    ------
    StatisticsError
        When arrays disagree or hold NaN, for fewer than 5 passages or constant targets.
    """
    sums = group_sums(clip_columns(targets, predictions), passages, "passage").columns
    dimensions = targets.shape[1]
    errors = sums[:, 1 + 2 * dimensions :].reshape(len(sums), dimensions, -1)
    means: FloatArray = (errors / targets.var(axis=0)[:, None]).mean(axis=1) / sums[:, :1]
    return means


def _sizes(means: FloatArray, counts: FloatArray) -> FloatArray:
    """Effect sizes [sample, 4] of passage means [passage, 2], drawn by counts [sample, passage]."""
    first, second = means.T
    difference = counts @ (second - first) / counts.sum(axis=1)
    d_z = _ratio(difference, _deviation(second - first, counts))
    d_av = _ratio(difference, (_deviation(first, counts) + _deviation(second, counts)) / 2)
    correction = 1 - 3 / (4 * (len(means) - 1) - 1)
    wins = np.sign(second[None, :] - first[:, None])
    delta = ((counts @ wins) * counts).sum(axis=1) / counts.sum(axis=1) ** 2
    return np.stack([d_z, d_av, d_av * correction, delta], axis=1)


def _deviation(values: FloatArray, counts: FloatArray) -> FloatArray:
    """Return the sample standard deviation of weighted values."""
    size = counts.sum(axis=1)
    centred = values - values.mean()
    total = counts @ centred
    variance = (counts @ centred**2 - total**2 / size) / (size - 1)
    deviation: FloatArray = np.sqrt(np.maximum(variance, 0.0))
    return deviation


def _ratio(difference: FloatArray, deviation: FloatArray) -> FloatArray:
    """Return 0 where both are 0, as for a model against itself."""
    spread = deviation > 0
    return np.where(spread, difference / np.where(spread, deviation, 1.0), 0.0)
