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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .audit import audit
from .ceiling import ceiling_of
from .components import AudioEncoder, Component, Dataset, Head, Pooling, Renderer, ScoreEncoder
from .config import Choice, RunConfig
from .corpus import load_corpus
from .encode import Encoded, encode_corpus
from .errors import UnknownNameError, UsageError
from .evaluate import OutOfFold, evaluate
from .layers import select_layers
from .parallel import usable_cores
from .plugins import Registry
from .pooling import create_pooling
from .predictions import file_digest, read_predictions, write_predictions
from .render import Rendered, render_clips
from .result import (
    ComponentRecord,
    DataRecord,
    OptimismRecord,
    ProtocolRecord,
    Result,
    predictions_name,
    save,
    writing,
)
from .score import claimed_r2, score
from .split import PROTOCOLS, load_split
from .values import Corpus, Split

__all__ = ["Plan", "Workplace", "plan_run", "run"]

QUICK_PROTOCOLS = ("piece", "unseen", "work")
SLOW_PROTOCOLS = ("piece",)


@dataclass(frozen=True)
class Workplace:
    """Where a run works and with what; nothing here changes a number."""

    results: Path
    cache: Path
    data_root: Path | None = None
    device: str = "cpu"
    jobs: int = field(default_factory=usable_cores)


@dataclass(frozen=True)
class Plan:
    """A run whose every choice is made: the filled-in configuration and its components."""

    config: RunConfig
    dataset: Dataset
    encoder: AudioEncoder | ScoreEncoder
    renderer: Renderer | None
    pooling: Pooling
    head: Head
    layers: tuple[int, ...]
    origins: Mapping[str, str]

    @property
    def name(self) -> str:
        """Name of the result: what was run, and the digest that tells it from its variants."""
        parts = [self.dataset.name, self.encoder.name]
        if self.renderer is not None:
            parts.append(self.renderer.name)
        return "-".join([*parts, self.head.name, self.config.digest[:8]])


def plan_run(config: RunConfig, registry: Registry) -> Plan:
    """Fill in what the configuration leaves open, and make the components.

    Raises
    ------
    UnknownNameError
        For a component, option or protocol that does not exist, with the nearest that does.
    UsageError
        For options or layers that cannot be used, or a renderer for an encoder of notes.
    """
    dataset = registry.create(Dataset, "dataset", config.dataset.name, config.dataset.options)
    encoder = _create_encoder(config.encoder, registry)
    renderer = None
    if isinstance(encoder, AudioEncoder):
        choice = config.renderer or Choice(name=dataset.default_renderer)
        renderer = registry.create(Renderer, "renderer", choice.name, choice.options)
    elif config.renderer is not None:
        raise UsageError(
            f"The encoder {encoder.name!r} reads notes, so --renderer {config.renderer.name} has "
            "nothing to do. Leave it out."
        )
    pooled = config.pooling or Choice(name=encoder.default_pooling)
    pooling = create_pooling(registry, pooled.name, pooled.options)
    headed = config.head or Choice(name=encoder.default_head)
    head = registry.create(Head, "head", headed.name, headed.options)
    protocols = config.protocols or (SLOW_PROTOCOLS if head.slow else QUICK_PROTOCOLS)
    for protocol in protocols:
        if protocol not in PROTOCOLS:
            raise UnknownNameError("protocol", protocol, PROTOCOLS)
    layers = config.layers or encoder.default_layers
    filled = config.model_copy(
        update={
            "dataset": _choice(dataset),
            "encoder": _choice(encoder),
            "renderer": None if renderer is None else _choice(renderer),
            "pooling": Choice(name=pooled.name, options=pooling.options),
            "head": _choice(head),
            "layers": layers,
            "protocols": protocols,
        }
    )
    origins = {
        kind: registry.find(kind, component.name).origin
        for kind, component in (
            ("dataset", dataset),
            ("encoder", encoder),
            ("renderer", renderer),
            ("head", head),
        )
        if component is not None
    }
    return Plan(
        filled,
        dataset,
        encoder,
        renderer,
        pooling,
        head,
        select_layers(layers, encoder.name, encoder.layers),
        origins,
    )


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
    timings: dict[str, float] = {}
    with writing(workplace.results, plan.name) as folder:
        registry.hook.bench_run_started(config=plan.config.model_dump(mode="json"))
        with _timed(timings, "load"):
            corpus = load_corpus(plan.dataset, workplace.data_root)
            splits = {
                protocol: load_split(corpus, protocol, plan.dataset)
                for protocol in plan.config.protocols or ()
            }
        with _timed(timings, "render"):
            waveforms = _render(plan, corpus, workplace)
        with _timed(timings, "encode"):
            encoded = encode_corpus(
                plan.encoder,
                corpus,
                plan.pooling,
                plan.layers,
                waveforms=waveforms,
                cache=workplace.cache,
                device=workplace.device,
                jobs=workplace.jobs,
            )
        fit = partial(
            evaluate,
            plan.head,
            encoded.features(plan.config.merge),
            corpus,
            list(splits.values()),
            plan.config.seeds,
            jobs=workplace.jobs,
        )
        with _timed(timings, "evaluate"):
            predicted = fit(selection=plan.config.selection)
        with _timed(timings, "score"):
            protocols = {
                protocol: _record(plan, corpus, split, found, folder)
                for (protocol, split), found in zip(splits.items(), predicted, strict=True)
            }
        if plan.config.optimism:
            with _timed(timings, "optimism"):
                for protocol, found in zip(splits, fit(selection="test-fold"), strict=True):
                    claim = {"optimism": _optimism(corpus, protocol, found, folder)}
                    protocols[protocol] = protocols[protocol].model_copy(update=claim)
        result = Result(
            name=plan.name,
            pianobench=version("pianobench"),
            config=plan.config,
            config_digest=plan.config.digest,
            data=DataRecord(
                dataset=corpus.name,
                version=corpus.version,
                digest=corpus.digest,
                clips=len(corpus.clips),
                dimensions=[dimension.name for dimension in corpus.dimensions],
                ceiling=ceiling_of(corpus),
            ),
            components=_records(plan, encoded),
            protocols=protocols,
            environment=_environment(workplace),
            timings_s={stage: round(seconds, 3) for stage, seconds in timings.items()},
        )
        save(result, folder)
    registry.hook.bench_run_finished(result=result.model_dump(mode="json"))
    return result, workplace.results / plan.name


