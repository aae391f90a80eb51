"""From the leaderboard's folder to a `Board`: a pure function of the files in it.

``results/`` holds the rows, ``labels/`` what they were scored on, ``reported.json`` the numbers
from elsewhere. Scores, intervals and facts are those that the results store; what depends on
several rows or is not stored (ranks, verdicts, intervals of single dimensions) is computed from the
predictions, which have to give the stored R2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import statistics
from ..comparison import Span
from ..curves import curves_name, read_curves
from ..errors import ResultError, SplitError, StatisticsError
from ..metrics import FloatArray
from ..result import ProtocolRecord, Result, list_results, read_result
from ..scopes import Quantities, quantities_of
from ..split import PROTOCOLS
from ..statistics import Interval
from .board import (
    Badge,
    Board,
    BoardRow,
    Category,
    CurveRecord,
    DatasetBoard,
    DimensionCard,
    Estimates,
    ProtocolBoard,
    ProtocolScores,
    Standing,
)
from .cards import cost_of, encoder_card, layers_of, part_card, renderer_cards
from .labels import Labels, read_all_labels
from .measures import RESAMPLES, SEED, Measures, Source, measure
from .reported import read_reported
from .rerun import RERUN, badges_of_rerun
from .rows import RANKING, Bounds, Row, absent_baselines, interval_bounds
from .standings import find_standings

__all__ = ["read_board"]

_LEVEL = 0.95


@dataclass(frozen=True)
class _Stored:
    """A result with the folder it lies in."""

    folder: Path
    result: Result

    @property
    def name(self) -> str:
        return self.result.name

    def comparable(self, protocol: str) -> bool:
        """Whether it may stand among the others of a protocol that new music makes."""
        record = self.result.protocols.get(protocol)
        return (
            record is not None
            and PROTOCOLS[protocol].interval
            and bool(record.audit.get("ok"))
            and self.result.config.selection == "nested"
        )


@dataclass(frozen=True)
class _Table:
    """One protocol of one dataset while it is put together."""

    board: ProtocolBoard
    standings: Mapping[str, Standing]
    measures: Measures | None


def read_board(folder: Path, jobs: int | None = None) -> Board:
    """Read the leaderboard's folder.

    Parameters
    ----------
    folder : Path
    jobs : int, optional
        Processes; all cores if None.

    Raises
    ------
    ResultError
        If a file cannot be read or was changed, or rows that were not measured alike would be
        ranked together.
    """
    if not (folder / "results").is_dir():
        raise ResultError(f"There is no leaderboard at {folder}: it has no folder results/.")
    labels = read_all_labels(folder)
    versions: dict[tuple[str, str], list[_Stored]] = {}
    for path in list_results(folder / "results"):
        result = read_result(path)
        key = (result.data.dataset, result.data.version)
        versions.setdefault(key, []).append(_Stored(path, result))
    return Board(
        level=_LEVEL,
        margin=statistics.MARGIN,
        resamples=RESAMPLES,
        seed=SEED,
        datasets=tuple(
            _dataset_board(stored, labels, jobs) for _, stored in sorted(versions.items())
        ),
        reported=tuple(read_reported(folder / "reported.json")),
    )


def _dataset_board(
    stored: Sequence[_Stored], labels: Mapping[str, Labels], jobs: int | None
) -> DatasetBoard:
    data = stored[0].result.data
    _require_alike(stored)
    own = labels.get(data.digest)
    dimensions = (
        [DimensionCard(name=name, category="", low="", high="") for name in data.dimensions]
        if own is None
        else [
            DimensionCard(name=d.name, category=d.category, low=d.low, high=d.high)
            for d in own.corpus.dimensions
        ]
    )
    quantities = None if own is None else quantities_of(own.corpus.dimensions)
    tables = {
        protocol: _table(protocol, stored, own, quantities, jobs)
        for protocol in PROTOCOLS
        if any(protocol in each.result.protocols for each in stored)
    }
    rows = {each.name: _row(each, tables, quantities) for each in stored}
    order = tables[RANKING].board.rows if RANKING in tables else ()
    return DatasetBoard(
        dataset=data.dataset,
        version=data.version,
        digest=data.digest,
        clips=data.clips,
        dimensions=tuple(dimensions),
        categories=_categories(dimensions),
        ceiling=data.ceiling,
        ceiling_limit=data.ceiling_limit,
        labels=None if own is None else f"{own.path.parent.name}/{own.path.name}",
        licence=None if own is None else own.licence,
        citation=None if own is None else own.citation,
        protocols=tuple(table.board for table in tables.values()),
        rows=tuple(rows[name] for name in dict.fromkeys([*order, *sorted(rows)])),
        absent_baselines=tuple(absent_baselines([Row.of(each.result) for each in stored])),
    )


def _require_alike(stored: Sequence[_Stored]) -> None:
    """Refuse rows of one version that are of other data, and two of one name."""
    first = stored[0]
    for each in stored:
        if each.folder.name != each.name:
            raise ResultError(
                f"{each.folder} holds the result {each.name!r}. Folders are named after their "
                "results: rename it."
            )
        if each.result.data.digest != first.result.data.digest:
            raise ResultError(
                f"{first.name} and {each.name} cannot be ranked together: both are of version "
                f"{first.result.data.version}, but their data digest differs. Run one of them "
                "again."
            )


def _table(
    protocol: str,
    stored: Sequence[_Stored],
    labels: Labels | None,
    quantities: Quantities | None,
    jobs: int | None,
) -> _Table:
    """Order the rows of a protocol, and measure those that can be compared."""
    records = {
        each.name: each.result.protocols[protocol]
        for each in stored
        if protocol in each.result.protocols
    }
    comparable = [each for each in stored if each.comparable(protocol)]
    _require_same_folds(protocol, comparable)
    comparable.sort(key=lambda each: (-records[each.name].scores.metrics["r2"], each.name))
    names = [each.name for each in comparable]
    found, limit = None, ""
    if not PROTOCOLS[protocol].interval:
        limit = "its units are too few, or share music with what was learned from"
    elif labels is None or quantities is None:
        limit = "the labels are not published here"
    elif comparable:
        try:
            sources = [_source(each, records[each.name]) for each in comparable]
            found = measure(labels.corpus, sources, quantities.weights, jobs)
        except (SplitError, StatisticsError) as error:
            limit = str(error)
    standings = None if found is None else find_standings(found)
    chosen = PROTOCOLS[protocol]
    board = ProtocolBoard(
        name=protocol,
        summary=chosen.summary,
        unit=chosen.unit,
        ranks=chosen.ranked,
        scope=None if found is None else ("C" if found.g is None else "G"),
        limit=limit,
        rows=(*names, *sorted(set(records) - set(names))),
        comparable=len(names),
        verdicts=() if standings is None else standings.verdicts,
    )
    placed = {} if standings is None else dict(zip(names, standings.rows, strict=True))
    return _Table(board, placed, found)


def _source(stored: _Stored, record: ProtocolRecord) -> Source:
    return Source(
        stored.folder / record.predictions, record.predictions_sha256, record.scores.metrics["r2"]
    )


def _require_same_folds(protocol: str, stored: Sequence[_Stored]) -> None:
    for each in stored:
        first = stored[0]
        ours, theirs = (s.result.protocols[protocol].split_digest for s in (first, each))
        if ours != theirs:
            raise ResultError(
                f"{first.name} and {each.name} cannot be ranked together: they were scored on "
                f"different folds of {protocol!r}. Run one of them again."
            )


def _row(stored: _Stored, tables: Mapping[str, _Table], quantities: Quantities | None) -> BoardRow:
    result, folder = stored.result, stored.folder
    shown = Row.of(result)
    badges: list[Badge] = []
    if any(stored.name in table.standings for table in tables.values()):
        badges.append("rescored")
    badges += badges_of_rerun(folder, result)
    files = ["result.json"] + ([RERUN] if (folder / RERUN).is_file() else [])
    return BoardRow(
        name=result.name,
        encoder=encoder_card(result),
        layers=layers_of(result),
        input=shown.renderer,
        pooling=part_card(result, "pooling"),
        head=part_card(result, "head"),
        renderer=part_card(result, "renderer"),
        renderers=renderer_cards(result),
        options=shown.options,
        seeds=max((len(record.seeds) for record in result.protocols.values()), default=0),
        selection=result.config.selection,
        cost=cost_of(result),
        badges=tuple(badges),
        pianobench=result.pianobench,
        environment=dict(result.environment),
        files=tuple(f"results/{folder.name}/{name}" for name in files),
        scores={
            protocol: _scores(stored, record, tables[protocol], quantities)
            for protocol, record in result.protocols.items()
        },
    )


def _scores(
    stored: _Stored, record: ProtocolRecord, table: _Table, quantities: Quantities | None
) -> ProtocolScores:
    protocol, scores = table.board.name, record.scores
    ceiling = stored.result.data.ceiling
    r2 = scores.metrics["r2"]
    place = list(table.standings).index(stored.name) if stored.name in table.standings else None
    stored_r2 = [scores.dimensions["r2"][name] for name in stored.result.data.dimensions]
    curves = stored.folder / curves_name(protocol)
    names = [record.predictions] + ([curves.name] if curves.is_file() else [])
    categories = None
    if quantities is not None and quantities.categories:
        means = [float(sum(stored_r2[i] for i in of) / len(of)) for of in quantities.members]
        categories = _estimates(means, table.measures, place, quantities.families[0])
    first = 1 if quantities is None else quantities.families[1].start
    return ProtocolScores(
        r2=r2,
        c=_span(interval_bounds(record, "C", "jackknife-t")),
        g=_span(interval_bounds(record, "G", "two-way jackknife-t")),
        of_ceiling=None if ceiling is None else r2 / ceiling.mean,
        metrics={name: value for name, value in scores.metrics.items() if name != "r2"},
        folds=scores.folds,
        r2_per_seed=scores.r2_per_seed,
        dimensions=_estimates(stored_r2, table.measures, place, slice(first, None)),
        categories=categories,
        comparable=stored.comparable(protocol),
        flags=tuple(record.flags),
        optimism=None if record.optimism is None else record.optimism.r2,
        standing=table.standings.get(stored.name),
        curves=_curves(curves),
        files=tuple(f"results/{stored.folder.name}/{name}" for name in names),
    )


def _estimates(
    r2: Sequence[float], measures: Measures | None, row: int | None, chosen: slice
) -> Estimates:
    if measures is None or row is None:
        return Estimates(r2=tuple(r2))

    def ends(interval: Interval | None, which: str) -> tuple[float, ...] | None:
        if interval is None:
            return None
        values: FloatArray = getattr(interval, which)
        return tuple(values[row, chosen].tolist())

    return Estimates(
        r2=tuple(r2),
        c_low=ends(measures.c, "low"),
        c_high=ends(measures.c, "high"),
        g_low=ends(measures.g, "low"),
        g_high=ends(measures.g, "high"),
    )


def _span(bounds: Bounds | None) -> Span | None:
    return None if bounds is None else Span(low=bounds.low, high=bounds.high)


def _curves(path: Path) -> tuple[CurveRecord, ...]:
    if not path.is_file():
        return ()
    return tuple(
        CurveRecord(
            fold=curve.fold,
            seed=curve.seed,
            best=curve.best,
            loss=tuple(epoch.loss for epoch in curve.epochs),
            validation_r2=tuple(epoch.validation_r2 for epoch in curve.epochs),
        )
        for curve in read_curves(path)
    )


def _categories(dimensions: Sequence[DimensionCard]) -> tuple[Category, ...]:
    names = dict.fromkeys(d.category for d in dimensions if d.category)
    return tuple(
        Category(name=name, dimensions=tuple(d.name for d in dimensions if d.category == name))
        for name in names
    )
