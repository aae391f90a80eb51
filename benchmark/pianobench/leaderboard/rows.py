"""A stored result as a row of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..forest import Estimate
from ..result import ProtocolRecord, Result, list_results, read_result

__all__ = ["RANKING", "Row", "estimates_of", "rank_rows", "read_rows"]

RANKING = "piece"
"""The protocol that orders the leaderboard."""


@dataclass(frozen=True)
class Row:
    """What a table shows of one result; None where it was not run or is not defined.

    `r2` maps protocol to mean R2; `low` and `high` are the jackknife-t interval of the ranking
    protocol, which all the other numbers without a protocol in their name also belong to.
    """

    name: str
    dataset: str
    data_digest: str
    encoder: str
    layers: str
    renderer: str
    pooling: str
    head: str
    seeds: int
    ranked: bool
    flags: tuple[str, ...]
    r2: dict[str, float]
    low: float | None
    high: float | None
    metrics: dict[str, float]

    @classmethod
    def of(cls, result: Result) -> Row:
        """Take a row from a result."""
        config = result.config
        record = result.protocols.get(RANKING)
        low, high = (None, None) if record is None else _interval(record)
        flags = {
            flag: None
            for protocol in result.protocols.values()
            if protocol.ranked or protocol is record
            for flag in protocol.flags
        }
        return cls(
            name=result.name,
            dataset=result.data.dataset,
            data_digest=result.data.digest,
            encoder=config.encoder.name,
            layers=config.layers or "",
            renderer=_renderer(result),
            pooling="" if config.pooling is None else config.pooling.name,
            head="" if config.head is None else config.head.name,
            seeds=0 if record is None else len(record.seeds),
            ranked=record is not None and record.ranked,
            flags=tuple(flags),
            r2={name: p.scores.metrics["r2"] for name, p in result.protocols.items()},
            low=low,
            high=high,
            metrics={} if record is None else dict(record.scores.metrics),
        )


def read_rows(results: Path) -> list[Row]:
    """Read the rows of every result below a folder.

    Raises
    ------
    ResultError
        If one of them cannot be read.
    """
    return [Row.of(read_result(folder)) for folder in list_results(results)]


def rank_rows(rows: Iterable[Row]) -> list[Row]:
    """Order rows: ranked ones by R2 on the ranking protocol, then the others by name."""

    def key(row: Row) -> tuple[bool, float, str]:
        return (not row.ranked, -row.r2[RANKING] if row.ranked else 0.0, row.name)

    return sorted(rows, key=key)


def estimates_of(rows: Iterable[Row]) -> list[Estimate]:
    """Take R2 on the ranking protocol with its interval from every row that has one."""
    return [
        Estimate(f"{row.encoder} ({row.renderer}), {row.head}", row.r2[RANKING], row.low, row.high)
        for row in rank_rows(rows)
        if RANKING in row.r2
    ]


def _interval(record: ProtocolRecord) -> tuple[float | None, float | None]:
    for interval in record.scores.intervals:
        if (interval.scope, interval.method) == ("C", "jackknife-t"):
            return interval.low, interval.high
    return None, None


def _renderer(result: Result) -> str:
    choice = result.config.renderer
    if choice is None:
        return "notes"
    instrument = choice.options.get("instrument")
    return f"{choice.name} {instrument}" if instrument else choice.name
