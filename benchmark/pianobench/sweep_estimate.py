"""What a sweep is expected to take: time and disk, before anything runs.

Time is extrapolated from stored results: the seconds that one model of the same head took there.
Where there are none, or clips are still to be encoded, it is said that nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from .components import PairwiseHead
from .encode import feature_root
from .frame_encoding import frame_root
from .inventory import StoredNamespace, list_namespaces
from .plan import Plan, spelled
from .result import Result
from .sweep import Ground, Missing
from .sweep_plan import SweepPlan

__all__ = ["Estimate", "estimate", "seconds_per_model"]

# A row of predictions beside the clip's name, and each of its numbers.
_ROW_BYTES = 6
_NUMBER_BYTES = 9
_MOST = 0.9


@dataclass(frozen=True)
class Estimate:
    """What is to be done, and what it is expected to take.

    Attributes
    ----------
    cells, stored : int
        Of the sweep, and those of them of which all is stored.
    models : int
        To be fitted.
    to_encode : tuple of str
        Encodings, in words, of which no store holds all clips.
    seconds : float
        Of fitting, with all processes.
    unknown : tuple of str
        Heads of which no result tells how long a model takes.
    results_bytes, scratch_bytes : int
        Predictions that stay, and comparisons of clips that are removed at the end.
    """

    cells: int
    stored: int
    models: int
    to_encode: tuple[str, ...]
    seconds: float
    unknown: tuple[str, ...]
    results_bytes: int
    scratch_bytes: int


def estimate(
    plan: SweepPlan,
    missing: Sequence[Missing],
    ground: Ground,
    known: Iterable[Result],
    cache: Path,
    jobs: int,
) -> Estimate:
    """Expect what running the missing cells takes.

    Parameters
    ----------
    plan : SweepPlan
    missing : sequence of Missing
    ground : Ground
    known : iterable of Result
        Stored results, of whatever was run here.
    cache : Path
    jobs : int
    """
    per_model = seconds_per_model(known)
    members = [one.members(ground) for one in missing]
    models = [len(of) for of in members]
    heads = [one.cell.plan.head.name for one in missing]
    known_s = [per_model[h] * n for h, n in zip(heads, models, strict=True) if h in per_model]
    clips = len(ground.evaluated.corpus.clips)
    pooled = list_namespaces(feature_root(cache))
    framed = list_namespaces(frame_root(cache))
    to_encode = {
        _words(alone): None
        for one in missing
        for alone in one.cell.plan.by_renderer()
        if not _holds(framed if alone.pooling.learned else pooled, alone, clips)
    }
    corpus = ground.evaluated.corpus
    named = sum(map(len, corpus.ids)) / clips
    row = named + _ROW_BYTES + _NUMBER_BYTES * len(corpus.dimensions)
    predicted = sum(len(member.fold.test) for of in members for member in of)
    return Estimate(
        cells=len(plan.cells),
        stored=len(plan.cells) - len(missing),
        models=sum(models),
        to_encode=tuple(to_encode),
        seconds=sum(known_s) / jobs,
        unknown=tuple(dict.fromkeys(head for head in heads if head not in per_model)),
        results_bytes=round(predicted * row),
        scratch_bytes=_scratch_bytes(missing, ground),
    )


def seconds_per_model(known: Iterable[Result]) -> Mapping[str, float]:
    """Find how long one process takes for a model, by head: the median over results."""
    seen: dict[str, list[float]] = {}
    for result in known:
        models = sum(len(record.selected) for record in result.protocols.values())
        head, took_s = result.config.head, result.timings_s.get("evaluate")
        if head is not None and took_s is not None and models:
            processes = int(result.environment.get("processes", "1"))
            seen.setdefault(head.name, []).append(took_s * processes / models)
    return {head: median(values) for head, values in seen.items()}


def _scratch_bytes(missing: Sequence[Missing], ground: Ground) -> int:
    """Sum what comparisons by pairs take: each layer, fold and measure once."""
    sizes: dict[object, int] = {}
    for one in missing:
        plan = one.cell.plan
        head = plan.head
        alone = plan.config.merge != "concat" or len(plan.layers) == 1 or plan.pooling.learned
        if alone or not isinstance(head, PairwiseHead):
            continue
        for member in one.members(ground):
            train = len(member.fold.train) * max(1, len(plan.renderers))
            test = len(member.fold.test) * max(1, len(plan.test_renderers))
            for layer in plan.layers:
                heard = tuple(map(_words, plan.by_renderer()))
                key = (heard, head.name, layer, member.fold.train.tobytes())
                sizes[key] = len(head.measures) * 8 * train * (train + test)
    return sum(sizes.values())


def _holds(namespaces: Sequence[StoredNamespace], plan: Plan, clips: int) -> bool:
    """Whether a namespace of what a plan reads holds so many clips, as far as names tell."""
    # Frames are a file a clip, and clips that are the same share a row.
    return any(
        max(found.clips, found.shards) >= _MOST * clips and _fits(found, plan)
        for found in namespaces
    )


def _fits(found: StoredNamespace, plan: Plan) -> bool:
    described: Mapping[str, Any] = found.description
    encoder = described.get("encoder", {})
    options = encoder.get("options", {}) | found.provenance.get("weights_options", {})
    asked = plan.encoder.options
    same = encoder.get("name") == plan.encoder.name and all(
        asked.get(name) == value for name, value in options.items()
    )
    if plan.pooling.learned:
        same &= described.get("layers") == list(plan.layers)
    else:
        pooling = described.get("pooling", {})
        same &= (pooling.get("name"), pooling.get("options")) == (
            plan.pooling.name,
            plan.pooling.options,
        )
    given = described.get("input") or {}
    return same and given.get("precision", "float32") == (plan.config.precision or "float32")


def _words(plan: Plan) -> str:
    config = plan.config
    pooled = f"frames of layers {config.layers}" if plan.pooling.learned else plan.pooling.name
    renderer = "" if plan.renderer is None else f" of {spelled(plan.renderer)}"
    return f"{config.encoder.name}{renderer}, {pooled}"
