"""The page that people see in the repository: a table a dataset, readable without leaving it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from ..comparison import Span
from .board import Board, BoardRow, DatasetBoard, ProtocolScores
from .reported import Reported
from .rows import RANKING
from .text import markdown_text

__all__ = ["readme"]

_NOTES = f"""\
R2 is pooled over out-of-fold predictions, its denominator the squared deviation from the grand
mean of the labels, and averaged uniformly over dimensions. Rows are numbered by R2 on `{RANKING}`,
where music that shares notes is kept on one side of every fold. **The number says less than the
three columns after it.** More of every row is in `board.json` and the CSV; what the columns mean,
how rows are checked and how to add one: [docs/leaderboard.md](../docs/leaderboard.md).

- *Rank*: 95% interval over resampled passages, the same for all rows.
- *Not told apart from*: the rows whose difference from it may be chance, for new music by new
  performers.
- *Against no. 1*: after correction for all rows. *May be best*: belongs to the set that holds the
  best row with 95% probability.
- `{RANKING}`: with the 95% jackknife-t interval for new music by these performers. *New
  performers*: the two-way one over passages and performers.
- *Of ceiling*: share of the R2 that the reliability of the labels allows.
- *Human takes*: without machine renditions. *Within passage*: labels and predictions centred by
  passage, so that knowing the music is worth nothing. *Pairs*: share of pairs of takes of one
  passage put in the right order.
- `unseen`: passage and performer both new. `work`: leave one work out, a stress test on a few
  works, without an interval. Protocols that share music between training and test never rank a row.
