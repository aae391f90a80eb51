"""What a run will do: the configuration with every choice made, and the components it names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
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
from .errors import UnknownNameError, UsageError
from .layers import select_layers
from .plugins import Registry
from .policy import Policy, choose_policy
from .pooling import create_pooling
from .result import result_name
from .split import PROTOCOLS

__all__ = ["Plan", "changed_options", "plan_run", "spelled"]

QUICK_PROTOCOLS = ("piece", "unseen", "work")
SLOW_PROTOCOLS = ("piece",)


@dataclass(frozen=True)
class Plan:
    """A run whose every choice is made: the filled-in configuration and its components.

    `renderers` are what models are fitted on and `test_renderers` what clips are predicted from,
    each in an order that does not depend on how they were listed; empty for encoders of notes and
    for recordings.
    """

    config: RunConfig
    dataset: Dataset
    encoder: AudioEncoder | ScoreEncoder
    renderers: tuple[Renderer, ...]
    test_renderers: tuple[Renderer, ...]
    pooling: Pooling
    head: Head
    layers: tuple[int, ...]
    origins: Mapping[str, str]

    @property
    def heard(self) -> tuple[Renderer, ...]:
        """Every renderer, those that are only tested on last."""
        only_tested = (tested for tested in self.test_renderers if tested not in self.renderers)
        return (*self.renderers, *only_tested)

    @property
    def renderer(self) -> Renderer | None:
        """The one renderer; None for encoders of notes and for recordings.

        Raises
        ------
        UsageError
            If there are several, where only one is expected.
        """
        if len(self.heard) > 1:
            names = ", ".join(map(spelled, self.heard))
            raise UsageError(
                f"This works with one renderer, and {len(self.heard)} are named: {names}. Name "
                "one with --renderer."
            )
        return self.heard[0] if self.heard else None

    def by_renderer(self) -> tuple[Plan, ...]:
        """Plan the same for each renderer alone, in the order of `heard`."""
        if len(self.heard) < 2:
            return (self,)
        return tuple(
            replace(
                self,
                config=self.config.model_copy(update={"renderer": choice, "test_renderer": None}),
                renderers=(renderer,),
                test_renderers=(renderer,),
            )
            for choice, renderer in zip(self.config.heard, self.heard, strict=True)
        )

    def policy(self, device: str) -> Policy | None:
        """How waveforms pass the encoder on a device; None for an encoder of notes.

        Raises
        ------
        UsageError
            If the encoder or the device cannot work so.
        """
        if isinstance(self.encoder, ScoreEncoder):
            return None
        config = self.config
        return choose_policy(
            self.encoder,
            chunk_s=config.chunk_s,
            overlap_s=config.overlap_s,
            precision=config.precision,
            device=device,
        )

    @property
    def name(self) -> str:
        """Name of the result."""
        return result_name(self.config)


def plan_run(config: RunConfig, registry: Registry, dataset: Dataset | None = None) -> Plan:
    """Fill in what the configuration leaves open, and make the components.

    Parameters
    ----------
    config : RunConfig
    registry : Registry
    dataset : Dataset, optional
        Takes the place of the one that is named, which need not be installed then.

    Raises
    ------
    UnknownNameError
        For a component, option or protocol that does not exist, with the nearest that does.
    UsageError
        For options or layers that cannot be used, a renderer for an encoder of notes, a learned
        pooling or learned weights of layers with a head that is not trained by gradient, or layers
        that cannot be weighted.
    """
    given = dataset
    if dataset is None:
        dataset = registry.create(Dataset, "dataset", config.dataset.name, config.dataset.options)
    encoder = _create_encoder(config.encoder, registry)
    renderers, test_renderers = _create_renderers(config, dataset, encoder, registry)
    pooled = config.pooling or Choice(name=encoder.default_pooling)
    pooling = create_pooling(registry, pooled.name, pooled.options)
    headed = config.head or Choice(name=encoder.default_head)
    head = registry.create(Head, "head", headed.name, headed.options)
    if pooling.learned and not isinstance(head, NetworkHead):
        raise UsageError(
            f"The pooling {pooling.name!r} is learned with the head, and the head "
            f"{head.name!r} is not trained by gradient. Choose a network head such as mlp, or "
            "another pooling, such as mean."
        )
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
    chosen = select_layers(layers, encoder.name, encoder.layers)
    if config.merge == "weighted":
        _require_weighable(encoder, pooling, head, chosen)
    filled = config.model_copy(
        update=_how_encoded(config, encoder)
        | {
            "dataset": _choice(dataset),
            "encoder": _choice(encoder),
            "renderer": _choices(renderers),
            "test_renderer": None if test_renderers == renderers else _choices(test_renderers),
            "pooling": Choice(name=pooled.name, options=pooling.options),
            "head": _choice(head),
            "layers": layers,
            "protocols": protocols,
        }
    )
    origins = {
        part: registry.find(part.partition(" ")[0], choice.name).origin
        for part, choice in filled.parts.items()
        if part != "pooling" and not (part == "dataset" and given is not None)
    }
    parts = [registry.find("pooling", part).origin for part in pooled.name.split("+")]
    origins["pooling"] = ", ".join(dict.fromkeys(parts))
    return Plan(
        filled,
        dataset,
        encoder,
        renderers,
        test_renderers,
        pooling,
        head,
        chosen,
        origins,
    )


def _require_weighable(
    encoder: AudioEncoder | ScoreEncoder, pooling: Pooling, head: Head, layers: tuple[int, ...]
) -> None:
    """Refuse weights of layers that could not be learned, or would not be those of the frames."""
    asked = "--merge weighted learns weights of layers with the head"
    if not isinstance(head, NetworkHead):
        raise UsageError(
            f"{asked}, and the head {head.name!r} is not trained by gradient. Choose a network "
            "head such as mlp, or --merge concat or mean."
        )
    if len(layers) < 2:
        raise UsageError(
            f"{asked}, and there is but layer {layers[0]} of the encoder {encoder.name!r}. Choose "
            "several with --layers, or leave --merge out."
        )
    if not (pooling.learned or pooling.linear):
        raise UsageError(
            f"{asked}, and the pooling {pooling.name!r} of a mixture of layers cannot be had from "
            "what it makes of each. Choose mean, or a pooling that is learned, such as attention."
        )


def _create_encoder(choice: Choice, registry: Registry) -> AudioEncoder | ScoreEncoder:
    found = registry.find("encoder", choice.name).component
    if issubclass(found, ScoreEncoder):
        return registry.create(ScoreEncoder, "encoder", choice.name, choice.options)
    return registry.create(AudioEncoder, "encoder", choice.name, choice.options)


def _create_renderers(
    config: RunConfig, dataset: Dataset, encoder: AudioEncoder | ScoreEncoder, registry: Registry
) -> tuple[tuple[Renderer, ...], tuple[Renderer, ...]]:
    """Make what models are fitted on, and what clips are predicted from."""
    if isinstance(encoder, AudioEncoder) and not dataset.recorded:
        named = config.renderers or (Choice(name=dataset.default_renderer),)
        renderers = _create_each_once(named, "--renderer", registry)
        if config.test_renderer is None:
            return renderers, renderers
        return renderers, _create_each_once(config.test_renderers, "--test-renderer", registry)
    for option, given in (
        ("--renderer", config.renderer),
        ("--test-renderer", config.test_renderer),
    ):
        if given is not None:
            why = (
                f"the clips of {dataset.name!r} are recordings"
                if isinstance(encoder, AudioEncoder)
                else f"the encoder {encoder.name!r} reads notes"
            )
            raise UsageError(f"{option} has nothing to do: {why}. Leave it out.")
    return (), ()


def _create_each_once(
    named: Sequence[Choice], option: str, registry: Registry
) -> tuple[Renderer, ...]:
    """Make renderers, in an order that does not depend on the list."""
    made = [
        registry.create(Renderer, "renderer", each.name, each.options)
        for each in _apart(named, registry)
    ]
    made.sort(key=lambda each: (each.name, json.dumps(each.options, sort_keys=True)))
    for one, other in pairwise(made):
        if one == other:
            raise UsageError(f"{option} names {spelled(one)} more than once. Name each once.")
    return tuple(made)


def _apart(named: Sequence[Choice], registry: Registry) -> Iterator[Choice]:
    """Take apart names that stand for several renderers."""
    for each in named:
        name, _, argument = each.name.partition(":")
        found = registry.find("renderer", name).component
        several = found.ensembles.get(argument, ()) if issubclass(found, Renderer) else ()
        if several:
            yield from (each.model_copy(update={"name": f"{name}:{one}"}) for one in several)
        else:
            yield each


def spelled(component: Component) -> str:
    """Name a component as a user may type it, and its other options that are not the defaults."""
    name = component.name
    if component.argument:
        name += f":{getattr(component, component.argument)}"
    changed = changed_options(component).items()
    others = [f"{option}={value}" for option, value in changed if option != component.argument]
    return " ".join([name, *others])


def changed_options(component: Component) -> dict[str, Any]:
    """Find the options that are not the component's defaults."""
    defaults = {
        name: field.get_default(call_default_factory=True)
        for name, field in type(component).model_fields.items()
    }
    return {
        name: value
        for name, value in component.options.items()
        if getattr(component, name) != defaults[name]
    }


def _choices(components: Sequence[Component]) -> Choice | tuple[Choice, ...] | None:
    """Choose one as a single component always was, so that its configuration keeps its digest."""
    chosen = tuple(_choice(component) for component in components)
    return chosen if len(chosen) > 1 else chosen[0] if chosen else None


def _choice(component: Component) -> Choice:
    return Choice(name=component.name, options=component.options)


def _how_encoded(config: RunConfig, encoder: AudioEncoder | ScoreEncoder) -> dict[str, Any]:
    """Fill in pieces and precision where waveforms are passed, and refuse them elsewhere."""
    asked = {
        name: getattr(config, name)
        for name in ("precision", "chunk_s", "overlap_s")
        if getattr(config, name) is not None
    }
    if isinstance(encoder, ScoreEncoder):
        if asked:
            raise UsageError(
                f"The encoder {encoder.name!r} reads notes, so that {', '.join(asked)} has nothing "
                "to do. Leave it out."
            )
        return {}
    filled: dict[str, Any] = {} if encoder.chunk_s is None else {"chunk_s": encoder.chunk_s}
    if filled or config.chunk_s is not None:
        filled["overlap_s"] = 0.0
    if encoder.backend == "torch":
        filled["precision"] = "float32"
    return filled | asked
