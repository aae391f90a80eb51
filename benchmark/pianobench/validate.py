"""Do the statistics hold what they say: simulations from stored results, against fixed bars.

Intervals should cover the truth in 95% of the data sets that might have been, and tests should
reject a true hypothesis in 5%. Both are measured on data sets drawn from the real labels and the
predictions of two models (see `pianobench.statistics.simulation` and its neighbours).

So are the methods that take clips as independent, as a *contrast*: data on which those look right
too are no trial of anything. On a corpus whose clips are nearly independent a contrast may be
absent; that is reported, and breaks no bar.

A measured rate counts as within its bar unless it is beyond by more than three standard errors of a
rate that lies on the bar: with some twenty bars, fewer than one run in thirty reports a rate that
is exactly on its bar as beyond it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from . import statistics
from .contenders import Contenders
from .errors import SplitError, StatisticsError, UsageError
from .metrics import LabelArray
from .progress import track
from .scopes import refusal
from .statistics import Rate

__all__ = ["TOLERANCE", "Measurement", "Validation", "judge", "validate"]

TOLERANCE = 3.0
"""Standard errors of the simulation that a rate may lie beyond its bar."""

_ABSENT = (
    "{} contrasts absent: these clips are so nearly independent that naive methods err little, so "
    "they try ours little."
)
SCOPE_G = ("coverage, G", "error rate, G")
PAIR = ("first", "second", "difference")


class Bar(NamedTuple):
    """Limits of a rate, infinite on an open side; a contrast is what a naive method should show."""

    low: float = -inf
    high: float = inf
    contrast: bool = False


BARS: dict[tuple[str, str, str], Bar] = {
    **{("coverage, C", "jackknife-t", name): Bar(0.92, 0.98) for name in PAIR},
    **{("coverage, C", "iid-percentile", name): Bar(high=0.82, contrast=True) for name in PAIR},
    **{("coverage, G", "two-way-jackknife-t", name): Bar(low=0.93) for name in PAIR},
    **{("coverage, G", "iid-percentile", name): Bar(high=0.65, contrast=True) for name in PAIR},
    **{("error rate, C", "sign-flip", name): Bar(0.036, 0.065) for name in ("swapped", "levelled")},
    **{
        ("error rate, C", "paired-t", name): Bar(low=0.15, contrast=True)
        for name in ("swapped", "levelled")
    },
    ("error rate, G", "two-way-t", "difference"): Bar(high=0.065),
    ("error rate, G", "two-way-t, Holm", "any dimension"): Bar(high=0.05),
}
"""By study, method and quantity; other rates are measured and shown without a bar."""


class Measurement(BaseModel):
    """One rate, its Monte Carlo standard error, and whether it is within its bar."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    study: str
    method: str
    quantity: str
    value: float
    monte_carlo_error: float
    simulations: int
    low: float | None
    high: float | None
    """The bar; None on an open side."""
    kept: bool | None
    """None where there is no bar."""
    contrast: bool
    """Whether it is a naive method, which should err: its bar is one of the data, not of ours."""


