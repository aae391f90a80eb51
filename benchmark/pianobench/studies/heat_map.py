"""A symmetric table of numbers as a picture: squares of colour, each with its number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..metrics import FloatArray
from ..picture import picture

__all__ = ["draw_heat_maps"]


def draw_heat_maps(path: Path, names: Sequence[str], panels: Mapping[str, FloatArray]) -> None:
    """Draw tables of correlations side by side.

    Parameters
    ----------
    path : Path
        Ends in .svg, .png or .pdf.
    names : sequence of str
        Of rows and columns.
    panels : mapping of str to np.ndarray [shape=(name, name)]
        By title; within -1 to 1, NaN is left blank.

    Raises
    ------
    UsageError
        For another ending, or a place that cannot be written.
    DependencyError
        If matplotlib is not installed.
    """
    side = 1.6 + 0.6 * len(names)
    with picture(path, width=(0.8 + side) * len(panels), height=side) as figure:
        rows = figure.subplots(1, len(panels), squeeze=False, sharey=True)
        for axes, (title, values) in zip(rows[0], panels.items(), strict=True):
            axes.imshow(values, vmin=-1, vmax=1, cmap="RdBu_r")
            places = range(len(names))
            axes.set_xticks(places, names, rotation=45, ha="right", rotation_mode="anchor")
            axes.set_yticks(places, names)
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            axes.set_title(title, loc="left", fontsize=9)
            for row, column in np.argwhere(np.isfinite(values)).tolist():
                value = values[row, column]
                # Dark squares need light figures.
                colour = "white" if abs(value) > 0.6 else "black"
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
