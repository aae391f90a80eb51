"""Estimates with their intervals as a picture: SVG, PNG or PDF by the file's ending."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import DependencyError, UsageError

__all__ = ["Estimate", "draw_forest"]

# A date in the file would make two equal pictures differ.
_NO_DATE: dict[str, dict[str, None]] = {
    ".svg": {"Date": None},
    ".png": {},
    ".pdf": {"CreationDate": None},
}
SUFFIXES = tuple(_NO_DATE)


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
    if path.suffix not in SUFFIXES:
        raise UsageError(f"Cannot draw {path.name!r}: name a file ending in {', '.join(SUFFIXES)}.")
    if not estimates:
        raise UsageError(f"There is nothing to draw in {path.name!r}: no row has the number.")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DependencyError(
            'Drawing needs matplotlib: pip install "pianobench[page]".'
        ) from error
    with matplotlib.rc_context({"svg.hashsalt": "pianobench", "font.size": 9}):
        figure = Figure(figsize=(7.0, 1.1 + 0.28 * len(estimates)), layout="constrained")
        axes = figure.subplots()
        places = range(len(estimates), 0, -1)
        for place, (_, value, low, high) in zip(places, estimates, strict=True):
            if low is not None and high is not None:
                axes.plot([low, high], [place, place], color="#4c72b0", linewidth=2)
            axes.plot([value], [place], "o", color="#1f3b6f", markersize=5)
        axes.set_yticks(list(places), [estimate.label for estimate in estimates])
        axes.axvline(0, color="#999999", linewidth=0.8)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(axis)
        axes.set_title(title, loc="left")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=150, metadata=_NO_DATE[path.suffix])
        except OSError as error:
            raise UsageError(
                f"Cannot write the picture {path}: {error.strerror}. Name another place."
            ) from error
