"""Stored results to the tables people see; reads results and never computes a score."""

from __future__ import annotations

from .reported import Reported, read_reported
from .rows import (
    BASELINES,
    RANKING,
    Bounds,
    Row,
    estimates_of,
    interval_bounds,
    rank_rows,
    read_rows,
)
from .tables import absent_baselines, results_frame, terminal_table, write_leaderboard

__all__ = [
    "BASELINES",
    "RANKING",
    "Bounds",
    "Reported",
    "Row",
    "absent_baselines",
    "estimates_of",
    "interval_bounds",
    "rank_rows",
    "read_reported",
    "read_rows",
    "results_frame",
    "terminal_table",
    "write_leaderboard",
]
