"""The commands, a module a theme; each imports what it needs when it is called."""

from __future__ import annotations

from .data import audit, fetch
from .installed import check, info, list_
from .results import leaderboard, plot, rescore, submit
from .run import run

__all__ = [
    "audit",
    "check",
    "fetch",
    "info",
    "leaderboard",
    "list_",
    "plot",
    "rescore",
    "run",
    "submit",
]
