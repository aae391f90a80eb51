"""What a run will do: the configuration with every choice made, and the components it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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

__all__ = ["Plan", "plan_run"]

QUICK_PROTOCOLS = ("piece", "unseen", "work")
SLOW_PROTOCOLS = ("piece",)


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


def plan_run(config: RunConfig, registry: Registry) -> Plan:
    """Fill in what the configuration leaves open, and make the components.

    Raises
    ------
    UnknownNameError
        For a component, option or protocol that does not exist, with the nearest that does.
    UsageError
        For options or layers that cannot be used, a renderer for an encoder of notes, a learned
        pooling or learned weights of layers with a head that is not trained by gradient, or layers
        that cannot be weighted.
    """
    dataset = registry.create(Dataset, "dataset", config.dataset.name, config.dataset.options)
    encoder = _create_encoder(config.encoder, registry)
    renderer = _create_renderer(config.renderer, dataset, encoder, registry)
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
