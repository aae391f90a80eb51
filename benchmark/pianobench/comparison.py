"""What a comparison says, as values: the content of ``bench compare --json``.

Two scopes stand side by side and are never mixed. Scope C: new passages, by these performers.
Scope G: new passages and new performers. Differences are R2 of the first model minus R2 of the
second; None means that a number is not defined, and `limits` says why.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from .statistics import Verdict

__all__ = [
    "Comparison",
    "Difference",
    "DimensionDifference",
    "EffectRecord",
    "ErrorCorrelationRecord",
    "ModelRecord",
    "PairRecord",
    "PublishedRecord",
    "PublishedTestRecord",
    "ScopeTest",
    "Span",
]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Span(_Record):
    """A 95% interval."""

    low: float
    high: float


class ScopeTest(_Record):
    """The difference of two models in one scope, and what it shows.

    The interval and `p_equivalent` include the noise of the seeds, where a model has several.
    """

    low: float
    high: float
    standard_error: float
    df: int
    p_value: float
    """Of no difference: sign flips of whole passages in scope C, Student's t in scope G."""
    p_adjusted: float
    """Holm over what is shown together (pairs, categories, dimensions of a pair); over dimensions
    in scope C max-T."""
    p_equivalent: float
    """Of a difference of the margin or more (two one-sided t-tests)."""
    p_equivalent_adjusted: float
    """Holm over what is shown together."""
    detectable: float
    """Smallest true difference that the t-test finds with 80% power."""
    verdict: Verdict
    """From the adjusted p-values at 5%."""


class Difference(_Record):
    """Two models in one number: overall, or in a category."""

    name: str
    first: float
    second: float
    difference: float
    scope_c: ScopeTest | None = None
    scope_g: ScopeTest | None = None


class DimensionDifference(Difference):
    """Two models in one dimension; the extra p-values are of scope C, over dimensions."""

    category: str
    p_holm: float | None = None
    """The check on max-T."""
    p_benjamini_hochberg: float | None = None
    """For exploration: bounds the share of false discoveries."""


class EffectRecord(_Record):
    """An effect size on passage means, with its 95% interval; positive if the first is better."""

    value: float
    low: float
    high: float


class ErrorCorrelationRecord(_Record):
    """How alike two models' errors are, raw and without the label noise that both share."""

    raw: float | None
    corrected: float | None
    dimensions: dict[str, float | None]
    """Raw, by dimension."""
    corrected_dimensions: dict[str, float | None] | None


class PublishedTestRecord(_Record):
    """A test that takes clips as independent, with the rate at which it errs at a nominal 5%."""

    statistic: float
    p_value: float
    error_rate_c: float
    error_rate_g: float


class PublishedRecord(_Record):
    """The study's own statistics, for comparison with the literature and never to decide."""

    paired_t: PublishedTestRecord
    wilcoxon: PublishedTestRecord
    intervals: dict[str, Span]
    """Of R2 of the ``first`` and the ``second`` model and of their ``difference``; single clips
    resampled."""
    interval_miss_rate_c: float
    """Rate at which the interval of one model misses."""
    interval_miss_rate_g: float
    d_av: float


class ModelRecord(_Record):
    """One model of a comparison."""

    name: str
    result: str
    """The folder of its result."""
    r2: float
    seeds: int
    seed_variance: float | None
    """Variance of a single seed's R2; None for one seed, whose noise is then in no interval."""
    scope_c: Span | None
    scope_g: Span | None
    best_rank: int | None
    worst_rank: int | None
    """95% interval of the rank over resampled passages; 1 is the highest R2."""
    p_best: float | None
    """Of being the best of those compared (one-sided max-T over all others)."""
    tied_with_best: bool | None
    """Whether `p_best` is above 0.05: the set of these holds the best with 95% probability."""


class PairRecord(_Record):
    """Two models side by side."""

    first: str
    second: str
    sentence: str
    overall: Difference
    probability_within_margin: float | None
    """Share of resamples in which the difference is smaller than the margin."""
    categories: list[Difference]
    dimensions: list[DimensionDifference]
    effects: dict[str, EffectRecord] | None
    error_correlation: ErrorCorrelationRecord
    fusion_bound: float
    """R2 that no linear fusion of the two can exceed on these clips."""
    published: PublishedRecord | None
    limits: list[str]
    """What could not be computed, and why."""


class Comparison(_Record):
    """The first model against each of the others."""

    schema_version: int = 1
    dataset: str
    version: str
    digest: str
    protocol: str
    clips: int
    passages: int
    performers: int | None
    """Without machine renditions, which are not draws from a population."""
    level: float
    margin: float
    resamples: int
    seed: int
    models: list[ModelRecord]
    pairs: list[PairRecord]
    limits: list[str]
    """What could not be computed, what the results themselves warn of, and how to read them."""
