"""Values over draws as a picture: one strip of dots per study, reported numbers as lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..picture import draw_rows

__all__ = ["Strip", "draw_strips"]


class Strip(NamedTuple):
    """One row of the picture."""

    label: str
    values: Sequence[float]


def draw_strips(
    path: Path, strips: Sequence[Strip], marks: Sequence[float], axis: str, title: str
) -> None:
    """Draw a dot per value, a tick at each strip's mean, and a line per mark.

    Parameters
    ----------
    path : Path
        Ends in .svg, .png or .pdf.
    strips : sequence of Strip
        The first on top.
    marks : sequence of float
    axis : str
        What the values are.
    title : str

    Raises
    ------
    UsageError, DependencyError
        As `pianobench.picture.draw_rows`.
    """
    with draw_rows(path, [strip.label for strip in strips], axis, title) as axes:
        for place, strip in zip(range(len(strips), 0, -1), strips, strict=True):
            axes.plot(
                strip.values, [place] * len(strip.values), "o", color="#4c72b0", alpha=0.5, ms=5
            )
            mean = sum(strip.values) / len(strip.values)
            axes.plot([mean], [place], "|", color="#1f3b6f", markersize=16, markeredgewidth=2)
        for mark in marks:
            axes.axvline(mark, color="#c44e52", linewidth=1)
            axes.text(
                mark,
                len(strips) + 0.45,
                f" {mark:.3f}",
                color="#c44e52",
                ha="left",
                va="bottom",
                fontsize=8,
            )
        axes.set_ylim(0.5, len(strips) + 0.8)
