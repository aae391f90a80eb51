"""Differences of R2 with their intervals and tests, in scope C and in scope G.

`Contenders` enter. For the first model against each of the others, and for every quantity that is
compared (overall, each category, each dimension), a `ScopeTest` leaves. A quantity is a weighted
mean of the dimensions' R2, so one jackknife serves all of them.

Seeds: predictions are averaged over them; the variance that is left, ``Var_seed / S`` of each
model, is added to that of the passages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from . import statistics
from .comparison import ScopeTest
from .contenders import Contenders
from .metrics import FloatArray, pooled_r2
from .split import PROTOCOLS
from .statistics import DimensionTests, Interval, Jackknife
from .values import Dimension

__all__ = ["SEED", "Quantities", "Scope", "quantities_of", "refusal", "scope_c", "scope_g"]

SEED = 0
"""Of flips and resamples: the same in every comparison, so that it can be repeated."""


class Quantities(NamedTuple):
    """What is compared.

    Attributes
    ----------
    categories : tuple of str
    members : tuple of list of int
        Dimensions of each category.
    weights : np.ndarray [shape=(quantity, dimension)]
        The overall mean first, then each category's, then each dimension.
    """

    categories: tuple[str, ...]
    members: tuple[list[int], ...]
    weights: FloatArray

    @property
    def families(self) -> tuple[slice, slice]:
        """Quantities of one pair that are shown, and corrected, together."""
        first = 1 + len(self.categories)
        return slice(1, first), slice(first, None)


@dataclass(frozen=True)
class Scope:
    """One scope's answer.

    Attributes
    ----------
    models : Interval
        Of each model's mean R2, arrays [model].
    tests : list of list of ScopeTest
        [pair][quantity].
    dimensions : list of DimensionTests
        [pair], by sign flips; empty in scope G.
    """

    models: Interval
    tests: list[list[ScopeTest]]
    dimensions: list[DimensionTests]


def quantities_of(dimensions: Sequence[Dimension]) -> Quantities:
    """List the overall mean, the categories in order of appearance, and the dimensions."""
    categories = tuple(dict.fromkeys(d.category for d in dimensions if d.category))
    members = tuple([i for i, d in enumerate(dimensions) if d.category == c] for c in categories)
    identity = np.eye(len(dimensions))
    rows = [identity.mean(axis=0), *(identity[chosen].mean(axis=0) for chosen in members)]
    return Quantities(categories, members, np.vstack([*rows, identity]))


def refusal(protocol: str) -> str | None:
    """Say why differences under a protocol cannot be tested; None where they can."""
    chosen = PROTOCOLS[protocol]
    if chosen.interval:
        return None
    tested = ", ".join(name for name, other in PROTOCOLS.items() if other.interval)
    return (
        f"differences under the protocol {protocol!r} ({chosen.summary}) are not tested: its units "
        f"are too few, or share music with what was learned from. Tested are {tested}."
    )


def scope_c(given: Contenders, quantities: Quantities) -> Scope:
    """Answer for new passages by these performers: jackknife-t intervals, sign-flip tests.

    Raises
    ------
    StatisticsError
        For fewer than 5 passages, or labels that are constant without one of them.
    """
    passages = given.group("passage")
    jackknife = statistics.passage_jackknife(given.targets, given.predictions, passages)
    found = [
        statistics.dimension_tests(given.targets, given.predictions[0], other, passages, seed=SEED)
        for other in given.predictions[1:]
    ]
    everything = list(range(given.targets.shape[1]))
    means = [_sign_flips(given, chosen) for chosen in (everything, *quantities.members)]
    raw = np.hstack([np.stack(means, axis=1), np.stack([tests.p_value for tests in found])])
    adjusted = _holm(raw, quantities)
    adjusted[:, quantities.families[1]] = np.stack([tests.max_t for tests in found])
    differences = _differences(jackknife, given, quantities)
    tests = _tests(differences, raw, adjusted, quantities)
    return Scope(_models(jackknife, given), tests, found)


def scope_g(given: Contenders, quantities: Quantities) -> Scope:
    """Answer for new passages and new performers: two-way jackknife-t, machines fixed.

    Raises
    ------
    SplitError
        If the corpus does not name performers.
    StatisticsError
        As `scope_c`, and for fewer than 5 performers.
    """
    jackknife = statistics.two_way_jackknife(
        given.targets,
        given.predictions,
        given.group("passage"),
        given.group("performer"),
        given.fixed,
    )
    differences = _differences(jackknife, given, quantities)
    raw = differences.p_value
    tests = _tests(differences, raw, _holm(raw, quantities), quantities)
    return Scope(_models(jackknife, given), tests, [])


def _sign_flips(given: Contenders, chosen: list[int]) -> FloatArray:
    """p-value of the first model against each other on the mean of some dimensions [pair]."""
    found = statistics.pair_tests(
        given.targets[:, chosen], given.predictions[:, :, chosen], given.group("passage"), seed=SEED
    )
    return found.p_value[0, 1:]


def _models(jackknife: Jackknife, given: Contenders) -> Interval:
    mean = np.full((1, given.targets.shape[1]), 1 / given.targets.shape[1])
    return _widened(jackknife.r2(), _seed_noise(given, mean)[:, 0])


def _differences(jackknife: Jackknife, given: Contenders, quantities: Quantities) -> Interval:
    """First model minus each other; arrays [pair, quantity]."""

    def contrast(r2: FloatArray) -> FloatArray:
        difference: FloatArray = (r2[..., :1, :] - r2[..., 1:, :]) @ quantities.weights.T
        return difference

    noise = _seed_noise(given, quantities.weights)
    return _widened(jackknife.interval(contrast), noise[:1] + noise[1:])


def _seed_noise(given: Contenders, weights: FloatArray) -> FloatArray:
    """Variance that averaging over a model's seeds leaves [model, quantity]; 0 for one seed."""
    noise = np.zeros((len(given.by_seed), len(weights)))
    for row, values in zip(noise, given.by_seed, strict=True):
        if len(values) > 1:
            r2 = pooled_r2(given.targets, values) @ weights.T
            row[:] = r2.var(axis=0, ddof=1) / len(values)
    return noise


