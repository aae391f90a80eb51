"""A board as files: the page of the repository, JSON, CSV, LaTeX and a model index.

The same board gives the same bytes, and the same folder the same board, in whatever order a file
system lists it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .assemble import read_board
from .board import Board
from .model_index import model_index
from .page import page
from .readme import readme
from .spreadsheet import csv_table, latex_table
from .text import json_text

__all__ = ["board_json", "leaderboard_files", "write_leaderboard"]

_DECIMALS = 6


def write_leaderboard(folder: Path, jobs: int | None = None) -> list[Path]:
    """Write every file of the leaderboard from what lies in its folder.

    Parameters
    ----------
    folder : Path
    jobs : int, optional
        Processes; all cores if None.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ResultError
        As `read_board`; then nothing is written.
    """
    files = leaderboard_files(read_board(folder, jobs))
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return [folder / name for name in files]


def leaderboard_files(board: Board) -> dict[str, str]:
    """Lay out a board: the text of each file, by its name."""
    files = {"README.md": readme(board), "board.json": board_json(board)}
    for dataset in board.datasets:
        name = f"{dataset.dataset}-{dataset.version}".replace("/", "_")
        files[f"{name}.csv"] = csv_table(dataset)
        files[f"{name}.tex"] = latex_table(dataset)
    files["model-index.yaml"] = model_index(board)
    files["index.html"] = page(board)
    return files


def board_json(board: Board) -> str:
    """Write a board as JSON with six decimals and a line per row.

    No text in it can end a script: it may stand in a page as it is.
    """
    given = _rounded(board.model_dump(mode="json"))
    datasets = []
    for dataset in given.pop("datasets"):
        rows = ",\n".join(json_text(row) for row in dataset.pop("rows"))
        datasets.append(f'{json_text(dataset)[:-1]},"rows":[\n{rows}\n]}}')
    return f'{json_text(given)[:-1]},"datasets":[\n' + ",\n".join(datasets) + "\n]}\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        # Adding zero makes the negative zero a plain one.
        return round(value, _DECIMALS) + 0.0
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value
