"""The commands, a module a theme; each imports what it needs when it is called."""

from __future__ import annotations

from .apply import fit, predict
from .comparison import compare, power, validate_statistics
from .data import audit, fetch
from .installed import check, info, list_
from .publish import leaderboard, rerun, submit
from .results import plot, rescore
from .run import run
from .store import store
from .study import study
from .sweep import sweep

__all__ = [
    "audit",
    "check",
    "compare",
    "fetch",
    "fit",
    "info",
    "leaderboard",
    "list_",
    "plot",
    "power",
    "predict",
    "rerun",
    "rescore",
    "run",
    "store",
    "study",
    "submit",
    "sweep",
    "validate_statistics",
]
