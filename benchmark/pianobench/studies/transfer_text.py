"""What the study of transfer found, in a terminal, as a picture and as a report."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..picture import picture
from .report import Block, Picture, Table, Text, write_report
from .transfer import Transfer, TransferRow
from .transfer_scores import GROUPS, Score

__all__ = ["draw_transfer", "report_transfer", "transfer_text"]

_ALL = "all"
_ALL_BUT = "all but it"


def transfer_text(study: Transfer) -> str:
    """Lay out the matrix, groups of its cells and how they differ."""
    return "\n\n".join(
        [
            f"{study.label} on {study.dataset}: R2 by {study.protocol}, trained on the row's "
            f"instrument, tested on the column's ({study.clips} clips); never ranked",
            _grid(_matrix(study, intervals=False)),
            _grid(_groups(study)),
            _grid(_differences(study)),
            *study.limits,
        ]
    )


def draw_transfer(path: Path, study: Transfer) -> None:
    """Draw the matrix: squares of colour, each with its R2.

    Raises
    ------
    UsageError
        For another ending than .svg, .png or .pdf, or a place that cannot be written.
    DependencyError
        If matplotlib is not installed.
    """
    rows = _labelled(study)
    values = np.array([[cell.value for cell in cells] for _, cells in rows])
    side = max(map(len, study.names)) * 0.075
    width, height = side + 1.6 + 0.75 * len(study.names), side + 0.8 + 0.42 * len(rows)
    with picture(path, width=width, height=height) as figure:
        axes = figure.subplots()
        # Below 0 a prediction is worse than the mean label, and how much worse matters less.
        image = axes.imshow(values, vmin=-1, vmax=1, cmap="RdBu", aspect="auto")
        axes.set_xticks(
            range(len(study.names)), study.names, rotation=45, ha="right", rotation_mode="anchor"
        )
        axes.set_yticks(range(len(rows)), [label for label, _ in rows])
        axes.axhline(len(study.names) - 0.5, color="black", linewidth=1)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("tested on")
        axes.set_ylabel("trained on")
        axes.set_title(f"R2 of {study.label}", loc="left")
        for (row, column), value in np.ndenumerate(values):
            colour = "white" if abs(value) > 0.6 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour)
        figure.colorbar(image, ax=axes, shrink=0.6, extend="min")


def report_transfer(path: Path, study: Transfer, matrix: Path | None) -> None:
    """Write the report, with the picture of the matrix where there is one.

    Raises
    ------
    UsageError, ResultError
        As `pianobench.studies.report.write_report`.
    """
    lost = study.differences["lost from one to another"]
    regained = study.differences["regained by training on several"]
    blocks: list[Block] = [
        Text(
            f"Every clip of {study.dataset} was heard through {len(study.names)} instruments. "
            f"{study.label}: models were trained on one of them, on all but one and on all, and "
            f"tested on each. Numbers are R2 on {study.clips} clips by the protocol "
            f"{study.protocol}, which keeps music apart: no test clip, and nothing that shares its "
            "music, was heard in training through any instrument.\n\n"
            f"From one instrument to another R2 changes by {_signed(lost)} on average; training on "
            f"all but the one that is tested, instead of on a single other, by {_signed(regained)}."
        ),
        *([Picture(matrix, f"R2 of {study.label}, from row to column")] if matrix else []),
        Text("", "R2 of every cell"),
        _matrix(study, intervals=True),
        Text(
            "Intervals are 95% jackknife-t intervals over passages: they are for new music heard "
            "through these instruments, not for new instruments. The standard deviation is over "
            "cells, which share clips and most of their training; it is no interval.",
            "Groups of cells",
        ),
        _groups(study),
        _differences(study),
        Text(
            "Trained on all instruments, and predictions averaged over all of them: R2 "
            f"{_bounded(study.mean_of_all)}."
        ),
        Text("", "Instruments"),
        Table(
            ["instrument", "what the rendering loses", "made by"],
            [[each.name, each.card, each.version] for each in study.instruments],
        ),
        *(Text(limit) for limit in study.limits),
    ]
    write_report(path, f"From one instrument to another: {study.label}", blocks)


def _labelled(study: Transfer) -> list[tuple[str, list[Score]]]:
    """Label rows of cells: instruments alone, all but the one that is tested, all."""
    alone = [row for row in study.rows if len(row.trained_on) == 1]
    rows = [(row.trained_on[0], _cells(study, row)) for row in alone]
    (everything,) = (row for row in study.rows if len(row.trained_on) == len(study.names))
    left_out = [
        row.r2[name]
        for name in study.names
        for row in study.rows
        if set(row.trained_on) == set(study.names) - {name}
    ]
    return [*rows, (_ALL_BUT, left_out), (_ALL, _cells(study, everything))]


def _cells(study: Transfer, row: TransferRow) -> list[Score]:
    return [row.r2[name] for name in study.names]


def _matrix(study: Transfer, *, intervals: bool) -> Table:
    shown = _bounded if intervals else _plain
    rows = [[label, *map(shown, cells)] for label, cells in _labelled(study)]
    return Table(["trained on", *study.names], rows)


def _groups(study: Transfer) -> Table:
    rows = [
        [
            words,
            _bounded(study.groups[name].mean),
            "" if study.groups[name].sd is None else f"{study.groups[name].sd:.3f}",
            f"{study.groups[name].least:.3f}",
            f"{study.groups[name].most:.3f}",
            str(study.groups[name].cells),
        ]
        for name, words in GROUPS.items()
    ]
    return Table(["", "mean R2", "sd over cells", "lowest", "highest", "cells"], rows)


def _differences(study: Transfer) -> Table:
    rows = [[words, _signed(score)] for words, score in study.differences.items()]
    return Table(["", "difference of mean R2"], rows)


def _plain(score: Score) -> str:
    return f"{score.value:.3f}"


def _bounded(score: Score) -> str:
    if score.low is None or score.high is None:
        return _plain(score)
    return f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"


def _signed(score: Score) -> str:
    if score.low is None or score.high is None:
        return f"{score.value:+.3f}"
    return f"{score.value:+.3f} [{score.low:+.3f}, {score.high:+.3f}]"


def _grid(table: Table) -> str:
    from tabulate import tabulate

    return str(
        tabulate(table.rows, headers=list(table.heads), tablefmt="simple", disable_numparse=True)
    )
