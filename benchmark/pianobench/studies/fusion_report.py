"""A study of fusion as pictures and as a page that opens in a browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..forest import Estimate, draw_forest
from ..metrics import FloatArray
from .fusion_record import Fusion
from .fusion_text import (
    READING,
    Grid,
    bounds_text,
    correlations_grid,
    dimensions_grid,
    gains_grid,
    introduction,
    models_grid,
    weights_grid,
)
from .heat_map import draw_heat_maps
from .report import Block, Picture, Table, Text, write_report

__all__ = ["write_fusion_report"]

_GAINS, _ERRORS = "gains.svg", "errors.svg"


def write_fusion_report(folder: Path, study: Fusion) -> None:
    """Draw ``gains.svg`` and ``errors.svg`` into a folder, and write ``report.html`` with them.

    Raises
    ------
    DependencyError
        If matplotlib is not installed.
    ResultError
        If the folder cannot be written.
    """
    _draw_gains(folder / _GAINS, study)
    _draw_errors(folder / _ERRORS, study)
    bases = " + ".join(base.name for base in study.bases)
    weights = weights_grid(study)
    blocks: list[Block] = [
        Text(introduction(study)),
        _table(models_grid(study), "The models alone"),
        _table(gains_grid(study), "What fusing them gains"),
        Text(READING),
        Picture(folder / _GAINS, f"Gain of each fusion over {study.best}, 95% intervals"),
        Text(bounds_text(study), "What linear fusion could reach at most"),
        _table(correlations_grid(study), "How alike their errors are"),
        Picture(folder / _ERRORS, "Correlation of errors"),
        _table(dimensions_grid(study), "R2 by dimension"),
        *([_table(weights, "Weights that were learned")] if weights.rows else []),
        *([Text("\n\n".join(study.limits), "Notes")] if study.limits else []),
    ]
    write_report(folder / "report.html", f"Fusion of {bases}", blocks)


def _table(grid: Grid, caption: str) -> Table:
    return Table(grid.heads, grid.rows, caption)


def _draw_gains(path: Path, study: Fusion) -> None:
    """Draw the gain of every fusion, one line per scope that is tested."""
    estimates = []
    for fused in study.fusions:
        gain = fused.gain
        tests = {"C": gain.scope_c, "G": gain.scope_g}
        tested = {scope: test for scope, test in tests.items() if test is not None}
        estimates += [
            Estimate(f"{fused.name} ({scope})", gain.difference, test.low, test.high)
            for scope, test in tested.items()
        ] or [Estimate(fused.name, gain.difference)]
    axis = f"gain in R2 over {study.best}, 95% jackknife-t intervals"
    draw_forest(path, estimates, axis, f"{study.dataset}, {study.protocol}: fusions")


def _draw_errors(path: Path, study: Fusion) -> None:
    """Draw the correlations of errors, raw and without label noise where that is known."""
    panels = {"raw": _matrix(study, corrected=False)}
    if any(pair.errors.corrected is not None for pair in study.correlations):
        panels["without label noise"] = _matrix(study, corrected=True)
    draw_heat_maps(path, [base.name for base in study.bases], panels)


def _matrix(study: Fusion, *, corrected: bool) -> FloatArray:
    names = [base.name for base in study.bases]
    matrix: FloatArray = np.eye(len(names))
    for pair in study.correlations:
        value = pair.errors.corrected if corrected else pair.errors.raw
        i, j = names.index(pair.first), names.index(pair.second)
        matrix[i, j] = matrix[j, i] = np.nan if value is None else value
    return matrix
