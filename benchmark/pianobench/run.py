"""The pipeline, from a configuration to a stored result.

::

    Dataset --Clip--> render --waveform--> encode --pooled statistics, all layers--> store
                                                                          | layers, merge
    Dataset --targets, groups--> split --audited folds--> evaluate <------+
    evaluate --out-of-fold predictions--> predictions.csv --score--> result.json
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .components import (
    AudioEncoder,
    Component,
    Dataset,
    Head,
    NetworkHead,
    Renderer,
    ScoreEncoder,
)
from .corpus import load_corpus
from .curves import curves_name, write_curves
from .encode import Encoded, encode_corpus
from .encoding import EncodingTime
from .ensemble import Ensemble
from .errors import PluginError, UsageError
from .evaluate import OutOfFold, evaluate
from .frame_encoding import EncodedFrames, encode_frames
from .parallel import usable_cores
from .plan import Plan, changed_options
from .plugins import Registry
from .predictions import write_predictions
from .record import data_record, protocol_record
from .render import Rendered, render_clips
from .result import (
    MODELS,
    ComponentRecord,
    DataRecord,
    Result,
    predictions_name,
    save,
    writing,
)
from .sequences import Sequences
from .split import load_split
from .stored_features import StoredFeatures
from .values import Corpus, Split

__all__ = ["Workplace", "run"]

_LIBRARIES = (
    *("numpy", "scipy", "scikit-learn", "pandas", "symusic", "soundfile", "soxr"),
    *("torch", "transformers", "onnxruntime"),
)


@dataclass(frozen=True)
class Workplace:
    """Where a run works, with what, and what it leaves behind; nothing here changes a number.

    `keep_models` keeps every trained network beside the predictions; see `model_files`.
    """

    results: Path
    cache: Path
    data_root: Path | None = None
    device: str = "cpu"
    jobs: int = field(default_factory=usable_cores)
    keep_models: bool = False


def run(plan: Plan, registry: Registry, workplace: Workplace) -> tuple[Result, Path]:
    """Carry out a plan and store its result.

    Returns
    -------
    result, folder
        The result and where it lies.

    Raises
    ------
    PianobenchError
        Whatever the stages refuse. What was rendered and encoded by then stays in the cache.
    """
    require_device(plan.encoder, workplace.device)
    if workplace.keep_models:
        _require_network(plan.head)
    timings: dict[str, float] = {}
    with writing(workplace.results, plan.name) as folder:
        registry.hook.bench_run_started(config=plan.config.model_dump(mode="json"))
        with _timed(timings, "load"):
            corpus = load_scorable(plan, workplace)
            evaluated = Evaluated(corpus, data_record(corpus), load_splits(plan, corpus))
        heard = plan.by_renderer()
        with _timed(timings, "render"):
            waveforms = [render(alone, corpus, workplace) for alone in heard]
        with _timed(timings, "encode"):
            encoded = [
                encode(alone, corpus, rendered, workplace)
                for alone, rendered in zip(heard, waveforms, strict=True)
            ]
        fit = partial(
            evaluate,
            plan.head,
            features_of(plan, *encoded),
            corpus,
            list(evaluated.splits.values()),
            plan.config.seeds,
            ensemble=ensemble_of(plan, corpus),
            weighting=plan.config.weighting,
            jobs=workplace.jobs,
        )
        with _timed(timings, "evaluate"):
            models = folder / MODELS if workplace.keep_models else None
            predicted = fit(selection=plan.config.selection, models=models)
            for protocol, found in zip(evaluated.splits, predicted, strict=True):
                keep_predictions(folder, protocol, corpus, found)
        if plan.config.optimism:
            with _timed(timings, "optimism"):
                for protocol, found in zip(
                    evaluated.splits, fit(selection="test-fold"), strict=True
                ):
                    path = folder / predictions_name(protocol, "test-fold")
                    write_predictions(path, corpus, found)
        whole = replace(encoded[0], time=EncodingTime.total(each.time for each in encoded))
        result = record(folder, plan, evaluated, whole, predicted, timings, workplace)
    registry.hook.bench_run_finished(result=result.model_dump(mode="json"))
    return result, workplace.results / plan.name


@dataclass(frozen=True)
class Evaluated:
    """What models are evaluated on: the corpus, what a result says of it, folds by protocol."""

    corpus: Corpus
    data: DataRecord
    splits: Mapping[str, Split]


def keep_predictions(folder: Path, protocol: str, corpus: Corpus, found: OutOfFold) -> None:
    """Write what models of a protocol predicted, and how networks learned."""
    write_predictions(folder / predictions_name(protocol), corpus, found)
    if found.curves:
        write_curves(folder / curves_name(protocol), found.curves)


def record(
    folder: Path,
    plan: Plan,
    evaluated: Evaluated,
    encoded: Encoded | EncodedFrames,
    predicted: Sequence[OutOfFold],
    timings: dict[str, float],
    workplace: Workplace,
) -> Result:
    """Score the predictions that lie in a folder, and write the result beside them.

    `encoded` says what the encoder was; any of several renders does.
    """
    with _timed(timings, "score"):
        protocols = {
            protocol: protocol_record(
                folder,
                evaluated.corpus,
                split,
                plan.config.selection,
                found.selected,
                optimism=plan.config.optimism,
            )
            for (protocol, split), found in zip(evaluated.splits.items(), predicted, strict=True)
        }
    result = Result(
        name=plan.name,
        pianobench=version("pianobench"),
        config=plan.config,
        config_digest=plan.config.digest,
        data=evaluated.data,
        components=component_records(plan, encoded),
        protocols=protocols,
        environment=environment(workplace),
        timings_s={stage: round(seconds, 3) for stage, seconds in timings.items()},
    )
    save(result, folder)
    return result


def encode_plan(
    plan: Plan, corpus: Corpus, workplace: Workplace
) -> tuple[Encoded | EncodedFrames, StoredFeatures | Sequences]:
    """Make the features that a plan of one renderer at most is fitted on, as `run` makes them.

    Raises
    ------
    PianobenchError
        Whatever rendering and encoding refuse.
    """
    require_device(plan.encoder, workplace.device)
    encoded = encode(plan, corpus, render(plan, corpus, workplace), workplace)
    return encoded, features_of(plan, encoded)


def load_scorable(plan: Plan, workplace: Workplace) -> Corpus:
    """Read a corpus that can be scored."""
    corpus = load_corpus(plan.dataset, workplace.data_root, workplace.cache)
    if not corpus.dimensions:
        raise UsageError(_unlabelled(plan.dataset))
    # Every score needs passages: better to learn that now than after fitting.
    corpus.group("passage")
    return corpus


def _unlabelled(dataset: Dataset) -> str:
    commands = [f"`bench study {kind} --dataset {dataset.name}`" for kind in dataset.card.studies]
    instead = (
        f" Apply a model of another dataset to it: {' or '.join(commands)}."
        if commands
        else " Choose a dataset with labels."
    )
    return (
        f"The dataset {dataset.name!r} has no labels, so that nothing can be fitted to it or "
        f"scored on it.{instead}"
    )


def load_splits(plan: Plan, corpus: Corpus) -> dict[str, Split]:
    """Read the folds of every protocol of a plan."""
    return {
        protocol: load_split(corpus, protocol, plan.dataset)
        for protocol in plan.config.protocols or ()
    }


def require_device(encoder: AudioEncoder | ScoreEncoder, device: str) -> None:
    """Refuse a device that an encoder would not use."""
    uses_torch = isinstance(encoder, AudioEncoder) and encoder.backend == "torch"
    if device != "cpu" and not uses_torch:
        raise UsageError(
            f"The encoder {encoder.name!r} runs on the CPU, so --device {device} has nothing to "
            "do. Leave it out."
        )


def _require_network(head: Head) -> None:
    if not isinstance(head, NetworkHead):
        raise UsageError(
            f"--keep-models keeps trained networks, and the head {head.name!r} is none. Leave it "
            "out, or choose a network head such as mlp."
        )


def render(plan: Plan, corpus: Corpus, workplace: Workplace) -> Mapping[str, Rendered] | None:
    """Render what a plan hears; None for an encoder of notes."""
    if not isinstance(plan.encoder, AudioEncoder):
        return None
    if plan.renderer is None:
        return {}
    if all(clip.audio is not None for clip in corpus.clips):
        raise PluginError(
            f"Every clip of dataset {corpus.name!r} is a recording, so the result would name a "
            f"renderer, {plan.renderer.name!r}, that did nothing. The dataset's class must say "
            "recorded = True."
        )
    return render_clips(
        plan.renderer,
        corpus.clips,
        plan.encoder.sample_rate,
        workplace.cache / "renders",
        workplace.jobs,
    )


def encode(
    plan: Plan, corpus: Corpus, waveforms: Mapping[str, Rendered] | None, workplace: Workplace
) -> Encoded | EncodedFrames:
    """Encode what is not stored yet: pooled, or frames for a pooling that is learned."""
    where: dict[str, Any] = {
        "waveforms": waveforms,
        "policy": plan.policy(workplace.device),
        "cache": workplace.cache,
        "jobs": workplace.jobs,
    }
    if plan.pooling.learned:
        return encode_frames(plan.encoder, corpus, plan.layers, **where)
    # Layers are read where models are fitted.
    return encode_corpus(plan.encoder, corpus, plan.pooling, (), **where)


def features_of(plan: Plan, *encoded: Encoded | EncodedFrames) -> StoredFeatures | Sequences:
    """Choose layers of what was encoded, merged as a plan says; several renders follow each other.

    Renders lie in one store, which knows clips by their content alone.
    """
    first = encoded[0]
    if isinstance(first, EncodedFrames):
        paths = [path for each in encoded if isinstance(each, EncodedFrames) for path in each.paths]
        sequences = Sequences(plan.pooling, tuple(paths), plan.config.merge)
        sequences.require_frames()
        return sequences
    keys = [key for each in encoded if isinstance(each, Encoded) for key in each.stored.keys]
    return replace(first.reference(plan.layers, plan.config.merge), keys=tuple(keys))


def ensemble_of(plan: Plan, corpus: Corpus) -> Ensemble:
    """Say which renders a plan's models are fitted and tested on, in the order of `Plan.heard`."""
    if len(plan.heard) < 2:
        return Ensemble(len(corpus.clips))
    numbers = range(len(plan.heard))
    return Ensemble(
        len(corpus.clips),
        tuple(numbers[: len(plan.renderers)]),
        tuple(number for number in numbers if plan.heard[number] in plan.test_renderers),
    )


