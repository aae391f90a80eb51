"""What a study of fusion found, as values: the content of its ``study.json``."""

from __future__ import annotations

from typing import Any, Literal

from ..comparison import Difference, DimensionDifference, ErrorCorrelationRecord, ModelRecord, Span
from .folder import Record

__all__ = ["BaseRecord", "CorrelationRecord", "Fusion", "FusionRecord"]


class BaseRecord(Record):
    """One model that is fused."""

    name: str
    result: str
    """The folder of its result."""
    config_digest: str
    predictions_sha256: str
    model: ModelRecord
    dimensions: dict[str, float]
    """R2 by dimension."""
    inner_models: int
    """Models that were fitted inside training parts."""
    inner_cpu_s: float
    """What fitting them took; those that were stored count as when they were fitted."""


class FusionRecord(Record):
    """One way to fuse."""

    name: str
    r2: float
    scope_c: Span | None
    scope_g: Span | None
    gain: Difference
    """Over the best single model; p-values are corrected over the fusions."""
    gains: list[DimensionDifference]
    """The same by dimension; corrected over the dimensions of this fusion."""
    weights: dict[str, float] | None
    """Of the models, averaged over folds, dimensions and clips; None where there are none."""
    learned: dict[str, dict[str, Any]]
    """What was learned, by the fold that it was applied to."""
    leaky_r2: float | None
    """What learning from the stored predictions of the other folds would have claimed; None where
    nothing is learned."""
    predictions: str
    """File of the fused predictions."""


class CorrelationRecord(Record):
    """How alike the errors of two models are."""

    first: str
    second: str
    errors: ErrorCorrelationRecord


class Fusion(Record):
    """What the study found."""

    schema_version: Literal[1] = 1
    study: Literal["fusion"] = "fusion"
    ranked: Literal[False] = False
    """Which models to fuse was chosen by whoever typed their names."""
    name: str
    pianobench: str
    dataset: str
    data_version: str
    data_digest: str
    protocol: str
    split_digest: str
    inner_folds: int
    clips: int
    passages: int
    performers: int | None
    """Without machine renditions."""
    bases: list[BaseRecord]
    best: str
    """The single model with the highest R2, which gains are measured against. It was found on the
    clips that are scored, which is to its advantage."""
    fusions: list[FusionRecord]
    correlations: list[CorrelationRecord]
    bound: float
    """R2 that no fusion can exceed in which a dimension is a weighted sum of the models'
    predictions of it and a constant, the same for all clips."""
    bound_dimensions: dict[str, float]
    bound_across: float
    """The same where a dimension may draw on the predictions of all of them, as ``stacked``."""
    limits: list[str]
    """What could not be computed, what the results themselves warn of, and how to read them."""
    environment: dict[str, str]