class Validation(BaseModel):
    """Every rate that was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    dataset: str
    version: str
    protocol: str
    models: tuple[str, str]
    clips: int
    passages: int
    scale: float
    """Share of the full number of simulations."""
    seed: int
    tolerance: float
    """Standard errors that a rate may lie beyond its bar."""
    measurements: list[Measurement]
    limits: list[str]
    """Studies that this corpus does not support, and why; their bars are not measured."""

    @property
    def broken(self) -> int:
        """Number of bars that are not kept, contrasts not counted."""
        return sum(row.kept is False and not row.contrast for row in self.measurements)

    def text(self) -> str:
        """Lay the table out for a terminal."""
        from tabulate import tabulate

        headers = ["study", "method", "quantity", "measured", "simulations", "bar", ""]
        rows = [
            [
                row.study,
                row.method,
                row.quantity,
                f"{row.value:.3f} ± {row.monte_carlo_error:.3f}",
                str(row.simulations),
                _bar_text(row),
                _mark(row),
            ]
            for row in self.measurements
        ]
        bars = sum(row.kept is not None and not row.contrast for row in self.measurements)
        absent = sum(row.kept is False and row.contrast for row in self.measurements)
        return "\n".join(
            [
                f"{self.dataset}, protocol {self.protocol}: {self.clips} clips, {self.passages} "
                f"passages; {self.models[0]} and {self.models[1]}",
                "",
                tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True),
                "",
                f"{bars - self.broken} of {bars} bars kept, to within {self.tolerance:g} standard "
                "errors of the simulation.",
                *([_ABSENT.format(absent)] if absent else []),
                *(f"not measured: {limit}" for limit in self.limits),
            ]
        )


def validate(given: Contenders, scale: float = 1.0, seed: int = 0) -> Validation:
    """Measure coverage and error rates.

    Parameters
    ----------
    given : Contenders
        Two models whose labels and predictions are the population.
    scale : float > 0
        Share of the full number of simulations (2,000 and 1,500 for coverage in C and G, 3,000 and
        2,000 for error rates).
    seed : int

    Raises
    ------
    UsageError
        For a protocol whose differences are not tested, other than two models, or a scale that is
        not positive.
    StatisticsError
        For too few passages, or a model without error.
    """
    refused = refusal(given.protocol)
    if refused is not None:
        raise UsageError(f"There is nothing to validate: {refused}")
    if len(given.names) != 2:
        raise UsageError(f"{len(given.names)} results given; simulations need exactly two.")
    if not scale > 0:
        raise UsageError(f"Scale {scale} is not positive. Give a share of the full size, up to 1.")
    measurements: list[Measurement] = []
    limits: list[str] = []
    studies = _studies(given, scale, seed)
    for study, simulate in track(studies, len(studies), "validate", "part"):
        try:
            measurements += [judge(study, rate) for rate in simulate()]
        except (SplitError, StatisticsError) as error:
            if study not in SCOPE_G:
                raise
            limits.append(f"{study}: {error}")
    return Validation(
        dataset=given.corpus.name,
        version=given.corpus.version,
        protocol=given.protocol,
        models=(given.names[0], given.names[1]),
        clips=len(given.clips),
        passages=len(set(given.group("passage").tolist())),
        scale=scale,
        seed=seed,
        tolerance=TOLERANCE,
        measurements=measurements,
        limits=limits,
    )


def judge(study: str, rate: Rate) -> Measurement:
    """Hold a measured rate against its bar, if it has one.

    Parameters
    ----------
    study : str
        ``coverage`` or ``error rate``, and the scope: a first part of a key of `BARS`.
    rate : Rate
    """
    bar = BARS.get((study, rate.method, rate.quantity))
    return Measurement(
        study=study,
        **rate._asdict(),
        low=None if bar is None or bar.low == -inf else bar.low,
        high=None if bar is None or bar.high == inf else bar.high,
        kept=None if bar is None else _kept(rate, bar),
        contrast=bar is not None and bar.contrast,
    )


def _kept(rate: Rate, bar: Bar) -> bool:
    def slack(end: float) -> float:
        # The error at the bar, not at the rate: a rate of 0 or 1 would seem to have none.
        return TOLERANCE * sqrt(end * (1 - end) / rate.simulations) if 0 < end < 1 else 0.0

    return bar.low - slack(bar.low) <= rate.value <= bar.high + slack(bar.high)


def _studies(
    given: Contenders, scale: float, seed: int
) -> Sequence[tuple[str, Callable[[], list[Rate]]]]:
    targets, (first, second) = given.targets, given.predictions
    passages = given.group("passage")

    def crossed() -> tuple[LabelArray, LabelArray, NDArray[np.bool_]]:
        return passages, given.group("performer"), given.fixed

    def size(full: int) -> int:
        return ceil(full * scale)

    return [
        (
            "coverage, C",
            lambda: statistics.coverage_of_passages(
                targets, first, second, passages, seed=seed, simulations=size(2_000)
            ),
        ),
        (
            "coverage, G",
            lambda: statistics.coverage_of_crossed(
                targets, first, second, *crossed(), seed=seed, simulations=size(1_500)
            ),
        ),
        (
            "error rate, C",
            lambda: statistics.error_rate_of_passages(
                targets, first, second, passages, seed=seed, simulations=size(3_000)
            ),
        ),
        (
            "error rate, G",
            lambda: statistics.error_rate_of_crossed(
                targets, first, second, *crossed(), seed=seed, simulations=size(2_000)
            ),
        ),
    ]


def _mark(row: Measurement) -> str:
    if row.kept is None:
        return ""
    if row.contrast:
        return "contrast" if row.kept else "no contrast"
    return "kept" if row.kept else "BROKEN"


def _bar_text(row: Measurement) -> str:
    if row.low is not None and row.high is not None:
        return f"{row.low:g} to {row.high:g}"
    if row.low is not None:
        return f"at least {row.low:g}"
    return "" if row.high is None else f"at most {row.high:g}"
