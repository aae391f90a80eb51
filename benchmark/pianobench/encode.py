"""Waveforms or notes to stored features: what enters is a corpus, what leaves is one array a layer.

Every clip is encoded once: the statistics of all its layers go into the store as they come, and
choosing layers afterwards is reading. Clips that are the same share a row. A run that is killed
loses what came after the last shard, the work of `FLUSH_EVERY_S` at most.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .clip_features import (
    encode_notes,
    encode_waveform_source,
    encode_waveform_sources,
    forget_loaded,
    load_encoder,
)
from .components import AudioEncoder, Pooling, ScoreEncoder
from .errors import DataError, EncodingError, PianobenchError
from .failures import together
from .fingerprint import (
    describe_signals,
    fingerprint_audio,
    fingerprint_pooling,
    fingerprint_score,
)
from .layers import Merge, merge
from .parallel import run_where_it_pays
from .places import cache_at
from .policy import Policy, choose_policy
from .progress import track, track_audio
from .render import Rendered
from .sources import NoteSource, WaveformSource, find_sources
from .store import SHARD_ROWS, FeatureStore, Row
from .values import Corpus

__all__ = [
    "Encoded",
    "EncodingTime",
    "clip_encoder",
    "describe_features",
    "encode_corpus",
    "feature_root",
]

FLUSH_EVERY_S = 20.0
# So many failures and not one success: the encoder is broken, not the clips.
_HOPELESS = 10

Encoder = AudioEncoder | ScoreEncoder
Sources = Sequence[NoteSource | WaveformSource]
Outcomes = Iterator[tuple[int, Row | Exception]]


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


@dataclass(frozen=True)
class Encoded:
    """The features of a corpus.

    Attributes
    ----------
    layers : mapping of int to float32 array, shape (clips, width)
        In the order of the corpus.
    fingerprint : str
        Of the encoder: its weights, or what it makes of fixed inputs.
    provenance : mapping
        What else is known of an AudioEncoder, as JSON holds it: ``source``, where its weights came
        from, and ``signals``, what it makes of fixed signals within rounding
        (`pianobench.fingerprint.describe_signals`). Empty for an encoder of notes.
    namespace : str
        Digest of all that the features depend on besides the clips.
    time : EncodingTime
    """

    layers: Mapping[int, NDArray[np.float32]]
    fingerprint: str
    provenance: Mapping[str, Any]
    namespace: str
    time: EncodingTime

    def features(self, how: Merge = "concat") -> NDArray[np.float64]:
        """One vector per clip, shape (clips, features); see `pianobench.layers.merge`."""
        return merge(self.layers, how)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the layers' numbers and values, in order."""
        sha256 = hashlib.sha256()
        for layer in sorted(self.layers):
            sha256.update(f"{layer} {self.layers[layer].shape}".encode())
            sha256.update(np.ascontiguousarray(self.layers[layer], dtype="<f4").tobytes())
        return sha256.hexdigest()


def feature_root(cache: Path) -> Path:
    """Folder of the feature store within the cache."""
    return cache / "features"


def encode_corpus(
    encoder: Encoder,
    corpus: Corpus,
    pooling: Pooling,
    layers: Sequence[int],
    *,
    waveforms: Mapping[str, Rendered] | None = None,
    policy: Policy | None = None,
    cache: Path,
    jobs: int = 1,
) -> Encoded:
    """Encode what is not stored yet, and read the chosen layers of every clip.

    Parameters
    ----------
    encoder : AudioEncoder or ScoreEncoder
    corpus : Corpus
    pooling : Pooling
    layers : sequence of int
        Layers to read; all are stored.
    waveforms : mapping of str to Rendered, optional
        By clip id, at the encoder's rate, for an AudioEncoder; clips that are not in it are read
        from their recordings.
    policy : Policy, optional
        How waveforms pass an AudioEncoder; its own choices when not given.
    cache : Path
    jobs : int
        Number of processes; one on an accelerator.

    Raises
    ------
    DataError
        If clips lack a file that the encoder reads.
    EncodingError
        If clips cannot be encoded, with their names, after all others are encoded and stored; or
        at once if the encoder breaks its contract on every clip.
    StoreError
        If features cannot be stored. What was stored stays.
    UsageError
        If the pooling is learned, or waveforms are missing or at another rate.
    """
    started = time.perf_counter()
    sources = find_sources(encoder, corpus, waveforms)
    provenance: dict[str, Any] = {}
    try:
        if policy is None and isinstance(encoder, AudioEncoder):
            policy = choose_policy(encoder)
        described, fingerprint = describe_features(encoder, pooling, policy)
        store = FeatureStore(feature_root(cache), described)
        if isinstance(encoder, AudioEncoder) and policy is not None:
            provenance = _provenance(encoder, policy, store)
        keys = [source.key for source in sources]
        first = {source.key: source for source in reversed(sources)}
        missing = [first[key] for key in store.missing(keys)]
        audio_s = 0.0
        if missing:
            # Encoders of notes keep alignments in the same cache.
            with cache_at(cache):
                outcomes = _outcomes(encoder, pooling, policy, missing, jobs)
                audio_s = _store_all(outcomes, missing, store)
    finally:
        forget_loaded()
    values = store.read(keys, layers)
    seconds = time.perf_counter() - started
    timed = EncodingTime(seconds, len(missing), len(sources) - len(missing), audio_s)
    return Encoded(values, fingerprint, provenance, store.digest, timed)


