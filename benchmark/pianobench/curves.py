"""How networks learned: loss and validation R2 after every epoch, as a file and as a picture.

One row per epoch of one model: ``fold, seed, epoch, loss, validation_r2``. The file lies beside the
predictions and no number is computed from it; results older than it have none.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .descent import Epoch
from .errors import ResultError, UsageError
from .picture import picture, quieten

__all__ = ["Curve", "curves_name", "draw_curves", "read_curves", "write_curves"]

_COLUMNS = ("fold", "seed", "epoch", "loss", "validation_r2")
_COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860")
# Below it a network has not begun to learn, and its first epochs would flatten all others.
_LEAST_R2 = -0.25


class Curve(NamedTuple):
    """The epochs of one model, of the fold it is not trained on."""

    fold: str
    seed: int
    epochs: tuple[Epoch, ...]

    @property
    def best(self) -> int:
        """Index of the epoch that was kept."""
        return int(np.argmax([epoch.validation_r2 for epoch in self.epochs]))


def curves_name(protocol: str) -> str:
    """Name of the file of a protocol's curves."""
    return f"curves-{protocol}.csv"


def write_curves(path: Path, curves: Sequence[Curve]) -> None:
    """Write the curves of every model, with six digits."""
    rows = [
        (curve.fold, curve.seed, number, f"{epoch.loss:.6g}", f"{epoch.validation_r2:.6g}")
        for curve in curves
        for number, epoch in enumerate(curve.epochs, start=1)
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([_COLUMNS, *rows])


def read_curves(path: Path) -> list[Curve]:
    """Read curves back, in the order they were written.

    Raises
    ------
    ResultError
        If there are none, or the file is not what `write_curves` writes.
    """
    import pandas as pd

    if not path.exists():
        raise ResultError(
            f"There are no learning curves at {path}: its head is not trained by gradient, or the "
            "result is older than curves. Run it again to have them."
        )
    try:
        frame = pd.read_csv(path, dtype={"fold": str}, keep_default_na=False)
        if tuple(frame.columns) != _COLUMNS:
            raise ValueError(f"its columns are {', '.join(frame.columns)}")
        epochs: dict[tuple[str, int], list[Epoch]] = {}
        for fold, seed, _, loss, r2 in frame.itertuples(index=False):
            epochs.setdefault((fold, int(seed)), []).append(Epoch(float(loss), float(r2)))
        return [Curve(fold, seed, tuple(of)) for (fold, seed), of in epochs.items()]
    except (OSError, ValueError) as error:
        raise ResultError(f"Cannot read the learning curves {path}: {error}.") from error


def draw_curves(path: Path, curves: Sequence[Curve], title: str) -> None:
    """Draw loss and validation R2 against epochs, a line per model and a colour per fold.

    Up to six folds have colours that are far apart; more of them share out a colour map. A dot
    marks the epoch that was kept. The same curves give the same bytes.

    Parameters
    ----------
    path : Path
        Ends in .svg, .png or .pdf.
    curves : sequence of Curve
    title : str

    Raises
    ------
    UsageError
        For another ending, a place that cannot be written, or nothing to draw.
    DependencyError
        If matplotlib is not installed.
    """
    if not curves:
        raise UsageError(f"There is nothing to draw in {path.name!r}: no model has a curve.")
    folds = list(dict.fromkeys(curve.fold for curve in curves))
    with picture(path, width=7.0, height=3.2) as figure:
        colours = dict(zip(folds, _colours(len(folds)), strict=True))
        losses, scores = figure.subplots(1, 2)
        for curve in curves:
            colour = colours[curve.fold]
            named = curve.fold if curve.seed == min(c.seed for c in curves) else None
            epochs = range(1, len(curve.epochs) + 1)
            style = {"color": colour, "linewidth": 1.0}
            losses.plot(epochs, [epoch.loss for epoch in curve.epochs], **style)
            r2 = [epoch.validation_r2 for epoch in curve.epochs]
            scores.plot(epochs, r2, label=named, **style)
            scores.plot([curve.best + 1], [r2[curve.best]], "o", color=colour, markersize=3)
        worst = min(epoch.validation_r2 for curve in curves for epoch in curve.epochs)
        scores.set_ylim(bottom=max(worst, _LEAST_R2))
        losses.set_ylabel("training loss")
        scores.set_ylabel("validation R2")
        scores.legend(title="fold", frameon=False, fontsize=7, title_fontsize=7, loc="lower right")
        for axes in (losses, scores):
            axes.set_xlabel("epoch")
            quieten(axes, grid="both", hidden=["top", "right"])
        losses.set_title(title, loc="left")


def _colours(folds: int) -> Sequence[str]:
    """Choose a colour per fold, none of them twice."""
    if folds <= len(_COLOURS):
        return _COLOURS[:folds]
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colour) for colour in colormaps["turbo"](np.linspace(0, 1, folds))]
