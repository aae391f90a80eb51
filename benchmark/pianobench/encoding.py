"""What every way of encoding a corpus shares: its description, what is missing, storing it.

Rows are stored as they come. Clips that fail are named together at the end, when all others are
stored, so that bad ones cost nothing that was computed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from .clip_features import load_encoder
from .components import AudioEncoder, ScoreEncoder
from .errors import DataError, EncodingError, PianobenchError
from .failures import together
from .fingerprint import describe_signals, fingerprint_audio, fingerprint_score
from .namespace import Namespace
from .places import cache_at
from .policy import Policy, choose_policy
from .progress import track, track_audio
from .sources import NoteSource, WaveformSource

__all__ = [
    "Encoder",
    "EncodingTime",
    "Outcomes",
    "Sources",
    "describe_encoder",
    "encode_missing",
    "fill_policy",
    "find_provenance",
    "time_taken",
]

FLUSH_EVERY_S = 20.0
# So many failures and not one success: the encoder is broken, not the clips.
_HOPELESS = 10

Encoder = AudioEncoder | ScoreEncoder
Sources = Sequence[NoteSource | WaveformSource]
R = TypeVar("R")
R_in = TypeVar("R_in", contravariant=True)
Outcomes = Iterator[tuple[int, R | Exception]]
"""Index of each source with its row, or with why there is none."""


class EncodingTime(NamedTuple):
    """What encoding took.

    Attributes
    ----------
    seconds : float
    encoded, cached : int
        Clips computed now, and clips that were stored or equal to another.
    audio_s : float
        Audio encoded now; 0 for notes.
    """

    seconds: float
    encoded: int
    cached: int
    audio_s: float

    @classmethod
    def total(cls, times: Iterable[EncodingTime]) -> EncodingTime:
        """Add up what several renders of the same clips took."""
        seconds, encoded, cached, audio_s = zip(*times, strict=True)
        return cls(sum(seconds), sum(encoded), sum(cached), sum(audio_s))


class Store(Protocol[R_in]):
    """Where rows of one kind are kept, by the key of their clip."""

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Keys that are not stored, each once, in the order given."""
        ...

    def write(self, rows: Sequence[R_in]) -> None:
        """Store rows."""
        ...

    def merge(self) -> None:
        """Tidy up when all rows are written."""
        ...


def fill_policy(encoder: Encoder, policy: Policy | None) -> Policy | None:
    """Choose how waveforms pass an encoder where that is left open; None for one of notes."""
    if policy is None and isinstance(encoder, AudioEncoder):
        return choose_policy(encoder)
    return policy


def time_taken(started: float, encoded: int, sources: Sources, audio_s: float) -> EncodingTime:
    """Sum up what encoding took since it started."""
    seconds = time.perf_counter() - started
    return EncodingTime(seconds, encoded, len(sources) - encoded, audio_s)


def describe_encoder(encoder: Encoder, policy: Policy | None) -> tuple[dict[str, Any], str]:
    """Find what frames depend on besides the clip, as JSON holds it, and the fingerprint in it.

    Raises
    ------
    EncodingError
        If the encoder fails on fixed inputs.
    """
    described: dict[str, Any] = {}
    options = encoder.options
    if isinstance(encoder, AudioEncoder) and policy is not None:
        loaded = load_encoder(encoder, policy.device)
        fingerprint = fingerprint_audio(encoder, loaded, policy)
        if hasattr(loaded, "weights_digest"):
            options = {k: v for k, v in options.items() if k not in encoder.weights_options}
        described["input"] = {
            "sample_rate": encoder.sample_rate,
            "minimum_samples": encoder.minimum_samples,
            "chunk_samples": policy.chunk_samples,
            "overlap_samples": policy.overlap_samples,
            "precision": policy.precision,
        }
        if policy.precision != "float32" and policy.device != "cpu":
            # Each kind of device rounds in its own way, by more than a comparison allows for.
            described["input"]["device"] = policy.device.partition(":")[0]
    elif isinstance(encoder, ScoreEncoder):
        fingerprint = fingerprint_score(encoder)
    described["encoder"] = {
        "name": encoder.name,
        "revision": encoder.revision,
        "options": options,
        "fingerprint": fingerprint,
    }
    return described, fingerprint


def find_provenance(
    encoder: Encoder, policy: Policy | None, namespace: Namespace
) -> dict[str, Any]:
    """Find what a result tells of an encoder of audio; the signals are encoded once a namespace."""
    if policy is None or isinstance(encoder, ScoreEncoder):
        return {}
    loaded = load_encoder(encoder, policy.device)
    kept = namespace.provenance()
    if "signals" not in kept:
        options = encoder.options
        kept = {
            "source": getattr(loaded, "source", None),
            "signals": describe_signals(encoder, loaded, policy),
            "device": policy.device,
            "weights_options": {name: options[name] for name in encoder.weights_options},
        }
        namespace.keep_provenance(kept)
    found = {"signals": kept["signals"], "signals_device": kept.get("device", "cpu")}
    if hasattr(loaded, "parameter_count"):
        found["parameters"] = int(loaded.parameter_count)
    return found if not hasattr(loaded, "source") else found | {"source": loaded.source}


def encode_missing(
    outcomes: Callable[[Sequence[Any]], Outcomes[R]],
    sources: Sources,
    store: Store[R],
    rows_at_once: int,
    cache: Path,
) -> tuple[int, float]:
    """Encode and store what is not stored; return its number of clips and seconds of audio."""
    first = {source.key: source for source in reversed(sources)}
    missing = [first[key] for key in store.missing([source.key for source in sources])]
    if not missing:
        return 0, 0.0
    # Encoders of notes keep alignments in the same cache.
    with cache_at(cache):
        kept = len(first) - len(missing)
        return len(missing), _store_all(outcomes(missing), missing, store, rows_at_once, kept)


def _tracked(outcomes: Outcomes[R], sources: Sources) -> tuple[Outcomes[R], Sequence[float]]:
    """Tell how far it is; with the length of each clip in seconds, 0 for notes."""
    durations = [0.0 if isinstance(source, NoteSource) else source.duration_s for source in sources]
    if not any(durations):
        return track(outcomes, len(sources), "encode"), durations
    followed = track_audio(
        outcomes, len(sources), "encode", lambda done: durations[done[0]], sum(durations)
    )
    return followed, durations


def _store_all(
    outcomes: Outcomes[R], sources: Sources, store: Store[R], rows_at_once: int, kept: int
) -> float:
    """Store rows as they come, beside those kept before; return the seconds of audio encoded."""
    rows: list[R] = []
    failures: dict[str, PianobenchError] = {}
    audio_s = 0.0
    stored = kept
    flushed = time.monotonic()
    outcomes, durations = _tracked(outcomes, sources)
    try:
        for index, outcome in outcomes:
            if not isinstance(outcome, Exception):
                rows.append(outcome)
                audio_s += durations[index]
                if len(rows) >= rows_at_once or time.monotonic() - flushed > FLUSH_EVERY_S:
                    store.write(rows)
                    stored += len(rows)
                    rows, flushed = [], time.monotonic()
            elif isinstance(outcome, DataError | EncodingError):
                failures[sources[index].clip.id] = outcome
                if len(failures) >= _HOPELESS and not (rows or stored):
                    raise together(
                        failures, f"None of the first {len(failures)} clips can be encoded."
                    )
            else:
                raise outcome
    finally:
        if rows:
            store.write(rows)
    store.merge()
    if failures:
        count = f"{len(failures)} of {len(sources) + kept} clips cannot be encoded"
        raise together(failures, f"{count}; the others are, and are kept.")
    return audio_s
