"""The tables that the page holds as plain markup: for readers without scripts, and for search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from ..comparison import Span
from .board import Board, BoardRow, DatasetBoard, ProtocolScores, Standing
from .reported import Reported
from .rows import RANKING

__all__ = ["badge_facts", "plain_tables"]

_NOT_KNOWN = "&ndash;"
_METRICS = {
    "r2_human": "human takes",
    "r2_within_passage": "within passage",
    "accuracy_within_passage": "pairs in order",
}


def plain_tables(board: Board) -> str:
    """Lay out the rows of every dataset, hidden where scripts show them, and what was reported."""
    parts = []
    for dataset in board.datasets:
        parts += _dataset_part(dataset)
    if board.reported:
        parts += _reported_part(board.reported)
    return "\n".join(parts)


def badge_facts(board: Board) -> str:
    """Say what each badge means, as items of a list of terms."""
    return "\n".join(
        f"<div><dt>{escape(name.capitalize())}</dt><dd>{escape(meaning)}.</dd></div>"
        for name, meaning in board.badges.items()
    )


def _dataset_part(dataset: DatasetBoard) -> list[str]:
    title = f"{escape(dataset.dataset)} {escape(dataset.version)}"
    others = [p.name for p in dataset.protocols if p.name != RANKING]
    heads = ["no.", "rank", "not told apart from", "row", f"R2 on {RANKING}", "new performers"]
    heads += ["of ceiling", *_METRICS.values(), *others, "overlap", "checked"]
    order = [p.rows for p in dataset.protocols if p.name == RANKING]
    places = {name: place for place, name in enumerate(order[0] if order else (), start=1)}
    body = [_line(row, places, others) for row in dataset.rows]
    absent = ", ".join(map(escape, dataset.absent_baselines))
    return [
        '<section class="plain-rows">',
        f"<h2>{title}</h2>",
        f"<p>{dataset.clips:,} clips, data {escape(dataset.digest[:12])}.</p>",
        f"<p><strong>Baselines that are not here: {absent}.</strong></p>" if absent else "",
        _table(f"Rows of {title}, by R2 on {RANKING}", heads, body),
        "</section>",
    ]


def _line(row: BoardRow, places: dict[str, int], others: Sequence[str]) -> list[str]:
    scores = row.scores.get(RANKING)
    compared = scores is not None and scores.comparable
    standing = None if scores is None else scores.standing
    metrics = {} if scores is None else scores.metrics
    of_ceiling = None if scores is None else scores.of_ceiling
    return [
        str(places[row.name]) if compared else _NOT_KNOWN,
        _NOT_KNOWN if standing is None else _range(standing.best_rank, standing.worst_rank),
        _NOT_KNOWN if standing is None else _group(standing),
        _label(row, scores),
        _NOT_KNOWN if scores is None else f"{_number(scores.r2)} {_span(scores.c)}",
        _NOT_KNOWN if scores is None else _span(scores.g),
        _number(of_ceiling),
        *(_number(metrics.get(metric)) for metric in _METRICS),
        *(_number(row.scores[name].r2 if name in row.scores else None) for name in others),
        escape(row.encoder.overlap),
        escape(", ".join(row.badges)),
    ]


def _label(row: BoardRow, scores: ProtocolScores | None) -> str:
    title = row.encoder.name if row.head is None else f"{row.encoder.name}, {row.head.name}"
    detail = "; ".join([row.input, *row.options])
    flags = () if scores is None or scores.comparable else scores.flags
    beware = f"<br>{escape('; '.join(flags))}" if flags else ""
    path = f"results/{quote(row.name, safe='')}/result.json"
    return f'<a href="{path}">{escape(title)}</a><br>{escape(detail)}{beware}'


def _reported_part(reported: Iterable[Reported]) -> list[str]:
    heads = ["dataset", "row", "R2", "source", "known faults"]
    body = [
        [
            escape(each.dataset),
            escape(each.row),
            _reported_score(each),
            escape(each.source),
            escape(each.caveat),
        ]
        for each in reported
    ]
    return [
        '<section class="reported">',
        "<h2>Reported elsewhere</h2>",
        "<p>Copied from their sources. No predictions were published, so nothing here could be "
        "recomputed and nothing is ranked.</p>",
        _table("Numbers reported elsewhere", heads, body, label=1),
        "</section>",
    ]


def _reported_score(each: Reported) -> str:
    if each.low is None or each.high is None:
        return _number(each.r2)
    return f"{_number(each.r2)} {_span(Span(low=each.low, high=each.high))}"


def _table(
    caption: str, heads: Sequence[str], body: Iterable[Sequence[str]], label: int = 3
) -> str:
    """Lay out cells of markup; the column `label` says what a line is of.

    End tags of cells and lines are left out, as HTML allows: there may be 2,000 lines.
    """
    head = "".join(f'<th scope="col">{name}</th>' for name in map(escape, heads))
    lines = (
        "".join(
            f'<th scope="row">{cell}' if at == label else f"<td>{cell}"
            for at, cell in enumerate(cells)
        )
        for cells in body
    )
    rows = "\n".join(f"<tr>{line}" for line in lines)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{caption}">'
        f'<table class="plain"><caption class="unseen">{caption}</caption>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _group(standing: Standing) -> str:
    if standing.group_size == 1:
        return "none"
    places = _range(standing.group_first, standing.group_last)
    whole = standing.group_last - standing.group_first + 1 == standing.group_size
    return f"no. {places}" if whole else f"{standing.group_size} of no. {places}"


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}&ndash;{last}"


def _number(value: float | None) -> str:
    return _NOT_KNOWN if value is None else f"{value:.3f}".replace("-", "&minus;")


def _span(span: Span | None) -> str:
    return "" if span is None else f"[{_number(span.low)}, {_number(span.high)}]"
