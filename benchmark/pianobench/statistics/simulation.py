"""How often intervals cover the truth when passages are new (scope C), by simulation.

Real targets and predictions are taken as the population. Passages are drawn from it with
replacement, clips and all, so the truth is known: the R2 of the real data.

What enters: targets, first, second [clip, dimension], passages [clip], a number of simulations and
a seed. What leaves: a table of `Rate`, each with its Monte Carlo error. Error rates of tests are in
`pianobench.statistics.simulation_tests`, scope G in `pianobench.statistics.simulation_crossed`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ..metrics import FloatArray, LabelArray
from .bootstrap import bca_interval, counts_of, percentile_interval
from .published import iid_percentile
from .sums import PAIR, clip_columns, group_sums, pair_of_columns

__all__ = ["Rate", "coverage_of_passages", "rate"]


class Rate(NamedTuple):
    """A share of simulations.

    Attributes
    ----------
    method, quantity : str
    value : float
        Share of intervals that cover the truth, or of tests that reject.
    monte_carlo_error : float
        Standard error of `value`.
    simulations : int
    """

    method: str
    quantity: str
    value: float
    monte_carlo_error: float
    simulations: int


def coverage_of_passages(
    targets: FloatArray,
    first: FloatArray,
    second: FloatArray,
    passages: LabelArray,
    seed: int,
    simulations: int = 2_000,
    resamples: int = 1_000,
) -> list[Rate]:
    """Coverage of 95% intervals of two models' R2 and of their difference.

    Parameters
    ----------
    targets, first, second : np.ndarray [shape=(clip, dimension)]
    passages : np.ndarray [shape=(clip,)], int or str
    seed : int
    simulations : int > 0
    resamples : int > 0
        Of each bootstrap inside each simulation.

    Returns
    -------
    list of Rate
        Methods ``jackknife-t``, ``bca``, ``percentile`` (passages) and ``iid-percentile`` (clips as
        if independent, the study's interval), each for ``first``, ``second`` and ``difference``.

    Raises
    ------
    StatisticsError
        When arrays disagree or hold NaN, for fewer than 5 passages or constant targets.
    """
    columns = clip_columns(targets, np.stack([first, second]))
    sums = group_sums(columns, passages, "passage")
    members = [columns[passages == name].astype(np.float32) for name in sums.names]
    groups, dimensions = len(members), targets.shape[1]
    truth = pair_of_columns(sums.columns.sum(axis=0), dimensions)
    rng = np.random.default_rng(seed)
    covered: dict[str, list[NDArray[np.bool_]]] = {}
    for _ in range(simulations):
        drawn = rng.integers(0, groups, groups)
        sample = sums.columns[drawn]
        estimate = pair_of_columns(sample.sum(axis=0), dimensions)
        left_out = pair_of_columns(sample.sum(axis=0) - sample, dimensions)
        reach = stdtrit(groups - 1, 0.975) * np.sqrt((groups - 1) * left_out.var(axis=0))
        counts = counts_of(rng.integers(0, groups, (resamples, groups)), groups)
        distribution = pair_of_columns(counts @ sample.astype(np.float32), dimensions)
        clips = np.concatenate([members[group] for group in drawn])
        bounds = {
            "jackknife-t": (estimate - reach, estimate + reach),
            "bca": bca_interval(distribution, estimate, left_out),
            "percentile": percentile_interval(distribution),
            "iid-percentile": iid_percentile(clips, dimensions, rng, resamples),
        }
        for method, (low, high) in bounds.items():
            covered.setdefault(method, []).append((low <= truth) & (truth <= high))
    return [
        rate(method, quantity, hits)
        for method, found in covered.items()
        for quantity, hits in zip(PAIR, np.array(found).T, strict=True)
    ]


def rate(method: str, quantity: str, outcomes: NDArray[np.bool_] | FloatArray) -> Rate:
    """Summarise outcomes [simulation]: booleans as they are, p-values by rejection at 5%."""
    hits = outcomes if outcomes.dtype == bool else outcomes <= 0.05
    share = float(np.mean(hits))
    error = float(np.sqrt(share * (1 - share) / len(hits)))
    return Rate(method, quantity, share, error, len(hits))
