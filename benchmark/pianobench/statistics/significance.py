"""Sign-flip tests of differences in R2, for all pairs of models and for all dimensions (scope C).

Under the hypothesis that two models are equally good, the sign of a passage's difference in loss is
arbitrary. Losses are squared errors divided by the dimension's total sum of squares, so their sum
over passages is 1 - R2 exactly: the test statistic *is* the difference in R2. Whole passages are
flipped, since clips of one passage are not independent.

All tests share one matrix of flips, and one matrix product serves all models: a pair is a
difference of columns. Sharing the flips is also what makes max-T over dimensions account for their
correlation.

What enters: targets [clip, dimension], predictions [model, clip, dimension], passages [clip] and a
seed. For scope G use the p-values of `pianobench.statistics.two_way_jackknife` differences.

References
----------
Westfall and Young (1993), Resampling-Based Multiple Testing. Wiley, algorithm 4.1.
Phipson and Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9, article 39.
doi:10.2202/1544-6115.1585
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray
from .multiplicity import benjamini_hochberg, holm
from .sums import clip_columns, group_sums

__all__ = [
    "DimensionTests",
    "PairTests",
    "dimension_tests",
    "flip_p_values",
    "pair_tests",
    "passage_losses",
    "sign_flips",
]

CHUNK = 1_000
# Sums of float32 losses agree to 1e-7; flips that tie with the observed order must count as ties.
ROUNDING = 1e-5


class PairTests(NamedTuple):
    """All pairs of models.

    Attributes
    ----------
    difference : np.ndarray [shape=(model, model)]
        R2 of the row minus R2 of the column.
    p_value : np.ndarray [shape=(model, model)]
        Two-sided, uncorrected; 1 on the diagonal.
    """

    difference: FloatArray
    p_value: FloatArray


class DimensionTests(NamedTuple):
    """Two models in every dimension; arrays [dimension].

    Attributes
    ----------
    difference : np.ndarray
        R2 of the first model minus that of the second.
    p_value : np.ndarray
        Two-sided, uncorrected.
    max_t, holm : np.ndarray
        Adjusted so that any false rejection has the chance of the level; max-T uses the correlation
        of the dimensions, Holm is the check.
    benjamini_hochberg : np.ndarray
        Adjusted for the share of false rejections; for exploration.
    """

    difference: FloatArray
    p_value: FloatArray
    max_t: FloatArray
    holm: FloatArray
    benjamini_hochberg: FloatArray


def pair_tests(
    targets: FloatArray,
    predictions: FloatArray,
    passages: LabelArray,
    seed: int,
    flips: int = 10_000,
) -> PairTests:
    """Test the mean R2 of every model against every other.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(model, clip, dimension)]
    passages : np.ndarray [shape=(clip,)], int or str
    seed : int
    flips : int > 0
        The smallest possible p-value is 1 / (flips + 1).

    Returns
    -------
    PairTests

    Raises
    ------
    StatisticsError
        When arrays disagree or hold NaN, for fewer than 5 passages, constant targets or no flips.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=(60, 2))
    >>> p = y + rng.normal(size=(2, 60, 2)) * np.array([0.2, 0.8])[:, None, None]
    >>> found = pair_tests(y, p, np.arange(60) // 6, seed=1)
    >>> bool(found.difference[0, 1] > 0), bool(found.p_value[0, 1] < 0.01)
    (True, True)
    """
    losses = passage_losses(targets, predictions, passages).mean(axis=2)
    total = losses.sum(axis=0)
    signs = sign_flips(len(losses), flips, seed)
    # Only differences matter. Without the part common to the models float32 keeps their digits; the
    # median is not moved by one model that is far off.
    common = np.median(losses, axis=1, keepdims=True)
    flipped = (losses - common).T.astype(np.float32) @ signs.T
    p_value = np.ones((len(total), len(total)))
    for row in range(len(total) - 1):
        gap = total[row + 1 :] - total[row]
        reach = np.abs(losses[:, row + 1 :] - losses[:, [row]]).sum(axis=0)
        bar = (np.abs(gap) - ROUNDING * reach).astype(np.float32)
        extreme = _exceed(flipped[row + 1 :], flipped[row], bar)
        p_value[row, row + 1 :] = (extreme + 1) / (flips + 1)
        p_value[row + 1 :, row] = p_value[row, row + 1 :]
    return PairTests(total[None, :] - total[:, None], p_value)


def dimension_tests(
    targets: FloatArray,
    first: FloatArray,
    second: FloatArray,
    passages: LabelArray,
    seed: int,
    flips: int = 10_000,
) -> DimensionTests:
    """Test the difference of two models in every dimension.

    Parameters
    ----------
    targets, first, second : np.ndarray [shape=(clip, dimension)]
    passages : np.ndarray [shape=(clip,)], int or str
    seed : int
    flips : int > 0

    Returns
    -------
    DimensionTests

    Raises
    ------
    StatisticsError
        As `pair_tests`.
    """
    losses = passage_losses(targets, np.stack([first, second]), passages)
    gains = losses[:, 1] - losses[:, 0]
    signs = sign_flips(len(gains), flips, seed)
    p_value = flip_p_values(gains, signs)
    return DimensionTests(
        difference=gains.sum(axis=0),
        p_value=p_value,
        max_t=_max_t(gains, signs),
        holm=holm(p_value),
        benjamini_hochberg=benjamini_hochberg(p_value),
    )


def passage_losses(
    targets: FloatArray, predictions: FloatArray, passages: LabelArray
) -> FloatArray:
    """Squared errors summed over each passage, in units of the total sum of squares.

    Summed over passages, ``1 - R2`` of each model and dimension.

    Returns
    -------
    np.ndarray [shape=(passage, model, dimension)]

    Raises
    ------
    StatisticsError
        When arrays disagree or hold NaN, for fewer than 5 passages or constant targets.
    """
    sums = group_sums(clip_columns(targets, predictions), passages, "passage").columns
    dimensions = targets.shape[1]
    squares = sums[:, 1 + dimensions : 1 + 2 * dimensions].sum(axis=0)
    errors = sums[:, 1 + 2 * dimensions :].reshape(len(sums), dimensions, -1)
    losses: FloatArray = errors.transpose(0, 2, 1) / squares
    return losses


def sign_flips(groups: int, flips: int, seed: int) -> NDArray[np.float32]:
    """Draw signs of +1 and -1.

    Returns
    -------
    np.ndarray of float32 [shape=(flip, groups)]

    Raises
    ------
    StatisticsError
        When `flips` is not positive.
    """
    if flips < 1:
        raise StatisticsError(f"number of sign flips is {flips}; draw at least one, say 10,000.")
    bits = np.random.default_rng(seed).integers(0, 2, size=(flips, groups), dtype=np.int8)
    return (2 * bits - 1).astype(np.float32)


def flip_p_values(gains: FloatArray, signs: NDArray[np.float32]) -> FloatArray:
    """Two-sided sign-flip p-values, ``(1 + #{|T*| >= |T|}) / (1 + flips)``.

    Parameters
    ----------
    gains : np.ndarray [shape=(passage, test)]
        What each passage adds to each difference.
    signs : np.ndarray [shape=(flip, passage)]

    Returns
    -------
    np.ndarray [shape=(test,)]
    """
    bar = np.abs(gains.sum(axis=0)) - ROUNDING * np.abs(gains).sum(axis=0)
    flipped = gains.T.astype(np.float32) @ signs.T
    extreme = _exceed(flipped, np.zeros(len(signs), dtype=np.float32), bar.astype(np.float32))
    return (extreme + 1) / (len(signs) + 1)


def _exceed(
    flipped: NDArray[np.float32], reference: NDArray[np.float32], bar: NDArray[np.float32]
) -> FloatArray:
    """Count the flips in which a row of [test, flip] differs from the reference by the bar."""
    count = np.zeros(len(flipped))
    for start in range(0, len(reference), CHUNK):
        chunk = slice(start, start + CHUNK)
        gap = np.abs(flipped[:, chunk] - reference[chunk])
        count += np.count_nonzero(gap >= bar[:, None], axis=1)
    return count


def _max_t(gains: FloatArray, signs: NDArray[np.float32]) -> FloatArray:
    """Westfall and Young's step-down max-T adjusted p-values [test]."""
    scale = np.sqrt((gains**2).sum(axis=0))
    standard = gains / np.where(scale > 0, scale, 1.0)
    observed = np.abs(standard.sum(axis=0))
    order = np.argsort(-observed, kind="stable")
    flipped = np.abs(signs @ standard[:, order].astype(np.float32))
    # Column i: the largest statistic among the tests that are not more significant than test i.
    largest = np.maximum.accumulate(flipped[:, ::-1], axis=1)[:, ::-1]
    bar = (observed[order] * (1 - ROUNDING)).astype(np.float32)
    p_value = (np.count_nonzero(largest >= bar, axis=0) + 1) / (len(signs) + 1)
    adjusted: FloatArray = np.empty_like(observed)
    adjusted[order] = np.maximum.accumulate(p_value)
    return adjusted
