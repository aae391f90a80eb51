"""How alike the errors of two models are, and what fusing them could reach at most.

Errors of two models correlate even when the models have nothing in common, because both are
measured against the same noisy labels. With reliability rho the labels' noise variance is
``(1 - rho) var y``; it is part of both error variances and, in full, of the covariance:

``r_raw = cov / sqrt(var_a var_b)``,
``r_corrected = (cov - noise) / sqrt((var_a - noise) (var_b - noise))``

Over dimensions, covariances and variances are summed in units of the label variance before they are
divided.

References
----------
Spearman (1904), American Journal of Psychology 15, 72-101. doi:10.2307/1412159
Krogh and Vedelsby (1995), Advances in Neural Information Processing Systems 7, 231-238.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import StatisticsError
from ..metrics import FloatArray, pooled_r2, validate

__all__ = ["ErrorCorrelation", "error_correlation", "fusion_bound"]


class ErrorCorrelation(NamedTuple):
    """Correlation of two models' errors.

    Attributes
    ----------
    raw, corrected : float
        Over all dimensions; `corrected` is free of the label noise that both models share.
    raw_per_dimension, corrected_per_dimension : np.ndarray [shape=(dimension,)]
        Corrected values are NaN where a model's errors are no larger than the noise, and may exceed
        1 by chance.
    """

    raw: float
    corrected: float
    raw_per_dimension: FloatArray
    corrected_per_dimension: FloatArray


def error_correlation(
    targets: FloatArray, first: FloatArray, second: FloatArray, reliability: FloatArray
) -> ErrorCorrelation:
    """Correlate the errors of two models, raw and corrected for shared label noise.

    Parameters
    ----------
    targets, first, second : np.ndarray [shape=(clip, dimension)]
    reliability : np.ndarray [shape=(dimension,)]
        Of the labels, in [0, 1], see `pianobench.statistics.split_half`.

    Returns
    -------
    ErrorCorrelation

    Raises
    ------
    StatisticsError
        When arrays disagree or hold NaN, or a reliability is outside [0, 1].
    """
    validate(targets, np.stack([first, second]))
    if (
        reliability.shape != targets.shape[1:]
        or not ((reliability >= 0) & (reliability <= 1)).all()
    ):
        raise StatisticsError(
            f"reliability has shape {reliability.shape} and values {reliability.min()} to "
            f"{reliability.max()}; give one value from 0 to 1 for each of {targets.shape[1]} "
            "dimensions, estimated from the raw ratings."
        )
    errors = np.stack([first - targets, second - targets]) / targets.std(axis=0)
    errors = errors - errors.mean(axis=1, keepdims=True)
    moments: FloatArray = np.einsum("acd,bcd->abd", errors, errors) / len(targets)
    true = moments - (1 - reliability)
    return ErrorCorrelation(
        raw=float(_correlation(moments.sum(axis=2))),
        corrected=float(_correlation(true.sum(axis=2))),
        raw_per_dimension=_correlation(moments),
        corrected_per_dimension=_correlation(true),
    )


def fusion_bound(targets: FloatArray, predictions: FloatArray) -> FloatArray:
    """R2 that no linear fusion of these predictions can exceed on these clips.

    The least-squares fit of the targets themselves, with an intercept and free weights in each
    dimension. It is an upper bound, not an estimate of what fusion reaches: the weights have seen
    the targets.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(model, clip, dimension)]

    Returns
    -------
    np.ndarray [shape=(dimension,)]

    Raises
    ------
    StatisticsError
        When `predictions` has no model axis; see also `pianobench.metrics.validate`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=(2000, 1))
    >>> noisy = y + rng.normal(size=(2, 2000, 1))
    >>> fusion_bound(y, noisy).round(1).tolist()  # 1 - 1 / (1 + 2): independent errors cancel
    [0.7]
    """
    if predictions.ndim != 3:
        raise StatisticsError(
            f"predictions have shape {predictions.shape}, expected [model, clip, dimension]. Stack "
            "the models that are to be fused."
        )
    validate(targets, predictions)
    fused = np.empty_like(targets)
    for dimension in range(targets.shape[1]):
        design = np.column_stack([np.ones(len(targets)), *predictions[:, :, dimension]])
        weights, *_ = np.linalg.lstsq(design, targets[:, dimension])
        fused[:, dimension] = design @ weights
    return pooled_r2(targets, fused)


def _correlation(moments: FloatArray) -> FloatArray:
    """Correlation from second moments [2, 2, ...]; NaN where a variance is not positive."""
    product = np.where(
        (moments[0, 0] > 0) & (moments[1, 1] > 0), moments[0, 0] * moments[1, 1], np.nan
    )
    correlation: FloatArray = moments[0, 1] / np.sqrt(product)
    return correlation
