"""What a stored result says of its parts, as the cards of a row; nothing is asked of a plugin."""

from __future__ import annotations

from typing import Any

from ..result import ComponentRecord, Result
from .board import Cost, EncoderCard, Overlap, PartCard

__all__ = ["cost_of", "encoder_card", "layers_of", "part_card", "renderer_cards"]

_OVERLAPS: dict[str, Overlap] = {"known": "known", "none": "none"}


def encoder_card(result: Result) -> EncoderCard:
    """Describe the encoder."""
    record = result.components["encoder"]
    facts = record.facts
    untrained = record.options.get("weights") == "random"
    pretraining = str(facts.get("pretraining", ""))
    return EncoderCard(
        name=record.name,
        origin=record.origin,
        revision=_text(facts.get("revision")),
        source=_text(facts.get("source")),
        fingerprint=_text(facts.get("fingerprint")),
        parameters=facts.get("parameters"),
        licence=record.licence,
        citation=record.citation,
        pretraining="none: random weights" if untrained else pretraining,
        overlap=_overlap(facts, untrained),
        layers=facts.get("layers"),
        sample_rate_hz=facts.get("sample_rate_hz"),
    )


def part_card(result: Result, kind: str) -> PartCard | None:
    """Describe a pooling, head or renderer; None where the result has none."""
    record = result.components.get(kind)
    return None if record is None else _card(record)


def renderer_cards(result: Result) -> tuple[PartCard, ...]:
    """Describe every renderer."""
    records = result.components.values()
    return tuple(_card(record) for record in records if record.kind == "renderer")


def _card(record: ComponentRecord) -> PartCard:
    return PartCard(
        name=record.name,
        changed=dict(record.changed),
        licence=record.licence,
        citation=record.citation,
        card=str(record.facts.get("card", "")),
    )


def layers_of(result: Result) -> str:
    """Say which layers were taken, and how they became one vector where that is not the default."""
    layers = result.config.layers or ""
    return layers if result.config.merge == "concat" else f"{layers} {result.config.merge}"


def cost_of(result: Result) -> Cost:
    """Say what a row took."""
    timings, environment = result.timings_s, result.environment
    encoding = result.components["encoder"].facts.get("encoding") or {}
    encoded, seconds = encoding.get("clips", 0), encoding.get("seconds", 0.0)
    audio_s = encoding.get("audio_s", 0.0)
    measured = bool(encoded and seconds)
    return Cost(
        device=environment.get("device"),
        processes=int(environment["processes"]) if "processes" in environment else None,
        encode_s=timings.get("encode"),
        audio_s_per_s=audio_s / seconds if measured and audio_s else None,
        clips_per_s=encoded / seconds if measured else None,
        train_s=timings.get("evaluate"),
    )


def _overlap(facts: dict[str, Any], untrained: bool) -> Overlap:
    """Results older than the record of it say "none" where nothing was trained at all."""
    if "overlap" in facts:
        return _OVERLAPS.get(facts["overlap"], "unknown")
    return "none" if untrained or facts.get("pretraining") == "none" else "unknown"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
