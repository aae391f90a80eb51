"""A figure and its file: SVG, PNG or PDF by the ending, equal bytes for equal content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten, wrap
from typing import TYPE_CHECKING, Any

from .errors import DependencyError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SUFFIXES", "draw_rows", "fold_label", "picture", "plain", "quieten"]

# A date in the file would make two equal pictures differ.
_NO_DATE: dict[str, dict[str, None]] = {
    ".svg": {"Date": None},
    ".png": {},
    ".pdf": {"CreationDate": None},
}
SUFFIXES = tuple(_NO_DATE)
# Characters; half of a picture of rows, about.
_LABEL_WIDTH = 50


@contextmanager
def picture(path: Path, *, width: float, height: float) -> Iterator[Figure]:
    """Give a figure to draw into; write it when the block ends.

    Parameters
    ----------
    path : Path
        Ends in .svg, .png or .pdf; its folder is made if absent.
    width, height : float
        In inches.

    Raises
    ------
    UsageError
        For another ending, before anything is drawn, or a place that cannot be written.
    DependencyError
        If matplotlib is not installed.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"Cannot draw {path.name!r}: name a file ending in {', '.join(SUFFIXES)}.")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DependencyError(
            'Drawing needs matplotlib: pip install "pianobench[page]".'
        ) from error
    with matplotlib.rc_context({"svg.hashsalt": "pianobench", "font.size": 9}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=150, metadata=_NO_DATE[path.suffix])
        except OSError as error:
            raise UsageError(
                f"Cannot write the picture {path}: {error.strerror}. Name another place."
            ) from error


def quieten(axes: Any, grid: str, hidden: list[str]) -> None:
    """Draw a faint grid along an axis ("x", "y" or "both") behind the data, and hide some sides."""
    axes.grid(axis=grid, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[hidden].set_visible(False)


def plain(text: str) -> str:
    """Keep text from being set as mathematics."""
    return text.replace("$", r"\$")


def fold_label(label: str) -> str:
    """Fold a label into two lines, and cut what is left: the axes need room beside it."""
    first, *rest = wrap(label.partition("\n")[0], _LABEL_WIDTH) or [""]
    rest.append(label.partition("\n")[2])
    second = shorten(" ".join(rest), _LABEL_WIDTH, placeholder=" …")
    return f"{first}\n{second}" if second else first


@contextmanager
def draw_rows(path: Path, labels: list[str], axis: str, title: str) -> Iterator[Any]:
    """Give axes with one labelled row per line, to be drawn into; write them when the block ends.

    Parameters
    ----------
    path : Path
        Ends in .svg, .png or .pdf.
    labels : list of str
        Of the rows, from the top; the last lies at 1, the one above at 2, and so on.
    axis : str
        What the horizontal axis shows.
    title : str

    Raises
    ------
    UsageError
        For another ending, a place that cannot be written, or nothing to draw.
    DependencyError
        If matplotlib is not installed.
    """
    if not labels:
        raise UsageError(f"There is nothing to draw in {path.name!r}: no row has the number.")
    folded = [plain(fold_label(label)) for label in labels]
    row_height = 0.34 if any("\n" in label for label in folded) else 0.28
    with picture(path, width=7.0, height=1.1 + row_height * len(labels)) as figure:
        axes = figure.subplots()
        yield axes
        axes.set_yticks(range(len(labels), 0, -1), folded)
        quieten(axes, grid="x", hidden=["top", "right", "left"])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(axis)
        axes.set_title(title, loc="left")
