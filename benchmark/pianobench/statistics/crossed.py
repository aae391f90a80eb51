"""A model of targets and errors with crossed random effects of passages and performers.

Targets and both models' errors form one vector z per clip: a mean, plus effects of the passage, of
the performer, of the performer in that passage (cell), and of the clip. The covariances of the four
effects are estimated by moments: mean products over pairs of clips that share only the passage,
only the performer, both, or nothing. Every group weighs by its number of clips. Clips whose
performer is fixed (machine renditions) have a mean of their own in place of a performer effect, and
take no part in the estimation.

References
----------
Searle, Casella and McCulloch (1992), Variance Components. doi:10.1002/9780470316856
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray, validate

__all__ = ["CrossedEffects", "crossed_effects", "draws", "equally_good"]


class CrossedEffects(NamedTuple):
    """The fitted model; variables are the targets, the first and the second model's errors.

    Attributes
    ----------
    mean : np.ndarray [shape=(clip, variable)]
    covariances : np.ndarray [shape=(4, variable, variable)]
        Of passages, performers, cells and clips; positive semidefinite.
    members : np.ndarray of int [shape=(4, clip)]
        Passage, performer, cell and clip number of each clip.
    drawn : np.ndarray of bool [shape=(clip,)]
        False where the performer is fixed.
    """

    mean: FloatArray
    covariances: FloatArray
    members: NDArray[np.int64]
    drawn: NDArray[np.bool_]


def crossed_effects(
    targets: FloatArray,
    predictions: FloatArray,
    passages: LabelArray,
    performers: LabelArray,
    fixed: NDArray[np.bool_],
) -> CrossedEffects:
    """Fit the model.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(model, clip, dimension)]
    passages, performers : np.ndarray [shape=(clip,)], int or str
    fixed : np.ndarray of bool [shape=(clip,)]

    Returns
    -------
    CrossedEffects

    Raises
    ------
    StatisticsError
        When arrays disagree or hold NaN, or no two clips share a passage, a performer or a cell.
    """
    validate(targets, predictions, passages)
    validate(targets, predictions, performers)
    z = np.concatenate([targets, *(predictions - targets)], axis=1)
    passage = np.unique(passages, return_inverse=True)[1]
    performer = np.unique(performers, return_inverse=True)[1]
    cell = np.unique(passage * (performer.max() + 1) + performer, return_inverse=True)[1]
    members = np.stack([passage, performer, cell, np.arange(len(z))])
    means = np.empty_like(z)
    means[~fixed] = z[~fixed].mean(axis=0)
    for name in np.unique(performer[fixed]):
        chosen = fixed & (performer == name)
        means[chosen] = z[chosen].mean(axis=0)
    covariances = _covariances((z - means)[~fixed], members[:, ~fixed])
    return CrossedEffects(means, covariances, members, ~fixed)


def equally_good(effects: CrossedEffects) -> CrossedEffects:
    """Average the model over both orders of the two predictions, so that they are exchangeable."""
    dimensions = effects.mean.shape[1] // 3
    targets, first, second = np.split(np.arange(3 * dimensions), [dimensions, 2 * dimensions])
    swap = np.concatenate([targets, second, first])
    covariances = (effects.covariances + effects.covariances[:, swap][:, :, swap]) / 2
    return effects._replace(
        mean=(effects.mean + effects.mean[:, swap]) / 2, covariances=covariances
    )


def draws(
    effects: CrossedEffects, simulations: int, rng: np.random.Generator
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Draw new passages and performers on the clips of the real design.

    Yields
    ------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(2, clip, dimension)]
    """
    roots = [_root(covariance) for covariance in effects.covariances]
    weights = np.ones(effects.members.shape)
    weights[1, ~effects.drawn] = 0.0
    for _ in range(simulations):
        z = effects.mean.copy()
        for root, member, weight in zip(roots, effects.members, weights, strict=True):
            effect = rng.standard_normal((member.max() + 1, len(root))) @ root
            z += weight[:, None] * effect[member]
        targets, first, second = np.split(z, 3, axis=1)
        yield targets, targets + np.stack([first, second])


def _covariances(z: FloatArray, members: NDArray[np.int64]) -> FloatArray:
    passage, performer, cell, clip = members
    same_passage = _mean_product(z, passage, cell)
    same_performer = _mean_product(z, performer, cell)
    same_cell = _mean_product(z, cell, clip)
    nothing = _mean_product_of_strangers(z, passage, performer, cell)
    parts = (
        same_passage - nothing,
        same_performer - nothing,
        same_cell - same_passage - same_performer + nothing,
        z.T @ z / len(z) - same_cell,
    )
    return np.stack([_root(part).T @ _root(part) for part in parts])


def _mean_product(z: FloatArray, outer: NDArray[np.int64], inner: NDArray[np.int64]) -> FloatArray:
    """Mean of z_i z_j over pairs that share the outer but not the inner group."""
    size = np.bincount(outer)
    # Dividing by the size keeps a passage of 156 clips from being worth 300 of nine.
    weight = 1 / np.maximum(size, 1)
    inside = np.zeros(inner.max() + 1)
    inside[inner] = weight[outer]
    products = _products(z, outer, weight) - _products(z, inner, inside)
    pairs = (size**2 * weight).sum() - (np.bincount(inner) ** 2 * inside).sum()
    if pairs <= 0:
        raise StatisticsError(
            f"no two of {len(z)} clips share a passage, a performer or both, so their effects "
            "cannot be told apart. Simulate with several takes of a passage by several performers."
        )
    return _symmetric(products / pairs)


def _mean_product_of_strangers(
    z: FloatArray,
    passage: NDArray[np.int64],
    performer: NDArray[np.int64],
    cell: NDArray[np.int64],
) -> FloatArray:
    products, pairs = np.zeros((z.shape[1], z.shape[1])), 0.0
    everyone = np.zeros_like(passage)
    for sign, group in ((1, everyone), (-1, passage), (-1, performer), (1, cell)):
        size = np.bincount(group)
        products += sign * _products(z, group, np.ones(len(size)))
        pairs += sign * float((size**2).sum())
    return _symmetric(products / max(pairs, 1.0))


def _products(z: FloatArray, group: NDArray[np.int64], weight: FloatArray) -> FloatArray:
    """Sum of w_g z_i z_j over all ordered pairs of one group, a clip with itself included."""
    totals = np.zeros((len(weight), z.shape[1]))
    np.add.at(totals, group, z)
    products: FloatArray = totals.T @ (weight[:, None] * totals)
    return products


def _symmetric(matrix: FloatArray) -> FloatArray:
    return (matrix + matrix.T) / 2


def _root(covariance: FloatArray) -> FloatArray:
    """Root R of the nearest positive semidefinite matrix, R^T R."""
    values, vectors = np.linalg.eigh(covariance)
    root: FloatArray = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    return root
