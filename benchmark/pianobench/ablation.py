"""The table of a sweep: every cell scored, how sure its rank is, and which may be the best.

Stored results enter, one row per cell leaves. All ranks and tests rest on the same resamples and
sign flips of passages (scope C), so that rows are compared and not their intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from .compare import ALPHA, resample
from .contenders import Contenders, align
from .errors import SplitError, StatisticsError
from .leaderboard import interval_bounds
from .metrics import pooled_r2
from .plan import Plan
from .result import Result
from .scopes import refusal
from .values import Corpus

__all__ = ["Ablation", "AblationRow", "contenders_of", "tabulate_cells"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class AblationRow(_Record):
    """One cell; None where a number is not defined, and `Ablation.limits` says why."""

    varied: dict[str, str]
    """The settings that vary, in words."""
    result: str
    """Name of its result."""
    seeds: int
    r2: float
    low: float | None
    high: float | None
    """95% jackknife-t interval over passages (scope C)."""
    best_rank: int | None
    worst_rank: int | None
    """95% interval of the rank over resampled passages; 1 is the highest R2."""
    p_best: float | None
    """Of being the best of all cells (one-sided max-T)."""
    may_be_best: bool | None
    """Whether it is not distinguished from the best: `p_best` above 0.05."""


class Ablation(_Record):
    """Every cell of a sweep, the highest R2 first."""

    protocol: str
    clips: int
    rows: list[AblationRow]
    limits: list[str]
    """What could not be computed, and what the results themselves warn of."""


def contenders_of(
    results: Path, plans: Sequence[Plan], stored: Sequence[Result], protocol: str, corpus: Corpus
) -> Contenders:
    """Put the predictions of cells on common rows.

    Raises
    ------
    ResultError
        If a result was changed after it was written, or lacks clips.
    """
    folders = [results / plan.name for plan in plans]
    return align(folders, stored, protocol, plans[0].dataset, corpus)


def tabulate_cells(
    given: Contenders, varied: Sequence[Mapping[str, str]], stored: Sequence[Result]
) -> Ablation:
    """Score cells side by side.

    Parameters
    ----------
    given : Contenders
        The predictions of all cells.
    varied : sequence of mapping
        What tells each from the others.
    stored : sequence of Result
        In the same order.

    Raises
    ------
    StatisticsError
        If R2 is not defined: labels of a dimension that do not vary.
    """
    r2 = pooled_r2(given.targets, given.predictions).mean(axis=1)
    limits = [f"{flag}" for flag in dict.fromkeys(f.partition(": ")[2] for f in given.flags)]
    refused = refusal(given.protocol)
    resampled = None
    if refused is not None:
        limits.append(refused)
    else:
        try:
            resampled = resample(given)
        except (SplitError, StatisticsError) as error:
            limits.append(f"no ranks: {error}")
    rows = []
    for cell, result in enumerate(stored):
        bounds = interval_bounds(result.protocols[given.protocol], "C", "jackknife-t")
        p_best = None if resampled is None else float(resampled.p_best[cell])
        rows.append(
            AblationRow(
                varied=dict(varied[cell]),
                result=result.name,
                seeds=len(given.by_seed[cell]),
                r2=float(r2[cell]),
                low=None if bounds is None else bounds.low,
                high=None if bounds is None else bounds.high,
                best_rank=None if resampled is None else int(resampled.ranks.best[cell]),
                worst_rank=None if resampled is None else int(resampled.ranks.worst[cell]),
                p_best=p_best,
                may_be_best=None if p_best is None else p_best > ALPHA,
            )
        )
    rows.sort(key=lambda row: -row.r2)
    return Ablation(protocol=given.protocol, clips=len(given.clips), rows=rows, limits=limits)
