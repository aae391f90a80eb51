"""Coverage and error rates when passages and performers are new (scope G), by simulation.

Data are drawn from crossed random effects fitted to the real targets and errors, see
`pianobench.statistics.crossed`. For error rates the two models are made exchangeable.

There are two truths to cover. The *expected* R2 of a data set of this size is the mean over
simulations. The *unlimited* R2, all simulations pooled, is higher: few passages show less than the
whole variance of the labels, which is R2's denominator. On PercePiano that is up to half a standard
error of a model's R2, and a tenth of one of a difference, in which it cancels.

What enters: targets, first, second [clip, dimension], passages, performers [clip], fixed [clip].
What leaves: a table of `pianobench.statistics.simulation.Rate`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..metrics import FloatArray, LabelArray
from .crossed import crossed_effects, draws, equally_good
from .jackknife import two_way_jackknife
from .multiplicity import holm
from .published import clip_differences, iid_percentile, paired_t_p_value, signed_rank
from .simulation import Rate, rate
from .sums import PAIR, clip_columns, pair_of_columns

__all__ = ["coverage_of_crossed", "error_rate_of_crossed"]


def coverage_of_crossed(
    targets: FloatArray,
    first: FloatArray,
    second: FloatArray,
    passages: LabelArray,
    performers: LabelArray,
    fixed: NDArray[np.bool_],
    seed: int,
    simulations: int = 1_500,
    resamples: int = 400,
) -> list[Rate]:
    """Coverage of 95% intervals of two models' R2 and of their difference.

    Parameters
    ----------
    targets, first, second : np.ndarray [shape=(clip, dimension)]
    passages, performers : np.ndarray [shape=(clip,)], int or str
    fixed : np.ndarray of bool [shape=(clip,)]
        True for machine renditions.
    seed : int
    simulations : int > 0
    resamples : int > 0
        Of the bootstrap of clips inside each simulation.

    Returns
    -------
    list of Rate
        Methods ``two-way-jackknife-t``, ``jackknife-t`` (passages only) and ``iid-percentile``,
        each for ``first``, ``second`` and ``difference``; the expected value unless the name says
        ``unlimited``.

    Raises
    ------
    StatisticsError
        When arrays disagree or hold NaN, for fewer than 5 groups, constant targets, or a design in
        which no two clips share a passage, a performer or both.
    """
    predictions = np.stack([first, second])
    effects = crossed_effects(targets, predictions, passages, performers, fixed)
    rng = np.random.default_rng(seed)
    dimensions = targets.shape[1]
    pooled = np.zeros(1 + 4 * dimensions)
    estimates = []
    bounds: dict[str, list[tuple[FloatArray, FloatArray]]] = {}
    for y, drawn in draws(effects, simulations, rng):
        columns = clip_columns(y, drawn)
        pooled += _about(columns.sum(axis=0), y.mean(axis=0) - targets.mean(axis=0))
        two_way = two_way_jackknife(y, drawn, passages, performers, fixed)
        wide = two_way.interval(_quantities)
        narrow = replace(two_way, performer=None, cell=None).interval(_quantities)
        naive = iid_percentile(columns.astype(np.float32), dimensions, rng, resamples)
        estimates.append(wide.estimate)
        bounds.setdefault("two-way-jackknife-t", []).append((wide.low, wide.high))
        bounds.setdefault("jackknife-t", []).append((narrow.low, narrow.high))
        bounds.setdefault("iid-percentile", []).append(naive)
    truths = {
        "{}": np.mean(estimates, axis=0),
        "{}, unlimited": pair_of_columns(pooled, dimensions),
    }
    rates = []
    for template, truth in truths.items():
        for method, ends in bounds.items():
            low, high = np.moveaxis(np.array(ends), 1, 0)
            hits = zip(PAIR, ((low <= truth) & (truth <= high)).T, strict=True)
            rates += [rate(method, template.format(name), hit) for name, hit in hits]
    return rates


def error_rate_of_crossed(
    targets: FloatArray,
    first: FloatArray,
    second: FloatArray,
    passages: LabelArray,
    performers: LabelArray,
    fixed: NDArray[np.bool_],
    seed: int,
    simulations: int = 2_000,
) -> list[Rate]:
    """Share of true null hypotheses that tests reject at 5%.

    Parameters
    ----------
    targets, first, second, passages, performers, fixed, seed, simulations
        See `coverage_of_crossed`.

    Returns
    -------
    list of Rate
        Methods ``two-way-t``, ``paired-t`` and ``wilcoxon`` (clips as if independent) of the
        difference in mean R2, and ``two-way-t, Holm`` of any dimension at all (family-wise).

    Raises
    ------
    StatisticsError
        As `coverage_of_crossed`.
    """
    predictions = np.stack([first, second])
    fitted = crossed_effects(targets, predictions, passages, performers, fixed)
    two_way, family, paired_t, ranks = [], [], [], []
    for y, drawn in draws(equally_good(fitted), simulations, np.random.default_rng(seed)):
        left_out = two_way_jackknife(y, drawn, passages, performers, fixed)
        two_way.append(left_out.difference(1).p_value[0])
        family.append(holm(left_out.difference_per_dimension(1).p_value[0]).min())
        gains = clip_differences(y, *drawn)
        paired_t.append(paired_t_p_value(len(gains), gains.sum(), (gains**2).sum()))
        ranks.append(signed_rank(gains)[1])
    return [
        rate("two-way-t", "difference", np.array(two_way)),
        rate("two-way-t, Holm", "any dimension", np.array(family)),
        rate("paired-t", "difference", np.array(paired_t)),
        rate("wilcoxon", "difference", np.array(ranks)),
    ]


def _quantities(r2: FloatArray) -> FloatArray:
    """Mean R2 of both models and their difference [..., 3] from R2 [..., 2, dimension]."""
    mean = r2.mean(axis=-1)
    return np.concatenate([mean, mean[..., :1] - mean[..., 1:]], axis=-1)


def _about(total: FloatArray, shift: FloatArray) -> FloatArray:
    """Move sums [column], centred on their own mean, to an origin `shift` [dimension] below it."""
    dimensions = len(shift)
    moved = total.copy()
    moved[1 : 1 + dimensions] += total[0] * shift
    moved[1 + dimensions : 1 + 2 * dimensions] += total[0] * shift**2
    return moved
