"""A stored result as a row of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..config import Choice
from ..forest import Estimate
from ..result import ProtocolRecord, Result, list_results, read_result

__all__ = [
    "BASELINES",
    "RANKING",
    "Bounds",
    "Row",
    "absent_baselines",
    "estimates_of",
    "interval_bounds",
    "rank_rows",
    "read_rows",
]

RANKING = "piece"
"""The protocol that orders the leaderboard."""

BASELINES = (("midi-stats", "kernel-ridge"), ("score-stats", "kernel-ridge"))
"""Encoder and head of the rows that no table goes without; the second one needs scores."""


class Bounds(NamedTuple):
    """Ends of an interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """What a table shows of one result; None where it was not run or is not defined.

    `options` are those that are not the defaults. `r2` maps protocol to mean R2. The intervals, for
    new passages by these performers and for new passages by new performers, and the metrics are
    those of the ranking protocol.
    """

    name: str
    dataset: str
    version: str
    data_digest: str
    split_digest: str
    encoder: str
    layers: str
    renderer: str
    pooling: str
    head: str
    options: tuple[str, ...]
    seeds: int
    ranked: bool
    flags: tuple[str, ...]
    r2: dict[str, float]
    interval: Bounds | None
    interval_new_performers: Bounds | None
    ceiling: float | None
    metrics: dict[str, float]

    @classmethod
    def of(cls, result: Result) -> Row:
        """Take a row from a result."""
        config = result.config
        record = result.protocols.get(RANKING)
        flags = {
            flag: None
            for protocol in result.protocols.values()
            if protocol.ranked or protocol is record
            for flag in protocol.flags
        }
        return cls(
            name=result.name,
            dataset=result.data.dataset,
            version=result.data.version,
            data_digest=result.data.digest,
            split_digest="" if record is None else record.split_digest,
            encoder=config.encoder.name,
            layers=config.layers or "",
            renderer=_renderer(result),
            pooling="" if config.pooling is None else config.pooling.name,
            head="" if config.head is None else config.head.name,
            options=_options(result),
            seeds=0 if record is None else len(record.seeds),
            ranked=record is not None and record.ranked,
            flags=tuple(flags),
            r2={name: p.scores.metrics["r2"] for name, p in result.protocols.items()},
            interval=interval_bounds(record, "C", "jackknife-t"),
            interval_new_performers=interval_bounds(record, "G", "two-way jackknife-t"),
            ceiling=None if result.data.ceiling is None else result.data.ceiling.mean,
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


def absent_baselines(rows: Iterable[Row]) -> list[str]:
    """Name the compulsory rows that a table lacks."""
    held = {(row.encoder, row.head) for row in rows}
    return [f"{encoder} with {head}" for encoder, head in BASELINES if (encoder, head) not in held]


def estimates_of(rows: Iterable[Row]) -> list[Estimate]:
    """Take R2 on the ranking protocol with its interval from every row that has one."""
    return [
        Estimate(
            # What tells it from a row of the same names takes a line of its own.
            "\n".join(
                filter(
                    None, [f"{row.encoder} ({row.renderer}), {row.head}", ", ".join(row.options)]
                )
            ),
            row.r2[RANKING],
            *(row.interval or ()),
        )
        for row in rank_rows(rows)
        if RANKING in row.r2
    ]


def interval_bounds(record: ProtocolRecord | None, scope: str, method: str) -> Bounds | None:
    """Find an interval of R2 in what a result says of a protocol; None where there is none."""
    for interval in [] if record is None else record.scores.intervals:
        if (interval.scope, interval.method) == (scope, method):
            return Bounds(interval.low, interval.high)
    return None


def _options(result: Result) -> tuple[str, ...]:
    """List what tells the row from one of the same names: options that are not the defaults."""
    changed = [
        f"{part}.{option}={value}"
        for part, component in result.components.items()
        for option, value in component.changed.items()
        # The input says the instrument, and all that tells several renderers apart.
        if (part, option) != ("renderer", "instrument") and not part.startswith("renderer ")
    ]
    config = result.config
    if config.merge != "concat":
        changed.append(f"merge={config.merge}")
    if config.weighting != "raters":
        changed.append(f"weighting={config.weighting}")
    if config.precision not in (None, "float32"):
        changed.append(f"precision={config.precision}")
    facts = result.components["encoder"].facts
    if config.chunk_s != facts.get("chunk_s", config.chunk_s):
        changed.append(f"chunk_s={config.chunk_s:g}")
    if config.overlap_s:
        changed.append(f"overlap_s={config.overlap_s:g}")
    return tuple(changed)


def _renderer(result: Result) -> str:
    config = result.config
    if not config.heard:
        hears = "sample_rate_hz" in result.components["encoder"].facts
        return "recordings" if hears else "notes"
    if len(config.heard) == 1:
        return _instrument(config.heard[0])
    fitted_on = _instruments(result, config.renderers)
    if config.test_renderer is None:
        return fitted_on
    return f"{fitted_on}, tested on {_instruments(result, config.test_renderers)}"


def _instrument(choice: Choice) -> str:
    instrument = choice.options.get("instrument")
    return f"{choice.name} {instrument}" if instrument else choice.name


def _instruments(result: Result, choices: Iterable[Choice]) -> str:
    """Name several renderers, each with its options that are not the defaults."""
    changed = {
        part: [
            f"{option}={value}"
            for option, value in result.components[part].changed.items()
            if option != "instrument"
        ]
        for part, choice in result.config.parts.items()
        if choice in choices
    }
    return " + ".join(
        " ".join([_instrument(result.config.parts[part]), *options])
        for part, options in changed.items()
    )
