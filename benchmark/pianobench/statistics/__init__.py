"""Intervals, tests and rankings of R2, from out-of-fold predictions.

Two scopes, never mixed. Scope C asks about new passages by these performers: passages are the
independent units (`passage_jackknife`, `bootstrap_interval`). Scope G asks about new passages and
new performers: both are (`two_way_jackknife`).
"""

from __future__ import annotations

from .bootstrap import (
    BootstrapIntervals,
    Bounds,
    bca_interval,
    bootstrap_interval,
    bootstrap_r2,
    counts_of,
    percentile_interval,
    resample_indices,
)
from .jackknife import (
    Interval,
    Jackknife,
    jackknife_t,
    passage_jackknife,
    t_interval,
    two_way_jackknife,
    two_way_jackknife_t,
)

__all__ = [
    "BootstrapIntervals",
    "Bounds",
    "Interval",
    "Jackknife",
    "bca_interval",
    "bootstrap_interval",
    "bootstrap_r2",
    "counts_of",
    "jackknife_t",
    "passage_jackknife",
    "percentile_interval",
    "resample_indices",
    "t_interval",
    "two_way_jackknife",
    "two_way_jackknife_t",
]
