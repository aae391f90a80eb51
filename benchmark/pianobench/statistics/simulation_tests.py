"""How often tests reject a true hypothesis when passages are new (scope C), by simulation.

Passages of the real data are drawn with replacement, from a population in which two models are
equally good. There are two such populations, and a test should hold its level in both. *Swapped*: a
coin decides for each drawn passage which model is called the first; sign flips are then exact.
*Levelled*: the second model's errors are scaled in each dimension until both models have the same
R2; nothing makes their errors exchangeable, as nothing does in reality.

What enters: targets, first, second [clip, dimension], passages [clip], a number of simulations and
a seed. What leaves: a table of `pianobench.statistics.simulation.Rate`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray
from .published import clip_differences, paired_t_p_value, signed_rank
from .significance import flip_p_values, sign_flips
from .simulation import Rate, rate
from .sums import clip_columns, group_sums, pair_of_columns

__all__ = ["error_rate_of_passages"]


def error_rate_of_passages(
    targets: FloatArray,
    first: FloatArray,
    second: FloatArray,
    passages: LabelArray,
    seed: int,
    simulations: int = 3_000,
    flips: int = 10_000,
) -> list[Rate]:
    """Share of true null hypotheses that tests reject at 5%.

    Parameters
    ----------
    targets, first, second : np.ndarray [shape=(clip, dimension)]
    passages : np.ndarray [shape=(clip,)], int or str
    seed : int
    simulations, flips : int > 0

    Returns
    -------
    list of Rate
        Methods ``sign-flip``, ``jackknife-t``, ``paired-t`` and ``wilcoxon`` (clips as if
        independent, the study's tests), of the difference in mean R2; quantities ``swapped``
        and ``levelled`` are the two populations.

    Raises
    ------
    StatisticsError
        When arrays disagree or hold NaN, for fewer than 5 passages, constant targets, or a model
        that predicts a dimension without any error.
    """
    rng = np.random.default_rng(seed)
    groups = len(np.unique(passages))
    drawn = rng.integers(0, groups, (simulations, groups))
    coins = rng.choice([-1.0, 1.0], (simulations, groups))
    heads = np.ones_like(coins)
    levelled = _equally_good(targets, first, second)
    rates = []
    for name, other, coin in (("swapped", second, coins), ("levelled", levelled, heads)):
        columns = clip_columns(targets, np.stack([first, other]))
        sums = group_sums(columns, passages, "passage").columns
        steps, deviation = _steps(_swapped(sums[drawn], coin, targets.shape[1]), targets.shape[1])
        gains = clip_differences(targets, first, other)
        by_passage = [gains[passages == name] for name in np.unique(passages)]
        naive = [_naive_p_values(by_passage, *drawing) for drawing in zip(drawn, coin, strict=True)]
        t_ratio = np.abs(steps.sum(axis=1)) / deviation
        p_values = {
            "sign-flip": flip_p_values(steps.T, sign_flips(groups, flips, seed)),
            "jackknife-t": 2 * stdtr(groups - 1, -t_ratio),
            "paired-t": np.array([paired_t for paired_t, _ in naive]),
            "wilcoxon": np.array([ranks for _, ranks in naive]),
        }
        rates += [rate(method, name, values) for method, values in p_values.items()]
    return rates


def _naive_p_values(
    by_passage: list[FloatArray], drawn: NDArray[np.int64], coins: FloatArray
) -> tuple[float, float]:
    gains = np.concatenate([c * by_passage[p] for p, c in zip(drawn, coins, strict=True)])
    paired_t = paired_t_p_value(len(gains), gains.sum(), (gains**2).sum())
    return float(paired_t), signed_rank(gains)[1]


def _swapped(sums: FloatArray, coins: FloatArray, dimensions: int) -> FloatArray:
    """Exchange the two models' sums [simulation, passage, column] where the coin is negative."""
    shared, errors = np.split(sums, [1 + 2 * dimensions], axis=2)
    pairs = errors.reshape(*coins.shape, dimensions, 2)
    tossed = np.where(coins[..., None, None] < 0, pairs[..., ::-1], pairs)
    return np.concatenate([shared, tossed.reshape(errors.shape)], axis=2)


def _steps(sums: FloatArray, dimensions: int) -> tuple[FloatArray, FloatArray]:
    """Split each difference by passage [simulation, passage]; give its jackknife error too."""
    total = sums.sum(axis=1)
    variation = total[:, 1 + dimensions : 1 + 2 * dimensions]
    variation = variation - total[:, 1 : 1 + dimensions] ** 2 / total[:, :1]
    errors = sums[:, :, 1 + 2 * dimensions :].reshape(*sums.shape[:2], dimensions, 2)
    steps = ((errors[..., 1] - errors[..., 0]) / variation[:, None]).mean(axis=2)
    left_out = pair_of_columns(total[:, None] - sums, dimensions)[..., 2]
    return steps, np.sqrt((sums.shape[1] - 1) * left_out.var(axis=1))


def _equally_good(targets: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Scale the errors of the second model so that R2 is equal in every dimension."""
    squares = ((np.stack([first, second]) - targets) ** 2).sum(axis=1)
    if not squares.all():
        raise StatisticsError(
            f"a model predicts dimension {np.flatnonzero(~squares.all(axis=0)).tolist()} without "
            "error, so no equally good second model can be made. Simulate with out-of-fold "
            "predictions."
        )
    levelled: FloatArray = targets + (second - targets) * np.sqrt(squares[0] / squares[1])
    return levelled
