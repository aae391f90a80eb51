"""How a number varies over draws, and where numbers reported elsewhere lie among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .folder import Record

__all__ = ["APART", "Distribution", "Mark", "describe_draws", "share_apart", "share_below"]

APART = 0.05
"""How far two draws have to be apart to be counted: what 0.397 and 0.347 differ by."""


class Mark(Record):
    """A reported number: where it lies among the draws."""

    value: float
    share_below: float
    """Share of the draws that are lower; those equal to it count half."""


class Distribution(Record):
    """One number over all draws."""

    mean: float
    sd: float | None
    """Standard deviation, with one degree of freedom less than draws; None for one draw."""
    low: float
    high: float
    share_apart: float | None
    """Share of all pairs of draws that differ by more than `APART`; None for one draw."""
    marks: list[Mark]


def describe_draws(values: Sequence[float], marks: Sequence[float]) -> Distribution:
    """Describe a number over draws, one value a draw and at least one."""
    found = np.asarray(values, dtype=np.float64)
    several = len(found) > 1
    return Distribution(
        mean=float(found.mean()),
        sd=float(found.std(ddof=1)) if several else None,
        low=float(found.min()),
        high=float(found.max()),
        share_apart=share_apart(found) if several else None,
        marks=[Mark(value=mark, share_below=share_below(found, mark)) for mark in marks],
    )


def share_below(values: NDArray[np.float64], mark: float) -> float:
    """Share of the values below a mark; those equal to it count half."""
    return float(((values < mark).mean() + (values <= mark).mean()) / 2)


def share_apart(values: NDArray[np.float64], apart: float = APART) -> float:
    """Share of all pairs of values, two or more, that differ by more than `apart`."""
    first, second = np.triu_indices(len(values), k=1)
    return float((np.abs(values[first] - values[second]) > apart).mean())
