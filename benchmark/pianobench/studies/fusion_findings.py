"""What fused predictions say: gains over the best single model, error correlations, the bound.

Stored and fused predictions of the same clips enter, the numbers of a study's record leave. All
rest on what `pianobench.compare` computes, so that a gain is tested as any difference of two rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..compare import compare, correlate_errors, reliability_of
from ..comparison import Comparison, Difference, ScopeTest
from ..contenders import Contenders
from ..metrics import FloatArray, pooled_r2
from ..result import Result
from ..statistics import Verdict, fusion_bound
from .fusion_record import BaseRecord, CorrelationRecord, FusionRecord
from .inner_predictions import InnerPredictions

__all__ = ["Findings", "Way", "find"]

D = TypeVar("D", bound=Difference)
_TURNED = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}


@dataclass(frozen=True)
class Way:
    """One way to fuse, carried out.

    Attributes
    ----------
    values : np.ndarray [shape=(scored clip, dimension)]
        As written.
    learned : dict
        By the fold it was applied to.
    leaky_r2 : float or None
    file : str
    """

    values: FloatArray
    learned: dict[str, dict[str, Any]]
    leaky_r2: float | None
    file: str


class Findings(NamedTuple):
    """Fields of `pianobench.studies.fusion_record.Fusion`, which says what they are."""

    dataset: str
    data_version: str
    data_digest: str
    clips: int
    passages: int
    performers: int | None
    bases: list[BaseRecord]
    best: str
    fusions: list[FusionRecord]
    correlations: list[CorrelationRecord]
    bound: float
    bound_dimensions: dict[str, float]
    bound_across: float
    limits: list[str]


def find(
    results: Sequence[Result],
    given: Contenders,
    inside: Sequence[InnerPredictions],
    ways: Mapping[str, Way],
    limits: Sequence[str],
) -> Findings:
    """Compute what a study reports.

    Parameters
    ----------
    results : sequence of Result
    given : Contenders
        Their predictions.
    inside : sequence of InnerPredictions
        One per result.
    ways : mapping of str to Way
    limits : sequence of str
        What could not be computed before.

    Raises
    ------
    StatisticsError
        If R2 is not defined: labels of a dimension that do not vary.
    """
    alone = compare(given)
    best = int(np.argmax([model.r2 for model in alone.models]))
    against_best = compare(_against_best(given, best, ways))
    bound, across = _bounds(given)
    noted = [*alone.limits, *limits, *_about_seeds(given)]
    correlations = _correlations(given, noted)
    return Findings(
        dataset=alone.dataset,
        data_version=alone.version,
        data_digest=alone.digest,
        clips=alone.clips,
        passages=alone.passages,
        performers=alone.performers,
        bases=_base_records(results, given, inside, alone),
        best=given.names[best],
        fusions=[
            _fusion_record(given.names, name, way, against_best, place)
            for place, (name, way) in enumerate(ways.items())
        ],
        correlations=correlations,
        bound=float(bound.mean()),
        bound_dimensions=_by_dimension(given, bound),
        bound_across=float(across.mean()),
        limits=list(dict.fromkeys(noted)),
    )


def _bounds(given: Contenders) -> tuple[FloatArray, FloatArray]:
    """Bound the R2 [dimension] of sums of a dimension's predictions, and of all dimensions'."""
    predictions, targets = given.predictions, given.targets
    models, clips, dimensions = predictions.shape
    columns = predictions.transpose(0, 2, 1).reshape(models * dimensions, clips, 1)
    everything = np.broadcast_to(columns, (models * dimensions, clips, dimensions))
    return fusion_bound(targets, predictions), fusion_bound(targets, everything)


def _about_seeds(given: Contenders) -> list[str]:
    if all(len(values) == 1 for values in given.by_seed):
        return []
    return [
        "gains are of predictions averaged over each model's seeds; the noise of the seeds is not "
        "in their intervals."
    ]


def _against_best(given: Contenders, best: int, ways: Mapping[str, Way]) -> Contenders:
    """Put the best single model first, and the fusions after it."""
    values = [given.predictions[best], *(way.values for way in ways.values())]
    return replace(
        given,
        names=(given.names[best], *ways),
        folders=(given.folders[best], *(Path(way.file) for way in ways.values())),
        by_seed=tuple(each[None] for each in values),
        flags=(),
    )


def _base_records(
    results: Sequence[Result],
    given: Contenders,
    inside: Sequence[InnerPredictions],
    alone: Comparison,
) -> list[BaseRecord]:
    r2 = pooled_r2(given.targets, given.predictions)
    return [
        BaseRecord(
            name=given.names[i],
            result=str(given.folders[i]),
            config_digest=result.config_digest,
            predictions_sha256=result.protocols[given.protocol].predictions_sha256,
            model=alone.models[i],
            dimensions=_by_dimension(given, r2[i]),
            inner_models=inside[i].models,
            inner_cpu_s=round(inside[i].cpu_s, 3),
        )
        for i, result in enumerate(results)
    ]


def _by_dimension(given: Contenders, values: FloatArray) -> dict[str, float]:
    names = [dimension.name for dimension in given.corpus.dimensions]
    return dict(zip(names, values.tolist(), strict=True))


def _fusion_record(
    names: Sequence[str], name: str, way: Way, against_best: Comparison, place: int
) -> FusionRecord:
    model, pair = against_best.models[place + 1], against_best.pairs[place]
    weights = [learned["weights"] for learned in way.learned.values() if "weights" in learned]
    mean = np.mean(weights, axis=0).tolist() if weights else None
    return FusionRecord(
        name=name,
        r2=model.r2,
        scope_c=model.scope_c,
        scope_g=model.scope_g,
        gain=_turned(pair.overall),
        gains=[_turned(dimension) for dimension in pair.dimensions],
        weights=None if mean is None else dict(zip(names, mean, strict=True)),
        learned=way.learned,
        leaky_r2=way.leaky_r2,
        predictions=way.file,
    )


def _turned(difference: D) -> D:
    """See a difference from the second model's side."""
    return difference.model_copy(
        update={
            "first": difference.second,
            "second": difference.first,
            "difference": -difference.difference,
            "scope_c": _turned_test(difference.scope_c),
            "scope_g": _turned_test(difference.scope_g),
        }
    )


def _turned_test(test: ScopeTest | None) -> ScopeTest | None:
    return test and test.model_copy(
        update={
            "low": -test.high,
            "high": -test.low,
            "verdict": _TURNED.get(test.verdict, test.verdict),
        }
    )


def _correlations(given: Contenders, limits: list[str]) -> list[CorrelationRecord]:
    reliability = reliability_of(given, limits)
    return [
        CorrelationRecord(
            first=given.names[i],
            second=given.names[j],
            errors=correlate_errors(given, i, j, reliability, limits),
        )
        for i in range(len(given.names))
        for j in range(i + 1, len(given.names))
    ]