def clip_encoder(encoder: Encoder, pooling: Pooling, policy: Policy | None) -> Callable[[Any], Row]:
    """Make a function of one clip's source that gives its row; it can be pickled."""
    if isinstance(encoder, ScoreEncoder):
        return partial(encode_notes, encoder, pooling)
    return partial(encode_waveform_source, encoder, pooling, policy or choose_policy(encoder))


def _outcomes(
    encoder: Encoder, pooling: Pooling, policy: Policy | None, sources: Sequence[Any], jobs: int
) -> Outcomes:
    if isinstance(encoder, AudioEncoder) and policy is not None and policy.device != "cpu":
        # One process, where clips share batches.
        return encode_waveform_sources(encoder, pooling, policy, sources)
    encode = clip_encoder(encoder, pooling, policy)
    return run_where_it_pays(encode, sources, jobs, before_processes=forget_loaded)


def _tracked(outcomes: Outcomes, sources: Sources) -> tuple[Outcomes, Sequence[float]]:
    """Tell how far it is; with the length of each clip in seconds, 0 for notes."""
    durations = [0.0 if isinstance(source, NoteSource) else source.duration_s for source in sources]
    if not any(durations):
        return track(outcomes, len(sources), "encode"), durations
    followed = track_audio(
        outcomes, len(sources), "encode", lambda done: durations[done[0]], sum(durations)
    )
    return followed, durations


def _store_all(outcomes: Outcomes, sources: Sources, store: FeatureStore) -> float:
    """Store rows as they come; return the seconds of audio that were encoded."""
    rows: list[Row] = []
    failures: dict[str, PianobenchError] = {}
    audio_s = 0.0
    stored = 0
    flushed = time.monotonic()
    outcomes, durations = _tracked(outcomes, sources)
    try:
        for index, outcome in outcomes:
            if isinstance(outcome, Row):
                rows.append(outcome)
                audio_s += durations[index]
                if len(rows) >= SHARD_ROWS or time.monotonic() - flushed > FLUSH_EVERY_S:
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
        count = f"{len(failures)} of {len(sources)} clips cannot be encoded"
        raise together(failures, f"{count}; the others are, and are kept.")
    return audio_s


def _provenance(encoder: AudioEncoder, policy: Policy, store: FeatureStore) -> dict[str, Any]:
    """Find what a result tells of the encoder; the signals are encoded once a namespace."""
    loaded = load_encoder(encoder, policy.device)
    kept = store.provenance()
    if "signals" not in kept:
        options = encoder.options
        kept = {
            "source": getattr(loaded, "source", None),
            "signals": describe_signals(encoder, loaded, policy),
            "device": policy.device,
            "weights_options": {name: options[name] for name in encoder.weights_options},
        }
        store.keep_provenance(kept)
    found = {"signals": kept["signals"], "signals_device": kept.get("device", "cpu")}
    return found if not hasattr(loaded, "source") else found | {"source": loaded.source}


def describe_features(
    encoder: Encoder, pooling: Pooling, policy: Policy | None
) -> tuple[dict[str, Any], str]:
    """Find all that features depend on besides the clip; its digest names their namespace.

    Parameters
    ----------
    encoder : AudioEncoder or ScoreEncoder
    pooling : Pooling
    policy : Policy, optional
        None for an encoder of notes.

    Returns
    -------
    description, fingerprint
        As JSON holds it, and the encoder's fingerprint, which is part of it.

    Raises
    ------
    EncodingError
        If the encoder or the pooling fails on fixed inputs.
    UsageError
        If the pooling is learned.
    """
    described: dict[str, Any] = {
        "encoder": {"name": encoder.name, "revision": encoder.revision},
        "pooling": {
            "name": pooling.name,
            "options": pooling.options,
            "fingerprint": fingerprint_pooling(pooling),
        },
    }
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
    described["encoder"] |= {"options": options, "fingerprint": fingerprint}
    return described, fingerprint
