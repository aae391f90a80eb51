"""Rows of a dataset as CSV with every digit, and as a LaTeX table (booktabs) for a paper."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from ..comparison import Span
from .board import BoardRow, DatasetBoard, ProtocolScores, Standing
from .rows import RANKING
from .text import csv_text, latex_text

__all__ = ["csv_table", "latex_table"]

Cell = str | float | int | None

_METRICS = {
    "r2_human": "human takes",
    "r2_within_passage": "within passage",
    "accuracy_within_passage": "pairs",
    "spearman": "Spearman",
}


def csv_table(dataset: DatasetBoard) -> str:
    """Write the rows of a dataset as CSV; text that a spreadsheet would run begins with ``'``."""
    protocols = [protocol.name for protocol in dataset.protocols if protocol.name != RANKING]
    metrics = {
        metric: label
        for metric, label in _METRICS.items()
        if any(
            RANKING in row.scores and metric in row.scores[RANKING].metrics for row in dataset.rows
        )
    }
    rows = [_cells(row, protocols, metrics) for row in dataset.rows]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    writer.writerows([_written(cell) for cell in row.values()] for row in rows)
    return file.getvalue()


def _cells(row: BoardRow, protocols: list[str], metrics: Mapping[str, str]) -> dict[str, Cell]:
    ranking = row.scores.get(RANKING)
    return {
        **_standing(ranking),
        "encoder": row.encoder.name,
        "layers": row.layers,
        "input": row.input,
        "pooling": row.pooling.name if row.pooling else "",
        "head": row.head.name if row.head else "",
        "options": "; ".join(row.options),
        RANKING: ranking.r2 if ranking else None,
        **_ends("", ranking.c if ranking else None),
        **_ends("new performers ", ranking.g if ranking else None),
        "of ceiling": ranking.of_ceiling if ranking else None,
        **{label: ranking.metrics.get(m) if ranking else None for m, label in metrics.items()},
        **{name: row.scores[name].r2 if name in row.scores else None for name in protocols},
        "seeds": row.seeds,
        "overlap": row.encoder.overlap,
        "badges": "; ".join(row.badges),
        "flags": "; ".join(ranking.flags if ranking else ()),
        "result": row.name,
    }


def _standing(scores: ProtocolScores | None) -> dict[str, Cell]:
    standing = scores.standing if scores else None
    if standing is None:
        return dict.fromkeys(("best rank", "worst rank", "may be best", "against no. 1"))
    return {
        "best rank": standing.best_rank,
        "worst rank": standing.worst_rank,
        "may be best": "yes" if standing.may_be_best else "no",
        "against no. 1": standing.verdict.value if standing.verdict else "",
    }


def _ends(scope: str, span: Span | None) -> dict[str, Cell]:
    low, high = (span.low, span.high) if span else (None, None)
    return {f"{scope}low": low, f"{scope}high": high}


def _written(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return csv_text(cell)
    return f"{cell:.6f}" if isinstance(cell, float) else str(cell)


def latex_table(dataset: DatasetBoard) -> str:
    """Write the rows that can be compared on the ranking protocol as a booktabs table."""
    rows = [row for row in dataset.rows if RANKING in row.scores and row.scores[RANKING].comparable]
    others = [name for name in ("unseen", "work") if any(name in row.scores for row in rows)]
    head = ["Rank", "Encoder", "Input", "Head", "Options", "$R^2$", "95\\% CI", "New performers"]
    head += ["Of ceiling", "Within passage", *(f"\\emph{{{name}}}" for name in others)]
    lines = [
        "% Written by `bench leaderboard`; needs \\usepackage{booktabs}.",
        f"% {' '.join(dataset.dataset.split())}, version {' '.join(dataset.version.split())}, "
        f"data {dataset.digest[:12]}; protocol {RANKING}.",
        f"\\begin{{tabular}}{{lllll{'r' * (len(head) - 5)}}}",
        "\\toprule",
        " & ".join(head) + " \\\\",
        "\\midrule",
        *(" & ".join(_latex_cells(row, others)) + " \\\\" for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _latex_cells(row: BoardRow, others: list[str]) -> list[str]:
    scores = row.scores[RANKING]
    standing = scores.standing
    within = scores.metrics.get("r2_within_passage")
    encoder = row.encoder.name if row.layers in ("", "last") else f"{row.encoder.name} {row.layers}"
    return [
        _latex_ranks(standing),
        latex_text(encoder),
        latex_text(row.input),
        latex_text(row.head.name if row.head else ""),
        latex_text("; ".join(row.options)),
        _latex_number(scores.r2),
        _latex_span(scores.c),
        _latex_span(scores.g),
        _latex_number(scores.of_ceiling),
        _latex_number(within),
        *(_latex_number(row.scores[name].r2 if name in row.scores else None) for name in others),
    ]


def _latex_ranks(standing: Standing | None) -> str:
    if standing is None:
        return ""
    best, worst = standing.best_rank, standing.worst_rank
    return str(best) if best == worst else f"{best}--{worst}"


def _latex_span(span: Span | None) -> str:
    return "" if span is None else f"$[{span.low:.3f}, {span.high:.3f}]$"


def _latex_number(value: float | None) -> str:
    return "" if value is None else f"${value:.3f}$"
