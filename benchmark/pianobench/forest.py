"""Estimates with their intervals as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .picture import draw_rows

__all__ = ["Estimate", "draw_forest"]


class Estimate(NamedTuple):
    """One line of the picture; `low` and `high` are None where there is no interval."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None


def draw_forest(path: Path, estimates: Sequence[Estimate], axis: str, title: str) -> None:
    """Draw one line per estimate, the first on top; the same estimates give the same bytes.

    Parameters
    ----------
    path : Path
        Ends in .svg, .png or .pdf.
    estimates : sequence of Estimate
    axis : str
        What the values are, with the level of the intervals.
    title : str

    Raises
    ------
    UsageError
        For another ending, a place that cannot be written, or nothing to draw.
    DependencyError
        If matplotlib is not installed.
    """
    with draw_rows(path, [estimate.label for estimate in estimates], axis, title) as axes:
        places = range(len(estimates), 0, -1)
        for place, (_, value, low, high) in zip(places, estimates, strict=True):
            if low is not None and high is not None:
                axes.plot([low, high], [place, place], color="#4c72b0", linewidth=2)
            axes.plot([value], [place], "o", color="#1f3b6f", markersize=5)
        axes.axvline(0, color="#999999", linewidth=0.8)
