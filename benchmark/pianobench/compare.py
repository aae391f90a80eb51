"""Compare models on common clips: `Contenders` enter, a `Comparison` leaves.

The first model is compared with each of the others. Everything rests on the same passages left
out, the same resamples and the same sign flips, so that no two numbers contradict each other by
chance. What a corpus or a protocol does not support is left out with the reason, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import statistics
from .ceiling import ceiling_of
from .comparison import (
    Comparison,
    Difference,
    DimensionDifference,
    EffectRecord,
    ErrorCorrelationRecord,
    ModelRecord,
    PairRecord,
    PublishedRecord,
    PublishedTestRecord,
    ScopeTest,
    Span,
)
from .comparison_text import sentence
from .contenders import Contenders
from .errors import SplitError, StatisticsError
from .metrics import FloatArray, pooled_r2
from .scopes import SEED, Quantities, Scope, quantities_of, refusal, scope_c, scope_g
from .statistics import PublishedTest, RankIntervals

__all__ = ["ALPHA", "Resampled", "compare", "correlate_errors", "reliability_of", "resample"]

RESAMPLES = 10_000
ALPHA = 0.05

T = TypeVar("T")


class Resampled(NamedTuple):
    """What rests on shared resamples and flips: R2 [resample, model], and arrays [model]."""

    distribution: NDArray[np.float32]
    ranks: RankIntervals
    p_best: FloatArray


class _Findings(NamedTuple):
    """What the records of models and pairs are made from; None where it is not supported.

    `r2` is [model, quantity]; `reliability` of the labels is [dimension].
    """

    quantities: Quantities
    r2: FloatArray
    c: Scope | None
    g: Scope | None
    resampled: Resampled | None
    reliability: FloatArray | None


def compare(given: Contenders, as_published: bool = False) -> Comparison:
    """Compare the first model with each of the others.

    Parameters
    ----------
    given : Contenders
    as_published : bool
        Also compute the study's own tests, with the error rates measured for them.

    Returns
    -------
    Comparison

    Raises
    ------
    StatisticsError
        If R2 itself is not defined: labels of a dimension that do not vary.
    """
    limits = list(given.flags)
    found = _findings(given, limits)
    performers = given.corpus.groups.get("performer")
    players = {performers[clip] for clip in given.clips[~given.fixed]} if performers else set()
    return Comparison(
        dataset=given.corpus.name,
        version=given.corpus.version,
        digest=given.corpus.digest,
        protocol=given.protocol,
        clips=len(given.clips),
        passages=len(np.unique(given.group("passage"))),
        performers=len(players) or None,
        level=1 - ALPHA,
        margin=statistics.MARGIN,
        resamples=RESAMPLES,
        seed=SEED,
        models=[_model(given, found, model) for model in range(len(given.names))],
        pairs=[_pair(given, found, pair, as_published) for pair in range(len(given.names) - 1)],
        limits=limits,
    )


def _findings(given: Contenders, limits: list[str]) -> _Findings:
    quantities = quantities_of(given.corpus.dimensions)
    r2 = pooled_r2(given.targets, given.predictions) @ quantities.weights.T
    refused = refusal(given.protocol)
    c = g = resampled = None
    if refused is not None:
        limits.append(refused)
    else:
        c = _defined(limits, "new passages (C)", lambda: scope_c(given, quantities))
        g = _defined(limits, "new performers (G)", lambda: scope_g(given, quantities))
        resampled = _defined(limits, "resamples", lambda: resample(given))
    if c is not None and any(len(values) > 1 for values in given.by_seed):
        limits.append(
            "Sign flips judge the predictions averaged over seeds; the noise of the seeds is in "
            "the intervals and in scope G's tests."
        )
    return _Findings(quantities, r2, c, g, resampled, reliability_of(given, limits))


def _defined(limits: list[str], what: str, compute: Callable[[], T]) -> T | None:
    """Compute what may not be defined on these clips; note the reason where it is not."""
    try:
        return compute()
    except (SplitError, StatisticsError) as error:
        limits.append(f"{what}: {error}")
        return None


def resample(given: Contenders) -> Resampled:
    """Rank models on shared resamples, and test each for being the best.

    Raises
    ------
    StatisticsError
        For fewer than 5 passages, or labels that do not vary.
    """
    targets, predictions, passages = given.targets, given.predictions, given.group("passage")
    groups = len(np.unique(passages))
    counts = statistics.counts_of(statistics.resample_indices(groups, RESAMPLES, SEED), groups)
    distribution = statistics.bootstrap_r2(targets, predictions, passages, counts)
    ranks = statistics.rank_intervals(distribution)
    p_best = statistics.best_p_values(targets, predictions, passages, seed=SEED)
    return Resampled(distribution, ranks, p_best)


def _model(given: Contenders, found: _Findings, model: int) -> ModelRecord:
    by_seed = given.by_seed[model]
    resampled = found.resampled
    p_best = None if resampled is None else float(resampled.p_best[model])
    return ModelRecord(
        name=given.names[model],
        result=str(given.folders[model]),
        r2=float(found.r2[model, 0]),
        seeds=len(by_seed),
        seed_variance=(
            statistics.seed_variance(given.targets, by_seed) if len(by_seed) > 1 else None
        ),
        scope_c=_span(found.c, model),
        scope_g=_span(found.g, model),
        best_rank=None if resampled is None else int(resampled.ranks.best[model]),
        worst_rank=None if resampled is None else int(resampled.ranks.worst[model]),
        p_best=p_best,
        tied_with_best=None if p_best is None else p_best > ALPHA,
    )


def _span(scope: Scope | None, model: int) -> Span | None:
    if scope is None:
        return None
    return Span(low=float(scope.models.low[model]), high=float(scope.models.high[model]))


def _pair(given: Contenders, found: _Findings, pair: int, as_published: bool) -> PairRecord:
    targets, first, second = given.targets, given.predictions[0], given.predictions[pair + 1]
    passages = given.group("passage")
    overall, categories, dimensions = _differences(given, found, pair)
    limits = _disagreement(overall.scope_c)
    effects = published = None
    if found.c is not None:
        effects = _defined(
            limits,
            "effect sizes",
            lambda: statistics.effect_sizes(targets, first, second, passages, seed=SEED),
        )
    if as_published:
        published = _defined(limits, "as published", lambda: _published(targets, first, second))
    return PairRecord(
        first=given.names[0],
        second=given.names[pair + 1],
        sentence=sentence(given.names[0], given.names[pair + 1], overall, len(given.names) - 1),
        overall=overall,
        probability_within_margin=_probability_within(found.resampled, pair),
        categories=categories,
        dimensions=dimensions,
        effects=effects
        and {name: EffectRecord(**size._asdict()) for name, size in effects._asdict().items()},
        error_correlation=correlate_errors(given, 0, pair + 1, found.reliability, limits),
        fusion_bound=float(statistics.fusion_bound(targets, np.stack([first, second])).mean()),
        published=published,
        limits=limits,
    )


def _differences(
    given: Contenders, found: _Findings, pair: int
) -> tuple[Difference, list[Difference], list[DimensionDifference]]:
    first, second = found.r2[0].tolist(), found.r2[pair + 1].tolist()
    names = ["overall", *found.quantities.categories]

    def number(quantity: int) -> dict[str, float | ScopeTest | None]:
        return {
            "first": first[quantity],
            "second": second[quantity],
            "difference": first[quantity] - second[quantity],
            "scope_c": None if found.c is None else found.c.tests[pair][quantity],
            "scope_g": None if found.g is None else found.g.tests[pair][quantity],
        }

    overall, *categories = (
        Difference.model_validate({"name": name, **number(i)}) for i, name in enumerate(names)
    )
    flips = None if found.c is None else found.c.dimensions[pair]
    dimensions = [
        DimensionDifference.model_validate(
            {
                "name": dimension.name,
                "category": dimension.category,
                **number(len(names) + i),
                "p_holm": None if flips is None else flips.holm[i],
                "p_benjamini_hochberg": None if flips is None else flips.benjamini_hochberg[i],
            }
        )
        for i, dimension in enumerate(given.corpus.dimensions)
    ]
    return overall, categories, dimensions


def _disagreement(test: ScopeTest | None) -> list[str]:
    """Warn where the interval and the test of one difference say different things."""
    if test is None or (test.low <= 0 <= test.high) != (test.p_value <= ALPHA):
        return []
    return [
        f"in scope C the interval {'holds' if test.low <= 0 <= test.high else 'excludes'} 0, but "
        f"sign flips give p = {test.p_value:.4f}: a few passages carry most of the difference. "
        "Look at the predictions of those before relying on the verdict."
    ]


def _probability_within(resampled: Resampled | None, pair: int) -> float | None:
    if resampled is None:
        return None
    difference = resampled.distribution[:, 0] - resampled.distribution[:, pair + 1]
    return float(statistics.probability_within(difference))


def correlate_errors(
    given: Contenders,
    first: int,
    second: int,
    reliability: FloatArray | None,
    limits: list[str],
) -> ErrorCorrelationRecord:
    """Correlate the errors of two models, raw and without the label noise that both share.

    Parameters
    ----------
    given : Contenders
    first, second : int
        Which two.
    reliability : np.ndarray [shape=(dimension,)], optional
        Of the labels; without it nothing is corrected.
    limits : list of str
        What cannot be computed is added to it.
    """
    names = [dimension.name for dimension in given.corpus.dimensions]
    models = given.predictions[first], given.predictions[second]
    # The raw correlation does not depend on the reliability.
    raw = statistics.error_correlation(given.targets, *models, np.ones(len(names)))
    noise_free = None
    if reliability is not None:
        noise_free = _defined(
            limits,
            "corrected error correlation",
            lambda: statistics.error_correlation(given.targets, *models, reliability),
        )

    def by_name(values: FloatArray) -> dict[str, float | None]:
        return dict(zip(names, map(_number, values.tolist()), strict=True))

    return ErrorCorrelationRecord(
        raw=_number(raw.raw),
        corrected=None if noise_free is None else _number(noise_free.corrected),
        dimensions=by_name(raw.raw_per_dimension),
        corrected_dimensions=noise_free and by_name(noise_free.corrected_per_dimension),
    )


def reliability_of(given: Contenders, limits: list[str]) -> FloatArray | None:
    """Estimate the reliability of the labels [dimension]; None, with the reason, where it fails."""
    ceiling = _defined(limits, "reliability of the labels", lambda: ceiling_of(given.corpus))
    if given.corpus.ratings is None:
        limits.append(
            "error correlations are not corrected for label noise: the dataset has no raw ratings."
        )
    return None if ceiling is None else np.array(list(ceiling.dimensions.values()))


def _number(value: float) -> float | None:
    """Return None for NaN, which JSON does not have."""
    return value if value == value else None


def _published(targets: FloatArray, first: FloatArray, second: FloatArray) -> PublishedRecord:
    found = statistics.as_published(targets, first, second, seed=SEED)

    def record(test: PublishedTest) -> PublishedTestRecord:
        return PublishedTestRecord(
            statistic=test.statistic,
            p_value=test.p_value,
            error_rate_c=test.measured.passages,
            error_rate_g=test.measured.performers,
        )

    return PublishedRecord(
        paired_t=record(found.paired_t),
        wilcoxon=record(found.wilcoxon),
        intervals={
            name: Span(low=low, high=high)
            for name, low, high in zip(
                ("first", "second", "difference"), *map(list, found.interval), strict=True
            )
        },
        interval_miss_rate_c=found.interval_measured.passages,
        interval_miss_rate_g=found.interval_measured.performers,
        d_av=found.d_av,
    )
