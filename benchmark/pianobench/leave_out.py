"""Exact leave-group-out residuals of ridge and kernel ridge, without refitting.

What enters: features or a kernel, sample weights, labels and the group of each clip. What leaves:
what every clip's residual would have been, had the model been fitted without the clip's group,
for a whole grid of penalties from one eigendecomposition.

Both models minimise ``sum_i w_i (y_i - f(x_i) - b)^2 + penalty * |f|^2`` with an intercept ``b``
that is not penalised. On rows scaled by the root of their weight, fitted values are ``H y`` with
``H = Q diag(l / (l + penalty)) Q' + u u'``: ``Q`` and ``l`` are eigenvectors and eigenvalues of the
centred kernel, ``u`` is the unit vector along the roots. Without group G the residuals in G are
``(I - H_GG)^-1 (y - H y)_G``, an identity, not an approximation. The reference shows it for single
clips and blocks; it holds for every quadratic penalty.

References
----------
An, Liu, Venkatesh: Fast cross-validation algorithms for least squares support vector machine and
kernel ridge regression. Pattern Recognition 40(8), 2007. https://doi.org/10.1016/j.patcog.2006.12.015
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import SplitError, StatisticsError

__all__ = ["Choice", "Smoother", "choose_penalty", "leave_group_out"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Smoother:
    """A ridge or kernel ridge before its penalty is set.

    Attributes
    ----------
    weight : float array, shape (clips,)
    basis : float array, shape (clips, rank)
        Orthonormal eigenvectors ``Q`` of the centred, weighted kernel.
    eigenvalues : float array, shape (rank,)
    """

    weight: Floats
    basis: Floats
    eigenvalues: Floats

    @classmethod
    def from_kernel(cls, kernel: Floats, weight: Floats | None = None) -> Smoother:
        """Decompose a symmetric, positive semi-definite kernel, shape (clips, clips).

        Raises
        ------
        StatisticsError
            If a weight is not a positive number.
        """
        weight = _checked_weight(weight, len(kernel))
        share = weight / weight.sum()
        by_clip = kernel @ share
        centred = kernel - by_clip[:, None] - by_clip[None, :] + share @ by_clip
        root = np.sqrt(weight)
        return cls(weight, *_decompose(root[:, None] * centred * root[None, :]))

    @classmethod
    def from_features(cls, features: Floats, weight: Floats | None = None) -> Smoother:
        """Decompose the linear kernel of features, shape (clips, features).

        It works in the smaller of the two spaces.

        Raises
        ------
        StatisticsError
            If a weight is not a positive number.
        """
        weight = _checked_weight(weight, len(features))
        rows = np.sqrt(weight)[:, None] * (features - np.average(features, axis=0, weights=weight))
        if rows.shape[1] >= rows.shape[0]:
            return cls(weight, *_decompose(rows @ rows.T))
        basis, singular, _ = np.linalg.svd(rows, full_matrices=False)
        # Features that depend on others leave vectors without direction, which may lie along the
        # intercept's.
        kept = singular > len(rows) * np.finfo(np.float64).eps * singular.max(initial=0.0)
        return cls(weight, basis[:, kept], singular[kept] ** 2)

    def dual(self, y: Floats, penalty: float) -> Floats:
        """Coefficients ``a`` with ``f(x) = k(x, X) a``, shape (clips, dimensions).

        They are the same for the kernel as given and for the centred one. Of features,
        ``X' a`` are the coefficients, whichever way `X` is centred.
        """
        root = np.sqrt(self.weight)[:, None]
        scaled = root * (y - np.average(y, axis=0, weights=self.weight))
        shrunk = (self.basis.T @ scaled) / (self.eigenvalues + penalty)[:, None]
        dual: Floats = root * (self.basis @ shrunk)
        return dual


def leave_group_out(
    smoother: Smoother,
    y: Floats,
    groups: NDArray[np.str_] | NDArray[np.int64],
    penalties: Sequence[float],
) -> Floats:
    """Residuals of every clip under models fitted without its group.

    The cost is that of one product of each group's rows with the basis per penalty.

    Parameters
    ----------
    smoother : Smoother
    y : array, shape (clips, dimensions)
    groups : array, shape (clips,)
    penalties : sequence of float
        Above zero.

    Returns
    -------
    float array, shape (penalties, clips, dimensions)

    Raises
    ------
    SplitError
        If there are fewer than two groups.
    StatisticsError
        If a penalty is not above zero.
    """
    names, member = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise SplitError(
            f"A penalty is chosen by leaving out one group of the training clips at a time, and "
            f"all {len(y)} of them belong to {str(names[0])!r}. Choose a protocol with smaller "
            "groups, or a head that selects nothing."
        )
    if not all(penalty > 0 for penalty in penalties):
        raise StatisticsError(
            f"Penalties are {tuple(penalties)}; each must be above zero. Give a tiny one instead."
        )
    root = np.sqrt(smoother.weight)
    scaled = root[:, None] * (y - np.average(y, axis=0, weights=smoother.weight))
    unit = root / np.linalg.norm(root)
    kept = smoother.eigenvalues / (smoother.eigenvalues + np.asarray(penalties)[:, None])
    # One product for the whole grid: several times faster than one per penalty.
    shrunk = np.einsum("pr,rd->rpd", kept, smoother.basis.T @ scaled)
    fitted = smoother.basis @ shrunk.reshape(len(shrunk), len(kept) * y.shape[1])
    residuals: Floats = scaled - fitted.reshape(len(y), len(kept), y.shape[1]).swapaxes(0, 1)
    for group in range(len(names)):
        inside = np.flatnonzero(member == group)
        rows = smoother.basis[inside]
        outer = np.eye(len(inside)) - np.outer(unit[inside], unit[inside])
        for index, k in enumerate(kept):
            left = outer - (rows * k) @ rows.T
            residuals[index, inside] = np.linalg.solve(left, residuals[index, inside])
    residuals /= root[:, None]
    return residuals


@dataclass(frozen=True)
class Choice:
    """The penalty with the least leave-group-out error.

    Attributes
    ----------
    penalty : float
    error : float
        Weighted squared error over the weighted scatter of the labels, mean over dimensions:
        1 - R2 inside the training part.
    at_edge : bool
        Whether it is the smallest or the largest of several, so that a wider grid may do better.
    """

    penalty: float
    error: float
    at_edge: bool


def choose_penalty(
    smoother: Smoother,
    y: Floats,
    groups: NDArray[np.str_] | NDArray[np.int64],
    penalties: Sequence[float],
) -> Choice:
    """Choose one penalty for all dimensions by `leave_group_out`.

    Each dimension's squared error is divided by its scatter, so that none rules by its range; a
    dimension that does not vary says nothing.

    Raises
    ------
    SplitError, StatisticsError
        As `leave_group_out`.
    """
    grid = sorted(penalties)
    residuals = leave_group_out(smoother, y, groups, grid)
    weight = smoother.weight
    scatter = weight @ (y - np.average(y, axis=0, weights=weight)) ** 2
    squared = np.einsum("pcd,c->pd", residuals**2, weight)
    varies = np.ptp(y, axis=0) > 0
    relative = np.divide(squared, scatter, out=np.zeros_like(squared), where=varies)
    errors = relative.sum(axis=1) / max(1, int(varies.sum()))
    best = int(np.argmin(errors))
    return Choice(
        penalty=float(grid[best]),
        error=float(errors[best]),
        at_edge=len(grid) > 1 and best in {0, len(grid) - 1},
    )


def _checked_weight(weight: Floats | None, clips: int) -> Floats:
    if weight is None:
        return np.ones(clips)
    if weight.shape != (clips,) or not (np.isfinite(weight).all() and (weight > 0).all()):
        raise StatisticsError(
            f"Sample weights have shape {weight.shape} and the least is {np.min(weight)}; they "
            f"must be {clips} finite numbers above zero. Leave out the clips that should not count."
        )
    return weight


def _decompose(kernel: Floats) -> tuple[Floats, Floats]:
    eigenvalues, basis = np.linalg.eigh(kernel)
    return basis, np.maximum(eigenvalues, 0.0)
