"""Waveforms or notes to stored features: what enters is a corpus, what leaves is one array a layer.

Every clip is encoded once: the statistics of all its layers go into the store as they come, and
choosing layers afterwards is reading. Clips that are the same share a row. A run that is killed
loses what came after the last shard, the work of `pianobench.encoding.FLUSH_EVERY_S` at most.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clip_features import (
    encode_notes,
    encode_waveform_source,
    encode_waveform_sources,
    forget_loaded,
)
from .components import AudioEncoder, Pooling, ScoreEncoder
from .encoding import (
    Encoder,
    EncodingTime,
    Outcomes,
    describe_encoder,
    encode_missing,
    fill_policy,
    find_provenance,
    time_taken,
)
from .fingerprint import fingerprint_pooling
from .layers import Merge, merge
from .parallel import run_where_it_pays
from .policy import Policy, choose_policy
from .render import Rendered
from .sources import find_sources
from .store import SHARD_ROWS, FeatureStore, Row
from .stored_features import StoredFeatures
from .values import Corpus

__all__ = [
    "Encoded",
    "clip_encoder",
    "describe_features",
    "encode_corpus",
    "feature_root",
]


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
    stored : StoredFeatures
        Where they lie.
    """

    layers: Mapping[int, NDArray[np.float32]]
    fingerprint: str
    provenance: Mapping[str, Any]
    namespace: str
    time: EncodingTime
    stored: StoredFeatures

    def reference(self, layers: Sequence[int], how: Merge = "concat") -> StoredFeatures:
        """Refer to some layers, read or not."""
        return replace(self.stored, layers=tuple(sorted(layers)), how=how)

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
    policy = fill_policy(encoder, policy)
    sources = find_sources(encoder, corpus, waveforms)
    try:
        described, fingerprint = describe_features(encoder, pooling, policy)
        store = FeatureStore(feature_root(cache), described)
        provenance = find_provenance(encoder, policy, store.namespace)
        outcomes = partial(_outcomes, encoder, pooling, policy, jobs=jobs)
        count, audio_s = encode_missing(outcomes, sources, store, SHARD_ROWS, cache)
    finally:
        forget_loaded()
    keys = tuple(source.key for source in sources)
    values = store.read(keys, layers)
    timed = time_taken(started, count, sources, audio_s)
    stored = StoredFeatures(feature_root(cache), described, keys, tuple(sorted(layers)))
    return Encoded(values, fingerprint, provenance, store.digest, timed, stored)


def clip_encoder(encoder: Encoder, pooling: Pooling, policy: Policy | None) -> Callable[[Any], Row]:
    """Make a function of one clip's source that gives its row; it can be pickled."""
    if isinstance(encoder, ScoreEncoder):
        return partial(encode_notes, encoder, pooling)
    return partial(encode_waveform_source, encoder, pooling, policy or choose_policy(encoder))


def _outcomes(
    encoder: Encoder, pooling: Pooling, policy: Policy | None, sources: Sequence[Any], jobs: int
) -> Outcomes[Row]:
    if isinstance(encoder, AudioEncoder) and policy is not None and policy.device != "cpu":
        # One process, where clips share batches.
        return encode_waveform_sources(encoder, pooling, policy, sources)
    encode = clip_encoder(encoder, pooling, policy)
    return run_where_it_pays(encode, sources, jobs, before_processes=forget_loaded)


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
    described, fingerprint = describe_encoder(encoder, policy)
    described["pooling"] = {
        "name": pooling.name,
        "options": pooling.options,
        "fingerprint": fingerprint_pooling(pooling),
    }
    return described, fingerprint
