"""Waveforms or notes to stored frames, for poolings that are learned with a head, fold by fold.

What enters is a corpus, what leaves is one file a clip with the frames of the chosen layers. Clips
that are the same share a file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from .clip_features import (
    encode_notes_frames,
    encode_waveform_frames,
    encode_waveform_sources_frames,
    forget_loaded,
)
from .components import ScoreEncoder
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
from .fingerprint import fingerprint_levels
from .frame_store import FrameRow, FrameStore
from .parallel import run_where_it_pays
from .policy import Policy, choose_policy
from .render import Rendered
from .sources import find_sources
from .values import Corpus

__all__ = ["EncodedFrames", "encode_frames", "frame_root", "open_frames"]


@dataclass(frozen=True)
class EncodedFrames:
    """The frames of a corpus, for a pooling that is learned.

    Attributes
    ----------
    paths : tuple of Path
        Files of frames, in the order of the corpus; see `pianobench.frame_store`.
    fingerprint, provenance, namespace, time
        As of `pianobench.encode.Encoded`.
    """

    paths: tuple[Path, ...]
    fingerprint: str
    provenance: Mapping[str, Any]
    namespace: str
    time: EncodingTime


def frame_root(cache: Path) -> Path:
    """Folder of stored frames within the cache."""
    return cache / "frames"


def open_frames(
    encoder: Encoder, described: Mapping[str, Any], layers: Sequence[int], cache: Path
) -> FrameStore:
    """Open the store of some layers, and of the levels that come with notes.

    Parameters
    ----------
    described : mapping
        See `pianobench.encoding.describe_encoder`.

    Raises
    ------
    EncodingError
        If the encoder fails on fixed notes.
    """
    described = {**described, "layers": list(layers)}
    if isinstance(encoder, ScoreEncoder):
        described["levels"] = fingerprint_levels(encoder)
    return FrameStore(frame_root(cache), described)


def encode_frames(
    encoder: Encoder,
    corpus: Corpus,
    layers: Sequence[int],
    *,
    waveforms: Mapping[str, Rendered] | None = None,
    policy: Policy | None = None,
    cache: Path,
    jobs: int = 1,
) -> EncodedFrames:
    """Encode what is not stored yet, keeping the frames of the chosen layers.

    Parameters
    ----------
    layers : sequence of int
        Layers to keep; an AudioEncoder that gives its states one by one is stopped after them.
    encoder, corpus, waveforms, policy, cache, jobs
        As of `pianobench.encode.encode_corpus`, which see for what is raised, too.
    """
    started = time.perf_counter()
    policy = fill_policy(encoder, policy)
    sources = find_sources(encoder, corpus, waveforms)
    try:
        described, fingerprint = describe_encoder(encoder, policy)
        store = open_frames(encoder, described, layers, cache)
        provenance = find_provenance(encoder, policy, store.namespace)
        outcomes = partial(_frame_outcomes, encoder, tuple(layers), policy, jobs=jobs)
        count, audio_s = encode_missing(outcomes, sources, store, 1, cache)
    finally:
        forget_loaded()
    paths = tuple(store.path(source.key) for source in sources)
    timed = time_taken(started, count, sources, audio_s)
    return EncodedFrames(paths, fingerprint, provenance, store.namespace.digest, timed)


def _frame_outcomes(
    encoder: Encoder,
    layers: tuple[int, ...],
    policy: Policy | None,
    sources: Sequence[Any],
    jobs: int,
) -> Outcomes[FrameRow]:
    encode: Callable[[Any], FrameRow]
    if isinstance(encoder, ScoreEncoder):
        encode = partial(encode_notes_frames, encoder, layers)
    else:
        policy = policy or choose_policy(encoder)
        if policy.device != "cpu":
            return encode_waveform_sources_frames(encoder, layers, policy, sources)
        encode = partial(encode_waveform_frames, encoder, layers, policy)
    return run_where_it_pays(encode, sources, jobs, before_processes=forget_loaded)
