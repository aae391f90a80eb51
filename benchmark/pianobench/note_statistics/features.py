"""How a feature is named, documented and measured.

A `Feature` is one number with its unit and meaning. A `Series` is a list of numbers per clip
(velocities, inter-onset intervals, ...) that several statistics summarise, one feature each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Feature", "Floats", "Series", "correlation", "log_s", "mean", "slope"]

Floats = NDArray[np.float64]

_SHORTEST_S = 0.01  # below it, lengths are errors of measurement and no differences of playing


class Feature(NamedTuple):
    """One statistic of a performance.

    Attributes
    ----------
    name : str
    unit : str
        ``"1"`` for shares, correlations and other pure numbers; ``"log"`` is natural.
    meaning : str
    """

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers of one kind, summarised.

    Attributes
    ----------
    name, unit : str
    meaning : str
        What one of the numbers is.
    statistics : tuple of str
        ``mean``, ``std``, ``max`` or a percentile such as ``p95``.
    """

    name: str
    unit: str
    meaning: str
    statistics: tuple[str, ...] = ("mean", "std")

    @property
    def features(self) -> tuple[Feature, ...]:
        """One feature per statistic."""
        return tuple(
            Feature(f"{self.name}_{statistic}", self.unit, f"{statistic} of the {self.meaning}")
            for statistic in self.statistics
        )

    def measure(self, values: Floats) -> dict[str, float]:
        """Feature name -> value; zero where there is nothing to summarise."""
        if not len(values):
            return {feature.name: 0.0 for feature in self.features}
        percents = [int(s[1:]) for s in self.statistics if s[0] == "p"]
        known = {"mean": values.mean(), "std": values.std(), "max": values.max()}
        known |= {
            f"p{percent}": value
            for percent, value in zip(percents, np.percentile(values, percents), strict=True)
        }
        return {
            f"{self.name}_{statistic}": float(known[statistic]) for statistic in self.statistics
        }


def log_s(seconds: Floats) -> Floats:
    """Lengths of time as base-2 logarithms of seconds, from 10 ms up: equal ratios, equal steps."""
    logarithm: Floats = np.log2(np.maximum(seconds, _SHORTEST_S))
    return logarithm


def mean(values: Floats, empty: float = 0.0) -> float:
    """Mean of the values; `empty` where there are none."""
    return float(values.mean()) if len(values) else empty


def slope(x: Floats, y: Floats) -> float:
    """Least-squares slope of y over x; zero where x does not vary."""
    centred = x - x.mean()
    scatter = float(centred @ centred)
    return float(centred @ y) / scatter if scatter > 0 else 0.0


def correlation(a: Floats, b: Floats) -> float:
    """Pearson correlation; zero where either does not vary."""
    if not len(a):
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    # A machine's tempo and loudness are constant but for rounding.
    return float(a @ b) / scale if scale > 1e-9 * len(a) else 0.0