def _create_encoder(choice: Choice, registry: Registry) -> AudioEncoder | ScoreEncoder:
    found = registry.find("encoder", choice.name).component
    if issubclass(found, ScoreEncoder):
        return registry.create(ScoreEncoder, "encoder", choice.name, choice.options)
    return registry.create(AudioEncoder, "encoder", choice.name, choice.options)


def _choice(component: Component) -> Choice:
    return Choice(name=component.name, options=component.options)


def _render(plan: Plan, corpus: Corpus, workplace: Workplace) -> Mapping[str, Rendered] | None:
    if plan.renderer is None or not isinstance(plan.encoder, AudioEncoder):
        return None
    return render_clips(
        plan.renderer,
        corpus.clips,
        plan.encoder.sample_rate,
        workplace.cache / "renders",
        workplace.jobs,
    )


def _record(
    plan: Plan, corpus: Corpus, split: Split, predicted: OutOfFold, folder: Path
) -> ProtocolRecord:
    path = folder / predictions_name(split.protocol)
    write_predictions(path, corpus, predicted)
    report = audit(corpus, split)
    flags = list(report.flags)
    nested = plan.config.selection == "nested"
    if not nested:
        flags.append("training stopped on the fold that is scored")
    return ProtocolRecord(
        unit=list(split.unit),
        folds=len(split.folds),
        split_digest=split.digest,
        ranked=PROTOCOLS[split.protocol].ranked and report.ok and nested,
        flags=flags,
        audit=report.as_json(),
        predictions=path.name,
        predictions_sha256=file_digest(path),
        seeds=list(predicted.seeds),
        selected=[dict(choice) for choice in predicted.selected],
        scores=score(corpus, read_predictions(path, corpus), split.protocol),
    )


def _optimism(corpus: Corpus, protocol: str, predicted: OutOfFold, folder: Path) -> OptimismRecord:
    path = folder / predictions_name(protocol, "test-fold")
    write_predictions(path, corpus, predicted)
    return OptimismRecord(
        predictions=path.name,
        predictions_sha256=file_digest(path),
        r2=claimed_r2(corpus, read_predictions(path, corpus)),
    )


def _records(plan: Plan, encoded: Encoded) -> dict[str, ComponentRecord]:
    facts: dict[str, dict[str, Any]] = {
        "encoder": {
            "fingerprint": encoded.fingerprint,
            "layers": plan.encoder.layers,
            "revision": plan.encoder.revision,
            "pretraining": plan.encoder.pretraining,
        }
    }
    if plan.renderer is not None and isinstance(plan.encoder, AudioEncoder):
        facts["encoder"]["sample_rate_hz"] = plan.encoder.sample_rate
        facts["renderer"] = {"version": plan.renderer.version(), "card": plan.renderer.card}
    components = {
        "dataset": plan.dataset,
        "encoder": plan.encoder,
        "renderer": plan.renderer,
        "pooling": plan.pooling,
        "head": plan.head,
    }
    return {
        kind: ComponentRecord(
            kind=kind,
            name=component.name,
            origin=plan.origins.get(kind, ""),
            options=component.options,
            licence=component.licence,
            citation=component.citation,
            facts=facts.get(kind, {}),
        )
        for kind, component in components.items()
        if component is not None
    }


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timings[stage] = time.perf_counter() - started


def _environment(workplace: Workplace) -> dict[str, str]:
    found = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": workplace.device,
        "processes": str(workplace.jobs),
    }
    for library in ("numpy", "scipy", "scikit-learn", "torch", "transformers"):
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
