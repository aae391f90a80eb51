"""How a quantity moves from beat to beat, or from bar to bar: features of curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pianobench.note_statistics.features import Feature, Floats, correlation, slope

__all__ = ["SHAPE", "Curve", "difference", "per_measure"]

Measure = Callable[[Floats], float]


def _part(values: Floats, begin: float, end: float) -> Floats:
    """Part of the values, at least one, from a share of their number to another."""
    first = min(int(begin * len(values)), len(values) - 1)
    return values[first : max(first + 1, round(end * len(values)))]


def _arch(values: Floats) -> float:
    outer = np.concatenate([_part(values, 0, 0.25), _part(values, 0.75, 1)])
    return float(_part(values, 0.25, 0.75).mean() - outer.mean())


_KNOWN: Mapping[str, tuple[str, Measure]] = {
    "std": ("deviation of", lambda v: float(v.std())),
    "range": ("p95 less p5 of", lambda v: float(np.subtract(*np.percentile(v, [95, 5])))),
    "slope": (
        "rise by a straight line of",
        lambda v: len(v) * slope(np.arange(len(v), dtype=np.float64), v),
    ),
    "arch": ("middle half less outer quarters of", _arch),
    "start": (
        "first quarter less the mean of",
        lambda v: float(_part(v, 0, 0.25).mean() - v.mean()),
    ),
    "end": ("last quarter less the mean of", lambda v: float(_part(v, 0.75, 1).mean() - v.mean())),
    "last": ("last value less the median of", lambda v: float(v[-1] - np.median(v))),
    "step": ("mean absolute change of", lambda v: float(np.abs(np.diff(v)).mean())),
    "jump": (
        "p90 of the absolute change of",
        lambda v: float(np.percentile(np.abs(np.diff(v)), 90)),
    ),
    "memory": ("correlation of neighbours in", lambda v: correlation(v[:-1], v[1:])),
    "peak": ("place, as a share of the clip, of the highest of", lambda v: _place(np.argmax(v), v)),
    "trough": (
        "place, as a share of the clip, of the lowest of",
        lambda v: _place(np.argmin(v), v),
    ),
}
_PURE = ("memory", "peak", "trough")

SHAPE = ("std", "range", "slope", "arch", "start", "end", "step", "memory", "peak", "trough")


def _place(index: np.intp, values: Floats) -> float:
    return float(index) / (len(values) - 1)


@dataclass(frozen=True, slots=True)
class Curve:
    """A quantity over the clip, summarised.

    Attributes
    ----------
    name, unit : str
    meaning : str
        What the values are.
    statistics : tuple of str
        Of ``std``, ``range``, ``slope``, ``arch``, ``start``, ``end``, ``last``, ``step``,
        ``jump``, ``memory``, ``peak`` and ``trough``.
    """

    name: str
    unit: str
    meaning: str
    statistics: tuple[str, ...] = SHAPE

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
