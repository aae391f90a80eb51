"""Stored results to what people see: one `Board`, and the files that are written from it.

Only stored results, the labels they were scored on and numbers from elsewhere are read; no dataset
and no plugin is, except where a row is checked.
"""

from __future__ import annotations

from .assemble import read_board
from .board import Board
from .labels import write_labels
from .publish import board_json, leaderboard_files, write_leaderboard
from .reported import Reported, read_reported
from .rows import (
    BASELINES,
    RANKING,
    Bounds,
    Row,
    absent_baselines,
    estimates_of,
    interval_bounds,
    rank_rows,
    read_rows,
)
from .tables import results_frame, terminal_table

__all__ = [
    "BASELINES",
    "RANKING",
    "Board",
    "Bounds",
    "Reported",
    "Row",
    "absent_baselines",
    "board_json",
    "estimates_of",
    "interval_bounds",
    "leaderboard_files",
    "rank_rows",
    "read_board",
    "read_reported",
    "read_rows",
    "results_frame",
    "terminal_table",
    "write_labels",
    "write_leaderboard",
]