def component_records(plan: Plan, encoded: Encoded | EncodedFrames) -> dict[str, ComponentRecord]:
    """Record the components of a plan as they were used, with the encoder's fingerprint."""
    facts: dict[str, dict[str, Any]] = {
        "encoder": {
            "fingerprint": encoded.fingerprint,
            "layers": plan.encoder.layers,
            "revision": plan.encoder.revision,
            "pretraining": plan.encoder.pretraining,
            "overlap": _overlap(plan),
            "encoding": {
                "seconds": round(encoded.time.seconds, 3),
                "clips": encoded.time.encoded,
                "cached": encoded.time.cached,
                "audio_s": round(encoded.time.audio_s, 3),
            },
            **encoded.provenance,
        }
    }
    if isinstance(plan.encoder, AudioEncoder):
        facts["encoder"]["sample_rate_hz"] = plan.encoder.sample_rate
        facts["encoder"]["chunk_s"] = plan.encoder.chunk_s
    components: list[Component] = [
        *(plan.dataset, plan.encoder, *plan.heard),
        *(plan.pooling, plan.head),
    ]
    records = {}
    for part, component in zip(plan.config.parts, components, strict=True):
        if isinstance(component, Renderer):
            facts[part] = {"version": component.version(), "card": component.card}
        records[part] = ComponentRecord(
            kind=component.kind,
            name=component.name,
            origin=plan.origins.get(part, ""),
            options=component.options,
            changed=changed_options(component),
            licence=component.licence,
            citation=component.citation,
            facts=facts.get(part, {}),
        )
    return records


def _overlap(plan: Plan) -> str:
    """Whether an encoder is known to have learned from a dataset's music: known, none, unknown."""
    encoder, dataset = plan.encoder, plan.dataset
    untrained = encoder.pretraining == "none" or encoder.options.get("weights") == "random"
    if untrained or dataset.generated:
        return "none"
    if dataset.name in encoder.overlaps:
        return "known"
    return "none" if dataset.name in encoder.disjoint else "unknown"


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timings[stage] = time.perf_counter() - started


def environment(workplace: Workplace) -> dict[str, str]:
    """Say what a run worked with: Python, device, processes, versions of libraries."""
    found = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": workplace.device,
        "processes": str(workplace.jobs),
    }
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
