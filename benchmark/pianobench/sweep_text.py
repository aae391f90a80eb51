"""What a sweep says on a terminal: what it will do, its table, and the nested choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from .ablation import Ablation, AblationRow
from .inner_folds import INNER_FOLDS
from .inventory import size_text
from .nested import NestedChoice
from .sweep_estimate import Estimate
from .sweep_plan import PlannedCell
from .sweep_record import SweepRecord

__all__ = ["estimate_text", "plan_text", "record_text"]

_READING = """\
Ablation: every cell is scored on the clips it is compared by. The ranks are those of 95% of
resampled passages; "may be the best" marks the set that holds the best cell with 95% probability,
and order within that set says nothing."""
_NOT_CHOSEN = """\
The R2 of the best row is optimistic, since it was found among {cells} on these clips; --choose
measures by how much."""
_CHOICE = """\
Nested choice: within the training part of every fold, {inner} inner folds of whole groups choose
among the {cells} cells; what the chosen one predicts of the fold outside is scored."""


def plan_text(cells: Sequence[PlannedCell], to_do: Sequence[str]) -> str:
    """List cells with their result, and whether there is anything to do."""
    from tabulate import tabulate

    settings = _settings([cell.varied for cell in cells])
    rows = [
        [
            *(cell.varied.get(name, "") for name in settings),
            cell.plan.name,
            "to do" if cell.plan.name in to_do else "stored",
        ]
        for cell in cells
    ]
    heads = [*settings, "result", ""]
    return str(tabulate(rows, heads, tablefmt="simple", disable_numparse=True))


def estimate_text(found: Estimate) -> str:
    """Say in lines what is to be done and what it is expected to take."""
    lines = [
        f"{found.cells} cells: {found.stored} stored, {found.cells - found.stored} to do, "
        f"{found.models} models to fit"
    ]
    lines += [f"to encode: {encoding}" for encoding in found.to_encode]
    if found.models:
        time = f"about {_duration(found.seconds)}" if found.seconds else ""
        unknown = f"not known yet for {', '.join(found.unknown)}" if found.unknown else ""
        lines.append(f"time to fit: {', '.join(filter(None, [time, unknown]))}")
        lines.append(
            f"disk: about {size_text(found.results_bytes)} of results, and up to "
            f"{size_text(found.scratch_bytes)} in the cache until it ends"
        )
    return "\n".join(lines)


def record_text(found: SweepRecord) -> str:
    """Lay out the answer of a sweep."""
    parts = [found.about] if found.about else []
    if found.table is not None:
        parts += [_table_text(found, found.table), _READING]
        if found.choice is None:
            parts.append(_NOT_CHOSEN.format(cells=f"{len(found.table.rows)} cells"))
        parts += [f"note: {limit}" for limit in found.table.limits]
    if found.choice is not None and found.table is not None:
        parts.append(_choice_text(found.choice, found.table.rows))
    if found.missing:
        parts.append(
            f"{len(found.missing)} cells are missing, so this is no answer yet: "
            f"{', '.join(found.missing)}"
        )
    return "\n\n".join(parts)


def _table_text(found: SweepRecord, table: Ablation) -> str:
    from tabulate import tabulate

    settings = _settings([row.varied for row in table.rows])
    rows = [
        [
            *(row.varied.get(name, "") for name in settings),
            f"{row.r2:.3f}",
            "" if row.low is None else f"[{row.low:.3f}, {row.high:.3f}]",
            "" if row.best_rank is None else f"{row.best_rank}-{row.worst_rank}",
            "" if row.p_best is None else f"{row.p_best:.4f}",
            {True: "yes", False: "no", None: ""}[row.may_be_best],
        ]
        for row in table.rows
    ]
    heads = [*settings, f"{table.protocol} R2", "95%", "rank", "p of best", "may be the best"]
    laid_out = tabulate(rows, heads, tablefmt="simple", disable_numparse=True)
    return f"{found.dataset}, protocol {table.protocol}: {table.clips} clips\n\n{laid_out}"


def _choice_text(choice: NestedChoice, rows: Sequence[AblationRow]) -> str:
    named = {row.result: ", ".join(row.varied.values()) for row in rows}
    lines = [_CHOICE.format(inner=INNER_FOLDS, cells=len(rows)), ""]
    for result, times in Counter(fold.result for fold in choice.folds).most_common():
        folds = [fold for fold in choice.folds if fold.result == result]
        inside = ", ".join(f"{f.fold} ({f.inner_r2[result]:.3f} inside)" for f in folds)
        lines.append(
            f"  {named[result]}: chosen {times} of {len(choice.folds)} times, fold {inside}"
        )
    c = [f for f in choice.intervals if (f.scope, f.method) == ("C", "jackknife-t")]
    span = f" [{c[0].low:.3f}, {c[0].high:.3f}]" if c else ""
    lines += [
        "",
        f"Chosen inside and scored outside: R2 {choice.r2:.3f}{span}. The best row of the table, "
        f"{named[choice.best]}, says {choice.best_r2:.3f}: optimism {choice.optimism:+.3f}.",
    ]
    return "\n".join(lines)


def _settings(varied: Sequence[Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for of in varied for name in of))


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
