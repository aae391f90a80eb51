"""The charts of a leaderboard for a paper: heat map, matrix of verdicts, two rows by dimension.

All are drawn from a `Board` as it is published; the same board gives the same bytes. The forest of
intervals is `pianobench.forest`, learning curves are `pianobench.curves`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import ResultError, UnknownNameError, UsageError
from ..picture import fold_label, picture, plain, quieten
from .board import Board, BoardRow, DatasetBoard, Estimates, ProtocolBoard

__all__ = [
    "MOST_ROWS",
    "draw_dimensions",
    "draw_heat_map",
    "draw_verdicts",
    "read_published",
    "select_rows",
]

MOST_ROWS = 50
"""Rows that a chart of rows can hold and still be read."""

_COLOURS = ("#4c72b0", "#dd8452")
# Told apart in grey as well; from the first row's point of view.
_VERDICTS = {
    "better": "#1f3b6f",
    "equivalent": "#8fbf9f",
    "not distinguished": "#e6e6e6",
    "worse": "#dd8452",
    "": "#ffffff",
}
_LETTERS = {"e": ("equivalent", "equivalent"), "n": ("not distinguished", "not distinguished")}


def read_published(leaderboard: Path) -> Board:
    """Read the ``board.json`` of a leaderboard.

    Raises
    ------
    ResultError
        If there is none, or it is of another version.
    """
    path = leaderboard / "board.json"
    try:
        return Board.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(
            f"There is no board at {path}: {error.strerror}. `bench leaderboard` writes it."
        ) from error
    except ValueError as error:
        raise ResultError(
            f"{path} is not a board that this pianobench writes: run `bench leaderboard`."
        ) from error


def select_rows(
    board: Board, dataset: str, protocol: str, names: Sequence[str] = ()
) -> tuple[DatasetBoard, ProtocolBoard, list[BoardRow]]:
    """Choose rows of a protocol, in its order.

    Parameters
    ----------
    board : Board
    dataset : str
        The last version of it that has the protocol.
    protocol : str
    names : sequence of str
        Of rows, or how they begin or end; all rows if empty.

    Raises
    ------
    UnknownNameError
        For a dataset, protocol or row that is not there.
    UsageError
        If a name fits several rows.
    """
    versions = [each for each in board.datasets if each.dataset == dataset]
    if not versions:
        raise UnknownNameError("dataset on the board", dataset, {d.dataset for d in board.datasets})
    chosen = versions[-1]
    protocols = {each.name: each for each in chosen.protocols}
    if protocol not in protocols:
        raise UnknownNameError("protocol on the board", protocol, protocols)
    rows = {row.name: row for row in chosen.rows}
    order = protocols[protocol].rows
    kept = {_named(name, order) for name in names} if names else set(order)
    return chosen, protocols[protocol], [rows[name] for name in order if name in kept]


def _named(name: str, order: Sequence[str]) -> str:
    found = [each for each in order if each == name] or [
        each for each in order if each.startswith(name) or each.endswith(name)
    ]
    if not found:
        raise UnknownNameError("row on the board", name, order)
    if len(found) > 1:
        raise UsageError(f"{name!r} fits {len(found)} rows: {', '.join(found)}. Name one.")
    return found[0]


def draw_heat_map(
    path: Path, dataset: DatasetBoard, protocol: ProtocolBoard, rows: Sequence[BoardRow]
) -> None:
    """Draw R2 of every row in every dimension and category.

    Raises
    ------
    UsageError
        For more than `MOST_ROWS` rows, none, or a place that cannot be written.
    DependencyError
        If matplotlib is not installed.
    """
    _require_readable(path, rows)
    names = [dimension.name for dimension in dataset.dimensions]
    groups = [category.name for category in dataset.categories]
    values = np.array([_values(row, protocol.name, bool(groups)) for row in rows])
    columns = len(names) + len(groups)
    with picture(path, width=3.5 + 0.24 * columns, height=2.2 + 0.3 * len(rows)) as figure:
        axes = figure.subplots()
        # One colour scale for all boards; what is below 0 is as bad as guessing the mean.
        mesh = axes.imshow(values, aspect="auto", vmin=0.0, vmax=0.8, cmap="viridis")
        axes.set_xticks(range(columns), [*names, *groups], rotation=90)
        axes.set_yticks(range(len(rows)), [_label(row) for row in rows], fontsize=7)
        if groups:
            axes.axvline(len(names) - 0.5, color="white", linewidth=3)
        figure.colorbar(mesh, ax=axes, label="R2", extend="both", fraction=0.05)
        axes.set_title(f"{dataset.dataset}, {protocol.name}: dimensions, categories", loc="left")


def draw_verdicts(
    path: Path, dataset: DatasetBoard, protocol: ProtocolBoard, rows: Sequence[BoardRow]
) -> None:
    """Draw what a comparison of every pair of rows says: a row against the column.

    Raises
    ------
    UsageError
        For rows that were not compared, more than `MOST_ROWS`, fewer than two, or a place that
        cannot be written.
    DependencyError
        If matplotlib is not installed.
    """
    compared = protocol.rows[: len(protocol.verdicts)]
    rows = [row for row in rows if row.name in compared]
    if len(rows) < 2:
        limit = f" ({protocol.limit})" if protocol.limit else ""
        raise UsageError(
            f"{len(rows)} rows can be compared on {protocol.name!r}{limit}: name at least two."
        )
    _require_readable(path, rows)
    words = list(_VERDICTS)
    matrix = [[words.index(_verdict(protocol, a.name, b.name)) for b in rows] for a in rows]
    with picture(path, width=4.0 + 0.3 * len(rows), height=1.6 + 0.3 * len(rows)) as figure:
        from matplotlib.colors import ListedColormap
        from matplotlib.patches import Patch

        axes = figure.subplots()
        colours = ListedColormap(list(_VERDICTS.values()))
        axes.imshow(matrix, aspect="auto", vmin=0, vmax=len(words) - 1, cmap=colours)
        places = [str(compared.index(row.name) + 1) for row in rows]
        axes.set_xticks(range(len(rows)), places)
        labels = [f"{_label(row)}  {place}" for row, place in zip(rows, places, strict=True)]
        axes.set_yticks(range(len(rows)), labels, fontsize=7)
        axes.set_title(
            f"{dataset.dataset}, {protocol.name}: scope {protocol.scope}, uncorrected", loc="left"
        )
        figure.legend(
            handles=[Patch(facecolor=_VERDICTS[word], label=word) for word in words if word],
            loc="outside lower center",
            ncols=4,
            frameon=False,
        )


def draw_dimensions(
    path: Path, dataset: DatasetBoard, protocol: ProtocolBoard, rows: Sequence[BoardRow]
) -> None:
    """Draw two rows side by side in every dimension and category, with their intervals.

    Raises
    ------
    UsageError
        For another number of rows than two, or a place that cannot be written.
    DependencyError
        If matplotlib is not installed.
    """
    if len(rows) != 2:
        raise UsageError(f"{len(rows)} rows are named; the chart sets two side by side.")
    names = [dimension.name for dimension in dataset.dimensions]
    names += [category.name for category in dataset.categories]
    with picture(path, width=7.0, height=1.6 + 0.3 * len(names)) as figure:
        axes = figure.subplots()
        for row, colour, shift in zip(rows, _COLOURS, (0.13, -0.13), strict=True):
            scores = row.scores[protocol.name]
            parts = [scores.dimensions, *([scores.categories] if scores.categories else [])]
            r2 = [value for part in parts for value in part.r2]
            places = np.arange(len(names), 0, -1) + shift
            ends = [end for part in parts for end in _ends(part)]
            for place, (low, high) in zip(places, ends, strict=False):
                axes.plot([low, high], [place, place], color=colour, linewidth=1.5)
            axes.plot(r2, places, "o", color=colour, markersize=4, label=_label(row))
        axes.axvline(0, color="#999999", linewidth=0.8)
        if dataset.categories:
            axes.axhline(len(dataset.categories) + 0.5, color="#999999", linewidth=0.8)
        axes.set_yticks(range(len(names), 0, -1), names)
        quieten(axes, grid="x", hidden=["top", "right", "left"])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"R2 on {protocol.name}, 95% jackknife-t interval over passages")
        axes.set_title(dataset.dataset, loc="left")
        figure.legend(loc="outside lower center", frameon=False)


def _require_readable(path: Path, rows: Sequence[BoardRow]) -> None:
    if not rows:
        raise UsageError(f"There is nothing to draw in {path.name!r}: no row has the protocol.")
    if len(rows) > MOST_ROWS:
        raise UsageError(
            f"{len(rows)} rows cannot be read in one picture; {MOST_ROWS} can. Name some with "
            "--row."
        )


def _values(row: BoardRow, protocol: str, grouped: bool) -> list[float]:
    scores = row.scores[protocol]
    categories = scores.categories.r2 if grouped and scores.categories else ()
    return [*scores.dimensions.r2, *categories]


def _ends(of: Estimates) -> Sequence[tuple[float, float]]:
    if of.c_low is None or of.c_high is None:
        return ()
    return list(zip(of.c_low, of.c_high, strict=True))


def _verdict(protocol: ProtocolBoard, first: str, second: str) -> str:
    """Say how the first row compares with the second; empty for a row and itself."""
    one, other = protocol.rows.index(first), protocol.rows.index(second)
    if one == other:
        return ""
    letter = protocol.verdicts[max(one, other)][min(one, other)]
    better, worse = _LETTERS.get(letter, ("better", "worse"))
    return better if one < other else worse


def _label(row: BoardRow) -> str:
    layers = "" if row.layers in ("", "last") else f" {row.layers}"
    head = "" if row.head is None else f", {row.head.name}"
    # What tells it from a row of the same names takes a line of its own.
    options = f"\n{', '.join(row.options)}" if row.options else ""
    return plain(fold_label(f"{row.encoder.name}{layers} ({row.input}){head}{options}"))
