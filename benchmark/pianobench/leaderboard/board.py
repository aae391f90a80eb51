"""Everything a table or a page shows, as one frozen value: the content of ``board.json``.

A board holds datasets, a dataset its rows and, protocol by protocol, where rows stand. Numbers are
R2 unless said otherwise. Two scopes stand side by side: ``c``, new passages by these performers,
and ``g``, new passages and new performers; intervals are 95%. None means not recorded, not run or
not defined. Lists of dimensions and categories are in the order of the dataset's.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ..ceiling import Ceiling
from ..comparison import Span
from ..statistics import Verdict
from .reported import Reported

__all__ = [
    "BADGES",
    "SCHEMA_VERSION",
    "Badge",
    "Board",
    "BoardRow",
    "Category",
    "Cost",
    "CurveRecord",
    "DatasetBoard",
    "DimensionCard",
    "EncoderCard",
    "Estimates",
    "Overlap",
    "PartCard",
    "ProtocolBoard",
    "ProtocolScores",
    "Standing",
]

SCHEMA_VERSION = 1

Badge = Literal["rescored", "rerun", "fingerprint matched"]
Overlap = Literal["known", "none", "unknown"]

BADGES: dict[Badge, str] = {
    "rescored": "R2 was recomputed from the predictions when this was written",
    "rerun": "a maintainer trained it again from its configuration, and R2 agreed",
    "fingerprint matched": "that run had the same encoder, by its weights or by what it gave",
}
"""What each badge says."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class DimensionCard(_Value):
    """A labelled quality."""

    name: str
    category: str
    """Empty where the dataset has none, or its labels are not published here."""
    low: str
    """What a low label means."""
    high: str
    """What a high label means."""


class Category(_Value):
    """Dimensions that belong together."""

    name: str
    dimensions: tuple[str, ...]


class EncoderCard(_Value):
    """The encoder of a row, as its result records it."""

    name: str
    origin: str
    """Distribution and version, or file, of the plugin."""
    revision: str | None
    """Of the plugin's features: raised when the same input gives others."""
    source: str | None
    """Where the weights came from; ``random, seed N`` for untrained ones."""
    fingerprint: str | None
    """SHA-256 of the weights, or of what it makes of fixed inputs."""
    parameters: int | None
    """Number of weights; 0 where there are none."""
    licence: str
    citation: str
    pretraining: str
    """What it was trained on."""
    overlap: Overlap
    """Whether that is known to hold music of the dataset, known to hold none, or unknown."""
    layers: int | None
    """Number of layers that it has."""
    sample_rate_hz: int | None
    """None for an encoder of notes."""


class PartCard(_Value):
    """A pooling, head or renderer of a row."""

    name: str
    changed: dict[str, Any]
    """Options that are not the defaults."""
    licence: str
    citation: str
    card: str = ""
    """What a rendering loses."""


class Cost(_Value):
    """What a row took, on the machine that made it."""

    device: str | None
    processes: int | None
    encode_s: float | None
    """Seconds spent on encoding; near 0 where features were stored already."""
    audio_s_per_s: float | None
    """Seconds of audio encoded in a second, of what was not stored already."""
    clips_per_s: float | None
    """Clips encoded in a second, of those that were not stored already."""
    train_s: float | None
    """Seconds spent on fitting and predicting: all folds and seeds of all protocols."""


class Estimates(_Value):
    """R2 of several quantities."""

    r2: tuple[float, ...]
    c_low: tuple[float, ...] | None = None
    c_high: tuple[float, ...] | None = None
    g_low: tuple[float, ...] | None = None
    g_high: tuple[float, ...] | None = None


class CurveRecord(_Value):
    """How one network learned, epoch by epoch."""

    fold: str
    seed: int
    best: int
    """Index of the epoch that was kept."""
    loss: tuple[float, ...]
    validation_r2: tuple[float, ...]


class Standing(_Value):
    """Where a row stands among those of its protocol that can be compared."""

    best_rank: int
    worst_rank: int
    """95% interval of the rank over resampled passages, the same for all rows; 1 is the best."""
    may_be_best: bool
    """Whether it belongs to the set that holds the best row with 95% probability (one-sided max-T
    over all rows, new passages by these performers)."""
    verdict: Verdict | None
    """Against the row of the highest R2, in the protocol's scope, after Holm over all rows; None
    for that row itself."""
    difference: float
    """R2 less that of the row of the highest R2."""
    difference_low: float
    difference_high: float
    p_adjusted: float
    """Of no difference, after Holm."""
    group_first: int
    group_last: int
    """Positions, from 1, of the first and the last row that it cannot be told apart from, itself
    included; uncorrected."""
    group_size: int
    """Number of rows that it cannot be told apart from, itself included; where it is less than
    the positions span, `ProtocolBoard.verdicts` says which."""


