"""The smallest difference that a dataset and protocol can show, given how alike the errors are.

Two models that err alike are easier to tell apart: what both get wrong cancels. A stored pair of
models with known error correlation calibrates what another correlation would give.

For bivariate normal errors a and b with variances A and B and correlation r, Isserlis' theorem
gives ``Var(a^2 - b^2) = 2 A^2 + 2 B^2 - 4 r^2 A B``. With models of like quality (A = B) that is
``4 A^2 (1 - r^2)``. The same factor holds for the covariance between two clips: where each model's
errors on the two have covariance c, and the errors of one model on the first clip and of the other
on the second have covariance r c, it is ``4 c^2 (1 - r^2)``. So the variance of a sum over clips,
passages and performers scales by it as well, and a difference in R2 is such a sum over fixed total
squares:

``SE(r) = SE(r0) sqrt((2 - 2 r^2) / (q + 1 / q - 2 r0^2))``

with r0 and q, the ratio of the squared errors, of the pair that calibrates; for a pair of like
quality (q = 1) it is ``SE(r0) sqrt((1 - r^2) / (1 - r0^2))``.

Limits: errors are not quite normal; models may be more alike between passages than between takes of
one passage; the models to be compared are taken to be about as good as those of the pair; noise of
seeds is left out.

References
----------
Isserlis (1918), Biometrika 12, 134-139. doi:10.1093/biomet/12.1-2.134
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from . import statistics
from .contenders import Contenders
from .errors import SplitError, StatisticsError, UsageError
from .metrics import FloatArray, pooled_r2
from .scopes import refusal
from .statistics import Interval

__all__ = ["Detectable", "Power", "power", "scaled_error"]

POWER = 0.8
CORRELATIONS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


class Detectable(BaseModel):
    """What can be shown at one error correlation; of scope G None where it is not supported."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    correlation: float
    standard_error_c: float
    detectable_c: float
    standard_error_g: float | None
    detectable_g: float | None


class Power(BaseModel):
    """Smallest differences in R2 that a two-sided test at 5% finds with the given power."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    dataset: str
    protocol: str
    calibrated_on: tuple[str, str]
    power: float
    pair: Detectable
    """The pair itself, as measured."""
    error_ratio: float
    """Squared errors of the first model over those of the second."""
    rows: list[Detectable]
    limits: list[str]

    def text(self) -> str:
        """Lay it out for a terminal."""
        from tabulate import tabulate

        def cells(row: Detectable, what: str) -> list[str]:
            return [
                what,
                f"{row.standard_error_c:.4f}",
                f"{row.detectable_c:.3f}",
                "" if row.standard_error_g is None else f"{row.standard_error_g:.4f}",
                "" if row.detectable_g is None else f"{row.detectable_g:.3f}",
            ]

        first, second = self.calibrated_on
        rows = [cells(row, f"{row.correlation:.2f}") for row in self.rows]
        rows.append(cells(self.pair, f"{self.pair.correlation:.2f} (this pair, as measured)"))
        headers = ["error correlation", "SE (C)", "detectable (C)", "SE (G)", "detectable (G)"]
        lines = [
            f"{self.dataset}, protocol {self.protocol}: smallest difference in R2 found with "
            f"{self.power:.0%} power at 5%,",
            f"for models about as good as {first} and {second}, which calibrate it",
            "",
            tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True),
            *(f"note: {limit}" for limit in self.limits),
        ]
        return "\n".join(lines)


def power(given: Contenders, correlations: Sequence[float] | None = None) -> Power:
    """Say which differences can be shown.

    Parameters
    ----------
    given : Contenders
        Two models; the pair that calibrates.
    correlations : sequence of float in (-1, 1), optional
        Raw correlations of errors, as `bench compare` prints them; default a range.

    Raises
    ------
    UsageError
        For a protocol whose differences are not tested, more than two models, or a correlation
        outside (-1, 1).
    StatisticsError
        For two models that predict alike, or too few passages.
    """
    refused = refusal(given.protocol)
    if refused is not None:
        raise UsageError(f"There is no power to state: {refused}")
    if len(given.names) != 2:
        raise UsageError(f"{len(given.names)} results given; power is calibrated on exactly two.")
    asked = CORRELATIONS if correlations is None else tuple(correlations)
    beyond = [r for r in asked if not -1 < r < 1]
    if beyond:
        raise UsageError(f"Error correlation {beyond[0]} is not between -1 and 1.")
    targets, predictions, passages = given.targets, given.predictions, given.group("passage")
    first, second = 1 - pooled_r2(targets, predictions).mean(axis=1)
    if np.array_equal(predictions[0], predictions[1]) or not first * second > 0:
        raise StatisticsError(
            f"{given.names[0]} and {given.names[1]} predict alike, or without any error, so they "
            "say nothing about other pairs. Calibrate on two models that differ."
        )
    ones = np.ones(targets.shape[1])
    correlation = statistics.error_correlation(targets, predictions[0], predictions[1], ones).raw
    c = statistics.passage_jackknife(targets, predictions, passages).difference(1)
    limits: list[str] = []
    g = None
    try:
        performers = given.group("performer")
        g = statistics.two_way_jackknife(targets, predictions, passages, performers, given.fixed)
    except (SplitError, StatisticsError) as error:
        limits.append(f"new performers (G): {error}")
    wide = None if g is None else g.difference(1)
    ratio = float(first / second)
    scales = [float(scaled_error(np.array(1.0), correlation, r, ratio)) for r in asked]
    return Power(
        dataset=given.corpus.name,
        protocol=given.protocol,
        calibrated_on=(given.names[0], given.names[1]),
        power=POWER,
        pair=_detectable(correlation, c, wide, 1.0),
        error_ratio=ratio,
        rows=[_detectable(r, c, wide, scale) for r, scale in zip(asked, scales, strict=True)],
        limits=limits,
    )


def scaled_error(
    standard_error: FloatArray, pair_correlation: float, correlation: float, error_ratio: float = 1
) -> FloatArray:
    """Carry the standard error of a difference in R2 over to another error correlation.

    Parameters
    ----------
    standard_error : np.ndarray [shape=(...)]
        Of the pair that calibrates.
    pair_correlation : float in (-1, 1)
        Of the errors of that pair.
    correlation : float in (-1, 1)
        Of the errors of two models of like quality.
    error_ratio : float > 0
        Squared errors of the first model of the pair over those of the second.

    Returns
    -------
    np.ndarray [shape=(...)]

    Examples
    --------
    >>> scaled_error(np.array([0.02]), 0.6, 0.8).round(4).tolist()  # sqrt(0.36 / 0.64) = 0.75
    [0.015]
    """
    pair = error_ratio + 1 / error_ratio - 2 * pair_correlation**2
    scaled: FloatArray = standard_error * np.sqrt((2 - 2 * correlation**2) / pair)
    return scaled


def _detectable(correlation: float, c: Interval, g: Interval | None, scale: float) -> Detectable:
    def found(interval: Interval) -> tuple[float, float]:
        error = interval.standard_error[:1] * scale
        detectable = statistics.smallest_detectable_difference(error, interval.df, POWER)
        return float(error[0]), float(detectable[0])

    wide = (None, None) if g is None else found(g)
    narrow = found(c)
    return Detectable(
        correlation=correlation,
        standard_error_c=narrow[0],
        detectable_c=narrow[1],
        standard_error_g=wide[0],
        detectable_g=wide[1],
    )
