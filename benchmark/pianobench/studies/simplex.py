"""Weights of models, none below 0 and with sum 1, of the least squared error.

References
----------
Bates, Granger: The combination of forecasts. Operational Research Quarterly 20(4), 1969.
https://doi.org/10.1057/jors.1969.103
Breiman: Stacked regressions. Machine Learning 24, 1996. https://doi.org/10.1007/BF00117832
"""

from __future__ import annotations

import numpy as np

from ..metrics import FloatArray

__all__ = ["error_moments", "simplex_weights"]

# A share of the mean moment that keeps models with equal predictions apart: far below what matters.
_ROUNDING = 1e-10


def error_moments(predictions: FloatArray, targets: FloatArray) -> FloatArray:
    """Second moments of errors, in units of the labels' variance.

    They are about 0, not about the mean error: R2 counts a model's bias as well.

    Parameters
    ----------
    predictions : np.ndarray [shape=(model, clip, dimension)]
    targets : np.ndarray [shape=(clip, dimension)]

    Returns
    -------
    np.ndarray [shape=(model, model, dimension)]
        0 in dimensions in which the targets do not vary.
    """
    varies = np.ptp(targets, axis=0) > 0
    errors = (predictions - targets) / np.where(varies, targets.std(axis=0), np.inf)
    moments: FloatArray = np.einsum("mcd,ncd->mnd", errors, errors) / len(targets)
    return moments


def simplex_weights(moments: FloatArray) -> FloatArray:
    """Weights, none below 0 and with sum 1, of the least mean squared error of the weighted mean.

    With weights of sum 1, errors are averaged as predictions are, so that the squared error is
    ``w' G w``, ``G`` the second moments of the models' errors. Without the sum, the least of
    ``v' G v / 2 - 1' v`` over ``v >= 0`` fulfils the same conditions of Kuhn and Tucker up to a
    factor: it is a problem of non-negative least squares, solved exactly, and ``w = v / 1' v``.

    Parameters
    ----------
    moments : np.ndarray [shape=(model, model)]
        Symmetric, positive semi-definite.

    Returns
    -------
    np.ndarray [shape=(model,)]
        Equal weights where no model errs.

    Examples
    --------
    >>> simplex_weights(np.diag([1.0, 3.0])).round(3).tolist()  # independent: by 1 / variance
    [0.75, 0.25]
    >>> simplex_weights(np.array([[1.0, 1.5], [1.5, 4.0]])).tolist()  # the second adds error only
    [1.0, 0.0]
    """
    from scipy.linalg import solve_triangular
    from scipy.optimize import nnls

    models = len(moments)
    scale = np.trace(moments) / models
    if not scale > 0:
        return np.full(models, 1 / models)
    root = np.linalg.cholesky(moments / scale + _ROUNDING * np.eye(models))
    free, _ = nnls(root.T, solve_triangular(root, np.ones(models), lower=True))
    weights: FloatArray = free / free.sum()
    return weights