class ProtocolScores(_Value):
    """What a row scored in one protocol."""

    r2: float
    c: Span | None
    g: Span | None
    of_ceiling: float | None
    """Share of the noise ceiling."""
    metrics: dict[str, float]
    """By name: ``r2_human`` of human takes, ``r2_within_passage``, ``accuracy_within_passage`` of
    pairs of takes, ``spearman``, ``ccc``, ``mae``, ``r2_per_fold``."""
    folds: dict[str, float]
    r2_per_seed: dict[str, float]
    dimensions: Estimates
    categories: Estimates | None
    comparable: bool
    """Whether it may stand among the others: nothing leaks, and nothing was chosen on a scored
    fold."""
    flags: tuple[str, ...]
    """What a reader must know."""
    optimism: float | None
    """R2 that would have been claimed, had training stopped on the scored fold."""
    standing: Standing | None
    curves: tuple[CurveRecord, ...]
    files: tuple[str, ...]
    """Predictions and curves, as paths from the leaderboard's folder."""


class BoardRow(_Value):
    """One result."""

    name: str
    """Of the result and of its folder; unique."""
    encoder: EncoderCard
    layers: str
    """Layers that were taken, and how they became one vector: ``9-12``, ``9-12 mean``."""
    input: str
    """Renderer and instrument, ``recordings`` or ``notes``."""
    pooling: PartCard | None
    head: PartCard | None
    renderer: PartCard | None
    """None where nothing was rendered, or where there are several."""
    renderers: tuple[PartCard, ...]
    """Every one that was heard, in training or in testing; `input` says which was which."""
    options: tuple[str, ...]
    """What tells it from a row of the same names."""
    seeds: int
    selection: str
    """``nested``, or ``test-fold`` where training stopped on the scored fold."""
    cost: Cost
    badges: tuple[Badge, ...]
    pianobench: str
    """Version that made it."""
    environment: dict[str, str]
    files: tuple[str, ...]
    """The result, and the record of a rerun, as paths from the leaderboard's folder."""
    scores: dict[str, ProtocolScores]
    """By protocol."""


class ProtocolBoard(_Value):
    """One protocol of a dataset: the order of its rows, and which can be told apart."""

    name: str
    summary: str
    """What the scored clips are to the model."""
    unit: tuple[str, ...]
    """Groups that no fold shares between training and test."""
    ranks: bool
    """Whether it ranks the leaderboard."""
    scope: Literal["C", "G"] | None
    """Of differences: G where performers are known and enough; None where nothing is tested."""
    limit: str
    """Why nothing is tested; else empty."""
    rows: tuple[str, ...]
    """Names of the rows: those that can be compared by R2, best first, then the others by name."""
    comparable: int
    """Number of rows that can be compared: the first ones."""
    verdicts: tuple[str, ...]
    """Of each comparable row, against every better-placed one in order, a letter each: ``w`` worse,
    ``e`` equivalent, ``n`` not distinguished; for pairs on request, and therefore uncorrected."""


class DatasetBoard(_Value):
    """One version of a dataset."""

    dataset: str
    version: str
    digest: str
    clips: int
    dimensions: tuple[DimensionCard, ...]
    categories: tuple[Category, ...]
    """Empty where the dataset has none, or its labels are not published here."""
    ceiling: Ceiling | None
    ceiling_limit: str
    """Why there is no ceiling."""
    labels: str | None
    """File of the labels, from the leaderboard's folder; without it no row has a standing."""
    licence: str | None
    """Of the dataset."""
    citation: str | None
    protocols: tuple[ProtocolBoard, ...]
    rows: tuple[BoardRow, ...]
    """In the order of the protocol that ranks."""
    absent_baselines: tuple[str, ...]
    """Rows that no table should go without."""


class Board(_Value):
    """All that is published."""

    schema_version: int = SCHEMA_VERSION
    level: float
    """Of every interval."""
    margin: float
    """Differences in R2 below it count as equivalent where they are shown."""
    resamples: int
    """Of passages, shared by all rows."""
    seed: int
    """Of resamples and sign flips."""
    badges: dict[Badge, str] = BADGES
    """What each badge says."""
    datasets: tuple[DatasetBoard, ...]
    reported: tuple[Reported, ...]
    """Numbers from elsewhere, with their source and known faults; they have no predictions and are
    never ranked."""