- *Badges*: {{badges}}.
"""

_HEADERS = ("row", "R2", "source", "known faults")


@dataclass(frozen=True)
class _Place:
    """A row in the table of the protocol that ranks."""

    number: str
    row: BoardRow

    @property
    def ranking(self) -> ProtocolScores | None:
        return self.row.scores.get(RANKING)


def readme(board: Board) -> str:
    """Write the page of a board, as Markdown for GitHub."""
    badges = "; ".join(f"*{name}*, {meaning}" for name, meaning in board.badges.items())
    notes = _NOTES.format(badges=badges)
    parts = ["# Leaderboard", "", "Written by `bench leaderboard`; do not edit.", "", notes]
    names = {dataset.dataset for dataset in board.datasets} | {r.dataset for r in board.reported}
    for name in sorted(names):
        parts += [f"## {markdown_text(name)}", ""]
        for dataset in board.datasets:
            if dataset.dataset == name:
                parts += _dataset_part(dataset)
        parts += _reported_part([each for each in board.reported if each.dataset == name])
    return "\n".join(parts)


def _dataset_part(dataset: DatasetBoard) -> list[str]:
    comparable = {p.name: p.comparable for p in dataset.protocols}.get(RANKING, 0)
    places = [
        _Place(str(number) if number <= comparable else "-", row)
        for number, row in enumerate(dataset.rows, start=1)
    ]
    columns = {name: [cell(place) for place in places] for name, cell in _columns(dataset).items()}
    shown = {name: cells for name, cells in columns.items() if any(cells)}
    named = f"Version {markdown_text(dataset.version)}, data {dataset.digest[:12]}"
    parts = [f"{named}, {dataset.clips:,} clips.", "", _table(shown), ""]
    if dataset.absent_baselines:
        absent = ", ".join(dataset.absent_baselines)
        parts += [f"**Baselines that this table lacks: {absent}.**", ""]
    return parts


def _columns(dataset: DatasetBoard) -> Mapping[str, Callable[[_Place], str]]:
    """Say what each column shows; those that are empty in every row are left out."""
    protocols = [p.name for p in dataset.protocols if p.name != RANKING]
    shown = [name for name in ("unseen", "work") if name in protocols]
    return {
        "#": lambda place: place.number,
        "rank": _rank,
        "not told apart from": _group,
        "against no. 1": _against,
        "encoder": lambda place: markdown_text(_encoder(place.row)),
        "input": lambda place: markdown_text(place.row.input),
        "head": lambda place: markdown_text(_head(place.row)),
        "options": lambda place: markdown_text("; ".join(place.row.options)),
        f"`{RANKING}`": lambda place: _r2(place.ranking),
        "new performers": lambda place: _interval(place.ranking and place.ranking.g),
        "of ceiling": lambda place: _number(place.ranking and place.ranking.of_ceiling),
        "human takes": lambda place: _metric(place, "r2_human"),
        "within passage": lambda place: _metric(place, "r2_within_passage"),
        "pairs": lambda place: _metric(place, "accuracy_within_passage"),
        **{f"`{name}`": _other(name) for name in shown},
        "badges": lambda place: ", ".join(place.row.badges),
        "flags": lambda place: markdown_text("; ".join(_flags(place.row))),
        "result": lambda place: f"[files](results/{quote(place.row.name)})",
    }


def _other(protocol: str) -> Callable[[_Place], str]:
    return lambda place: _number(
        place.row.scores[protocol].r2 if protocol in place.row.scores else None
    )


def _rank(place: _Place) -> str:
    standing = place.ranking and place.ranking.standing
    return _span(standing.best_rank, standing.worst_rank) if standing else ""


def _group(place: _Place) -> str:
    standing = place.ranking and place.ranking.standing
    if not standing or standing.group_size == 1:
        return ""
    span = _span(standing.group_first, standing.group_last)
    whole = standing.group_last - standing.group_first + 1 == standing.group_size
    return span if whole else f"{standing.group_size} of {span}"


def _against(place: _Place) -> str:
    standing = place.ranking and place.ranking.standing
    if not standing:
        return ""
    words = [standing.verdict.value] if standing.verdict else []
    return "; ".join([*words, *(["may be best"] if standing.may_be_best else [])])


def _encoder(row: BoardRow) -> str:
    plain = row.encoder.layers in (None, 0) or row.layers in ("", "last")
    return row.encoder.name if plain else f"{row.encoder.name} {row.layers}"


def _head(row: BoardRow) -> str:
    head = "" if row.head is None else row.head.name
    return head if row.seeds < 2 else f"{head}, {row.seeds} seeds"


def _flags(row: BoardRow) -> Sequence[str]:
    return row.scores[RANKING].flags if RANKING in row.scores else ()


def _metric(place: _Place, name: str) -> str:
    return _number(place.ranking.metrics.get(name) if place.ranking else None)


def _r2(scores: ProtocolScores | None) -> str:
    return "" if scores is None else f"{scores.r2:.3f} {_interval(scores.c)}".strip()


def _interval(span: Span | None) -> str:
    return "" if span is None else f"[{span.low:.3f}, {span.high:.3f}]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _table(columns: Mapping[str, Sequence[str]]) -> str:
    from tabulate import tabulate

    # Row by row: with no row at all there is still a header.
    rows = list(zip(*columns.values(), strict=True))
    return str(tabulate(rows, headers=list(columns), tablefmt="github", disable_numparse=True))


def _reported_part(reported: Sequence[Reported]) -> list[str]:
    if not reported:
        return []
    rows = [
        (
            markdown_text(each.row),
            _reported_r2(each),
            markdown_text(each.source),
            markdown_text(each.caveat),
        )
        for each in reported
    ]
    columns = dict(zip(_HEADERS, zip(*rows, strict=True), strict=True))
    return [
        "### Reported elsewhere",
        "",
        "Copied from their sources. No predictions were published, so nothing here could be "
        "recomputed and nothing is ranked.",
        "",
        _table(columns),
        "",
    ]


def _reported_r2(reported: Reported) -> str:
    known = reported.low is not None and reported.high is not None
    return f"{reported.r2:.3f}" + (f" [{reported.low:.3f}, {reported.high:.3f}]" if known else "")
