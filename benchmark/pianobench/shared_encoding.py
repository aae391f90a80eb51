"""One pass of an encoder for all that is to be kept of it: several poolings, frames of some layers.

Nothing is returned: the stores are filled, so that whoever asks for one of these features next
finds it there. Clips of which everything is stored are not encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .clip_features import (
    Kept,
    Rows,
    encode_notes_once,
    encode_waveform_once,
    encode_waveforms_once,
    forget_loaded,
)
from .components import Pooling, ScoreEncoder
from .encode import describe_features, feature_root
from .encoding import Encoder, Outcomes, describe_encoder, encode_missing, fill_policy
from .frame_encoding import open_frames
from .frame_store import FrameRow, FrameStore
from .parallel import run_where_it_pays
from .policy import Policy, choose_policy
from .render import Rendered
from .sources import find_sources
from .store import FeatureStore, Row
from .values import Corpus

__all__ = ["encode_once"]

# Frames of a clip may be tens of megabytes.
_ROWS_AT_ONCE = 16


def encode_once(
    encoder: Encoder,
    corpus: Corpus,
    kept: Sequence[Kept],
    *,
    waveforms: Mapping[str, Rendered] | None = None,
    policy: Policy | None = None,
    cache: Path,
    jobs: int = 1,
) -> None:
    """Encode what any of several purposes lacks.

    Parameters
    ----------
    kept : sequence of Pooling or tuple of int
        Poolings that are not learned, and layers whose frames are kept.
    encoder, corpus, waveforms, policy, cache, jobs
        As of `pianobench.encode.encode_corpus`, which see for what is raised, too.
    """
    policy = fill_policy(encoder, policy)
    sources = find_sources(encoder, corpus, waveforms)
    try:
        stores = _Stores([_store(encoder, what, policy, cache) for what in kept])
        outcomes = partial(_outcomes, encoder, tuple(kept), policy, jobs=jobs)
        encode_missing(outcomes, sources, stores, _ROWS_AT_ONCE, cache)
    finally:
        forget_loaded()


class _Stores:
    """Several stores as one, whose rows hold one for each."""

    def __init__(self, stores: Sequence[FeatureStore | FrameStore]) -> None:
        self._stores = stores

    def missing(self, keys: Sequence[str]) -> list[str]:
        lacking = {key for store in self._stores for key in store.missing(keys)}
        return [key for key in dict.fromkeys(keys) if key in lacking]

    def write(self, rows: Sequence[Rows]) -> None:
        for store, own in zip(self._stores, zip(*rows, strict=True), strict=True):
            lacking = set(store.missing([row.key for row in own]))
            new = [row for row in own if row.key in lacking]
            if isinstance(store, FeatureStore):
                store.write([row for row in new if isinstance(row, Row)])
            else:
                store.write([row for row in new if isinstance(row, FrameRow)])

    def merge(self) -> None:
        for store in self._stores:
            store.merge()


def _store(
    encoder: Encoder, kept: Kept, policy: Policy | None, cache: Path
) -> FeatureStore | FrameStore:
    if isinstance(kept, Pooling):
        return FeatureStore(feature_root(cache), describe_features(encoder, kept, policy)[0])
    described = describe_encoder(encoder, policy)[0]
    return open_frames(encoder, described, kept, cache)


def _outcomes(
    encoder: Encoder,
    kept: tuple[Kept, ...],
    policy: Policy | None,
    sources: Sequence[Any],
    jobs: int,
) -> Outcomes[Rows]:
    encode: Callable[[Any], Rows]
    if isinstance(encoder, ScoreEncoder):
        encode = partial(encode_notes_once, encoder, kept)
    else:
        policy = policy or choose_policy(encoder)
        if policy.device != "cpu":
            return encode_waveforms_once(encoder, kept, policy, sources)
        encode = partial(encode_waveform_once, encoder, kept, policy)
    return run_where_it_pays(encode, sources, jobs, before_processes=forget_loaded)