def _widened(interval: Interval, variance: FloatArray) -> Interval:
    error = np.sqrt(interval.standard_error**2 + variance)
    return statistics.t_interval(interval.estimate, error, interval.df, interval.level)


def _holm(p_values: FloatArray, quantities: Quantities) -> FloatArray:
    """Adjust p-values [pair, quantity]: overall over pairs, the others within their pair."""
    adjusted = np.empty_like(p_values)
    adjusted[:, 0] = statistics.holm(p_values[:, 0])
    for row, corrected in zip(p_values, adjusted, strict=True):
        for family in quantities.families:
            corrected[family] = statistics.holm(row[family])
    return adjusted


def _tests(
    interval: Interval, raw: FloatArray, adjusted: FloatArray, quantities: Quantities
) -> list[list[ScopeTest]]:
    equivalent = statistics.tost(interval)
    equivalent_adjusted = _holm(equivalent, quantities)
    detectable = statistics.smallest_detectable_difference(interval.standard_error, interval.df)

    def test(*at: int) -> ScopeTest:
        return ScopeTest(
            low=float(interval.low[at]),
            high=float(interval.high[at]),
            standard_error=float(interval.standard_error[at]),
            df=interval.df,
            p_value=float(raw[at]),
            p_adjusted=float(adjusted[at]),
            p_equivalent=float(equivalent[at]),
            p_equivalent_adjusted=float(equivalent_adjusted[at]),
            detectable=float(detectable[at]),
            verdict=statistics.verdict(
                float(interval.estimate[at]),
                float(adjusted[at]),
                float(equivalent_adjusted[at]),
            ),
        )

    pairs, count = interval.estimate.shape
    return [[test(pair, quantity) for quantity in range(count)] for pair in range(pairs)]
