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

from .components import (
    AudioEncoder,
    Component,
    Dataset,
    Head,
    NetworkHead,
    Pooling,
    Renderer,
    ScoreEncoder,
)
from .config import Choice, RunConfig
from .corpus import load_corpus
from .encode import Encoded, encode_corpus
from .errors import PluginError, UnknownNameError, UsageError
from .evaluate import evaluate
from .layers import select_layers
from .parallel import usable_cores
from .plugins import Registry
from .pooling import create_pooling
from .predictions import write_predictions
from .record import data_record, protocol_record
from .render import Rendered, render_clips
from .result import ComponentRecord, Result, predictions_name, result_name, save, writing
from .split import PROTOCOLS, load_split
from .values import Corpus

__all__ = ["Plan", "Workplace", "plan_run", "run"]

_LIBRARIES = (
    *("numpy", "scipy", "scikit-learn", "pandas", "symusic", "soundfile", "soxr"),
    *("torch", "transformers"),
)
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
        """Name of the result."""
        return result_name(self.config)


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
    renderer = _create_renderer(config.renderer, dataset, encoder, registry)
    pooled = config.pooling or Choice(name=encoder.default_pooling)
    pooling = create_pooling(registry, pooled.name, pooled.options)
    headed = config.head or Choice(name=encoder.default_head)
    head = registry.create(Head, "head", headed.name, headed.options)
    protocols = config.protocols or (SLOW_PROTOCOLS if head.slow else QUICK_PROTOCOLS)
    for protocol in protocols:
        if protocol not in PROTOCOLS:
            raise UnknownNameError("protocol", protocol, PROTOCOLS)
    peeks = config.optimism or config.selection == "test-fold"
    if peeks and not isinstance(head, NetworkHead):
        raise UsageError(
            f"--optimism and --selection test-fold are about training that stops early, and the "
            f"head {head.name!r} does not. Choose a network head such as mlp, or leave them out."
        )
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
    parts = [registry.find("pooling", part).origin for part in pooled.name.split("+")]
    origins["pooling"] = ", ".join(dict.fromkeys(parts))
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
    _require_device(plan.encoder, workplace.device)
    timings: dict[str, float] = {}
    with writing(workplace.results, plan.name) as folder:
        registry.hook.bench_run_started(config=plan.config.model_dump(mode="json"))
        with _timed(timings, "load"):
            corpus = load_corpus(plan.dataset, workplace.data_root, workplace.cache)
            # Every score needs passages: better to learn that now than after fitting.
            corpus.group("passage")
            data = data_record(corpus)
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
            for protocol, found in zip(splits, predicted, strict=True):
                write_predictions(folder / predictions_name(protocol), corpus, found)
        if plan.config.optimism:
            with _timed(timings, "optimism"):
                for protocol, found in zip(splits, fit(selection="test-fold"), strict=True):
                    path = folder / predictions_name(protocol, "test-fold")
                    write_predictions(path, corpus, found)
        with _timed(timings, "score"):
            protocols = {
                protocol: protocol_record(
                    folder,
                    corpus,
                    split,
                    plan.config.selection,
                    found.selected,
                    optimism=plan.config.optimism,
                )
                for (protocol, split), found in zip(splits.items(), predicted, strict=True)
            }
        result = Result(
            name=plan.name,
            pianobench=version("pianobench"),
            config=plan.config,
            config_digest=plan.config.digest,
            data=data,
            components=_records(plan, encoded),
            protocols=protocols,
            environment=_environment(workplace),
            timings_s={stage: round(seconds, 3) for stage, seconds in timings.items()},
        )
        save(result, folder)
    registry.hook.bench_run_finished(result=result.model_dump(mode="json"))
    return result, workplace.results / plan.name


def _require_device(encoder: AudioEncoder | ScoreEncoder, device: str) -> None:
    uses_torch = isinstance(encoder, AudioEncoder) and encoder.backend == "torch"
    if device != "cpu" and not uses_torch:
        raise UsageError(
            f"The encoder {encoder.name!r} runs on the CPU, so --device {device} has nothing to "
            "do. Leave it out."
        )


def _create_encoder(choice: Choice, registry: Registry) -> AudioEncoder | ScoreEncoder:
    found = registry.find("encoder", choice.name).component
    if issubclass(found, ScoreEncoder):
        return registry.create(ScoreEncoder, "encoder", choice.name, choice.options)
    return registry.create(AudioEncoder, "encoder", choice.name, choice.options)


def _create_renderer(
    choice: Choice | None,
    dataset: Dataset,
    encoder: AudioEncoder | ScoreEncoder,
    registry: Registry,
) -> Renderer | None:
    if isinstance(encoder, AudioEncoder) and not dataset.recorded:
        choice = choice or Choice(name=dataset.default_renderer)
        return registry.create(Renderer, "renderer", choice.name, choice.options)
    if choice is not None:
        why = (
            f"the clips of {dataset.name!r} are recordings"
            if isinstance(encoder, AudioEncoder)
            else f"the encoder {encoder.name!r} reads notes"
        )
        raise UsageError(f"--renderer {choice.name} has nothing to do: {why}. Leave it out.")
    return None


def _choice(component: Component) -> Choice:
    return Choice(name=component.name, options=component.options)


def _render(plan: Plan, corpus: Corpus, workplace: Workplace) -> Mapping[str, Rendered] | None:
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


def _records(plan: Plan, encoded: Encoded) -> dict[str, ComponentRecord]:
    facts: dict[str, dict[str, Any]] = {
        "encoder": {
            "fingerprint": encoded.fingerprint,
            "layers": plan.encoder.layers,
            "revision": plan.encoder.revision,
            "pretraining": plan.encoder.pretraining,
        }
    }
    if isinstance(plan.encoder, AudioEncoder):
        facts["encoder"]["sample_rate_hz"] = plan.encoder.sample_rate
    if plan.renderer is not None:
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
            changed=_changed(component),
            licence=component.licence,
            citation=component.citation,
            facts=facts.get(kind, {}),
        )
        for kind, component in components.items()
        if component is not None
    }


def _changed(component: Component) -> dict[str, Any]:
    defaults = {
        name: field.get_default(call_default_factory=True)
        for name, field in type(component).model_fields.items()
    }
    return {
        name: value
        for name, value in component.options.items()
        if getattr(component, name) != defaults[name]
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
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
