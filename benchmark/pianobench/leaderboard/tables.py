"""Rows of a folder of results as a table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .rows import RANKING, Bounds, Row, rank_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["results_frame", "terminal_table"]

_METRICS = {
    "r2_human": "human takes",
    "r2_within_passage": "within passage",
    "accuracy_within_passage": "pairs",
    "spearman": "Spearman",
}
_PROTOCOLS = ("unseen", "work", "performer", "excerpt", "random")


def results_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Build the table of one dataset's rows, ranked rows first; numbers are unrounded."""
    import pandas as pd

    ordered = rank_rows(rows)
    protocols = [p for p in _PROTOCOLS if any(p in row.r2 for row in ordered)]
    metrics = {m: label for m, label in _METRICS.items() if any(m in r.metrics for r in ordered)}
    table = []
    for position, row in enumerate(ordered, start=1):
        table.append(
            {
                "#": str(position) if row.ranked else "-",
                "encoder": row.encoder,
                "layers": row.layers,
                "input": row.renderer,
                "pooling": row.pooling,
                "head": row.head,
                "options": "; ".join(row.options),
                RANKING: row.r2.get(RANKING),
                **_ends("", row.interval),
                **_ends("new performers ", row.interval_new_performers),
                "of ceiling": _share(row),
                **{label: row.metrics.get(metric) for metric, label in metrics.items()},
                **{protocol: row.r2.get(protocol) for protocol in protocols},
                "seeds": row.seeds,
                "flags": "; ".join(row.flags),
                "result": row.name,
            }
        )
    return pd.DataFrame(table)


def terminal_table(rows: Sequence[Row]) -> str:
    """Lay out the rows of one dataset for a terminal."""
    return _layout(results_frame(rows).drop(columns=["seeds", "result", "layers"]), "simple")


def _ends(scope: str, bounds: Bounds | None) -> dict[str, float | None]:
    low, high = bounds or (None, None)
    return {f"{scope}low": low, f"{scope}high": high}


def _share(row: Row) -> float | None:
    if row.ceiling is None or RANKING not in row.r2:
        return None
    return row.r2[RANKING] / row.ceiling


def _layout(frame: pd.DataFrame, style: str) -> str:
    """Round for reading: R2 and its interval in one column, empty cells where nothing is known."""
    from tabulate import tabulate

    shown = frame.copy()
    point = RANKING if RANKING in shown else "r2"
    values = shown[point].map(_cell)
    if "low" in shown:
        shown[point] = values + _brackets(shown, "")
    if "new performers low" in shown:
        after = list(shown).index(point) + 1
        shown.insert(after, "new performers", _brackets(shown, "new performers "))
    shown = shown.drop(columns=[c for c in shown if str(c).endswith(("low", "high"))])
    shown = shown.map(_cell)
    empty = [column for column in shown if (shown[column] == "").all()]
    return str(
        tabulate(
            shown.drop(columns=empty).to_dict("list"),
            headers="keys",
            tablefmt=style,
            disable_numparse=True,
        )
    )


def _brackets(shown: pd.DataFrame, scope: str) -> list[str]:
    ends = zip(shown[f"{scope}low"].map(_cell), shown[f"{scope}high"].map(_cell), strict=True)
    return [f" [{low}, {high}]" if low else "" for low, high in ends]


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
