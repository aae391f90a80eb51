"""How a quantity moves from beat to beat, or from bar to bar: features of curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pianobench.note_statistics.features import Feature, Floats, correlation, slope

__all__ = ["Curve", "difference", "per_measure"]

Measure = Callable[[Floats], float]


def _end(values: Floats) -> float:
    """Mean of the last quarter, at least one value, less the mean of all."""
    return float(values[min(int(0.75 * len(values)), len(values) - 1) :].mean() - values.mean())


_KNOWN: Mapping[str, tuple[str, Measure]] = {
    "std": ("deviation of", lambda v: float(v.std())),
    "range": ("p95 less p5 of", lambda v: float(np.subtract(*np.percentile(v, [95, 5])))),
    "slope": (
        "rise by a straight line of",
        lambda v: len(v) * slope(np.arange(len(v), dtype=np.float64), v),
    ),
    "end": ("last quarter less the mean of", _end),
    "step": ("mean absolute change of", lambda v: float(np.abs(np.diff(v)).mean())),
    "jump": (
        "p90 of the absolute change of",
        lambda v: float(np.percentile(np.abs(np.diff(v)), 90)),
    ),
    "memory": ("correlation of neighbours in", lambda v: correlation(v[:-1], v[1:])),
}
_PURE = ("memory",)


@dataclass(frozen=True, slots=True)
class Curve:
    """A quantity over the clip, summarised.

    Attributes
    ----------
    name, unit : str
    meaning : str
        What the values are.
    statistics : tuple of str
        Of ``std``, ``range``, ``slope``, ``end``, ``step``, ``jump`` and ``memory``.
    """

    name: str
    unit: str
    meaning: str
    statistics: tuple[str, ...]

    @property
    def features(self) -> tuple[Feature, ...]:
        """One feature per statistic."""
        return tuple(
            Feature(
                f"{self.name}_{statistic}",
                "1" if statistic in _PURE else self.unit,
                f"{_KNOWN[statistic][0]} the {self.meaning}",
            )
            for statistic in self.statistics
        )

    def measure(self, values: Floats) -> dict[str, float]:
        """Feature name -> value; zero where there are no two values."""
        if len(values) < 2:
            return {feature.name: 0.0 for feature in self.features}
        return {f"{self.name}_{s}": _KNOWN[s][1](values) for s in self.statistics}


def difference(values: Floats, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """Mean of the chosen values less that of the others; zero where either are none."""
    if chosen.all() or not chosen.any():
        return 0.0
    return float(values[chosen].mean() - values[~chosen].mean())


def per_measure(values: Floats, measure: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """Mean of the values of each measure that has any, in order."""
    _, which, count = np.unique(measure, return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(which, values) / count, dtype=np.float64)
