"""Clips through an encoder: what enters is a source, what leaves is its row.

A `Row` holds what a pooling makes of every layer; a `FrameRow`, for poolings that are learned
later, the frames of the layers that are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .batch import Loaded
from .components import AudioEncoder, Pooling, ScoreEncoder
from .errors import EncodingError, PianobenchError, PluginError
from .forward import States, encode_waveform, encode_waveforms
from .frame_store import FrameRow
from .policy import Policy
from .pooling import pool
from .sources import NoteSource, WaveformSource
from .store import Row
from .values import Clip, Frames

__all__ = [
    "Kept",
    "Rows",
    "encode_notes",
    "encode_notes_frames",
    "encode_notes_once",
    "encode_waveform_frames",
    "encode_waveform_once",
    "encode_waveform_source",
    "encode_waveform_sources",
    "encode_waveform_sources_frames",
    "encode_waveforms_once",
    "forget_loaded",
    "load_encoder",
]

R = TypeVar("R")


def encode_notes(encoder: ScoreEncoder, pooling: Pooling, source: NoteSource) -> Row:
    """Encode and pool a clip of notes.

    Raises
    ------
    EncodingError
        If the encoder or the pooling fails, or returns something other than it promises.
    """
    return _row_of_notes(pooling, source, _frames_of_notes(encoder, source.clip))


def encode_waveform_source(
    encoder: AudioEncoder, pooling: Pooling, policy: Policy, source: WaveformSource
) -> Row:
    """Encode and pool a clip of audio.

    Raises
    ------
    AudioError
        If the waveform cannot be read or used.
    EncodingError
        If the encoder or the pooling fails, or returns something other than it promises.
    """
    waveform = source.waveform(encoder.sample_rate)
    loaded = load_encoder(encoder, policy.device)
    return _row(pooling, source, encode_waveform(encoder, loaded, waveform, policy))


def encode_waveform_sources(
    encoder: AudioEncoder, pooling: Pooling, policy: Policy, sources: Sequence[WaveformSource]
) -> Iterator[tuple[int, Row | PianobenchError]]:
    """Encode and pool clips of audio that share batches.

    Yields
    ------
    index, outcome
        In order of completion; what `encode_waveform_source` would raise is the outcome, so that
        one bad clip does not cost the others.
    """
    return _share_batches(encoder, policy, sources, None, partial(_row, pooling))


def encode_notes_frames(
    encoder: ScoreEncoder, layers: Sequence[int], source: NoteSource
) -> FrameRow:
    """Encode a clip of notes, and keep the frames of some layers.

    Raises
    ------
    EncodingError
        If the encoder fails, or returns something other than it promises.
    """
    return _frame_row_of_notes(layers, source, _frames_of_notes(encoder, source.clip))


def encode_waveform_frames(
    encoder: AudioEncoder, layers: Sequence[int], policy: Policy, source: WaveformSource
) -> FrameRow:
    """Encode a clip of audio up to the last of some layers, and keep their frames.

    Raises
    ------
    AudioError
        If the waveform cannot be read or used.
    EncodingError
        If the encoder fails, or returns something other than it promises.
    """
    waveform = source.waveform(encoder.sample_rate)
    loaded = load_encoder(encoder, policy.device)
    states = encode_waveform(encoder, loaded, waveform, policy, max(layers))
    return _frame_row(layers, source, states)


def encode_waveform_sources_frames(
    encoder: AudioEncoder,
    layers: Sequence[int],
    policy: Policy,
    sources: Sequence[WaveformSource],
) -> Iterator[tuple[int, FrameRow | PianobenchError]]:
    """Encode clips of audio that share batches, and keep the frames of some layers.

    Yields
    ------
    index, outcome
        As of `encode_waveform_sources`.
    """
    return _share_batches(encoder, policy, sources, max(layers), partial(_frame_row, layers))


Kept = Pooling | tuple[int, ...]
"""What is kept of a clip: what a pooling makes of every layer, or the frames of some layers."""
Rows = tuple[Row | FrameRow, ...]


def encode_notes_once(encoder: ScoreEncoder, kept: Sequence[Kept], source: NoteSource) -> Rows:
    """Encode a clip of notes for several purposes; see `encode_notes`."""
    frames = _frames_of_notes(encoder, source.clip)
    return tuple(
        _row_of_notes(what, source, frames)
        if isinstance(what, Pooling)
        else _frame_row_of_notes(what, source, frames)
        for what in kept
    )


def encode_waveform_once(
    encoder: AudioEncoder, kept: Sequence[Kept], policy: Policy, source: WaveformSource
) -> Rows:
    """Encode a clip of audio for several purposes; see `encode_waveform_source`."""
    waveform = source.waveform(encoder.sample_rate)
    loaded = load_encoder(encoder, policy.device)
    states = encode_waveform(encoder, loaded, waveform, policy, _last_layer(kept))
    return _rows(kept, source, states)


def encode_waveforms_once(
    encoder: AudioEncoder, kept: Sequence[Kept], policy: Policy, sources: Sequence[WaveformSource]
) -> Iterator[tuple[int, Rows | PianobenchError]]:
    """Encode clips of audio that share batches, for several purposes.

    Yields
    ------
    index, outcome
        As of `encode_waveform_sources`.
    """
    return _share_batches(encoder, policy, sources, _last_layer(kept), partial(_rows, kept))


def _last_layer(kept: Sequence[Kept]) -> int | None:
    """Find where an encoder may stop: a pooling needs every layer."""
    last = [None if isinstance(what, Pooling) else max(what) for what in kept]
    return None if None in last else max(layer for layer in last if layer is not None)


def _rows(kept: Sequence[Kept], source: WaveformSource, states: States) -> Rows:
    return tuple(
        _row(what, source, states)
        if isinstance(what, Pooling)
        else _frame_row(what, source, states)
        for what in kept
    )


def _row_of_notes(pooling: Pooling, source: NoteSource, frames: Frames) -> Row:
    return Row(source.key, list(_pooled(pooling, frames)))


def _frame_row_of_notes(layers: Sequence[int], source: NoteSource, frames: Frames) -> FrameRow:
    values = {layer: frames.values[layer] for layer in layers}
    return FrameRow(source.key, values, frames.levels)


def _share_batches(
    encoder: AudioEncoder,
    policy: Policy,
    sources: Sequence[WaveformSource],
    last_layer: int | None,
    make_row: Callable[[WaveformSource, States], R],
) -> Iterator[tuple[int, R | PianobenchError]]:
    readers = [partial(source.waveform, encoder.sample_rate) for source in sources]
    loaded = load_encoder(encoder, policy.device)
    for index, states in encode_waveforms(encoder, loaded, readers, policy, last_layer):
        if isinstance(states, PianobenchError):
            yield index, states
            continue
        try:
            outcome: R | PianobenchError = make_row(sources[index], states)
        except PianobenchError as error:
            outcome = error
        yield index, outcome


def _frame_row(layers: Sequence[int], source: WaveformSource, states: States) -> FrameRow:
    return FrameRow(source.key, {k: states.layers[k] for k in layers}, {})


def _row(pooling: Pooling, source: WaveformSource, states: States) -> Row:
    # Layer by layer: all layers of a long clip at once can be gigabytes.
    layers = [
        _pooled(pooling, Frames(values[None], states.times_s, {}))[0] for values in states.layers
    ]
    return Row(source.key, layers)


# A component holds no state, so what it loaded is kept here, one per process, while a corpus is
# encoded.
_loaded: dict[tuple[type[AudioEncoder], str, str], Loaded] = {}


def load_encoder(encoder: AudioEncoder, device: str) -> Loaded:
    """Load an encoder, or find it as it was loaded before.

    Raises
    ------
    PluginError
        If it cannot be loaded; what it raises deliberately is left as it is.
    """
    key = (type(encoder), encoder.model_dump_json(), device)
    if key not in _loaded:
        forget_loaded()
        try:
            _loaded[key] = encoder.load(device)
        except PianobenchError:
            raise
        except Exception as error:
            raise PluginError(
                f"The encoder {encoder.name!r} cannot be loaded on {device!r}: "
                f"{type(error).__name__}: {error}. `bench check {encoder.name}` tries it alone."
            ) from error
    return _loaded[key]


def forget_loaded() -> None:
    """Let go of the weights."""
    _loaded.clear()


def _frames_of_notes(encoder: ScoreEncoder, clip: Clip) -> Frames:
    who = f"The encoder {encoder.name!r}"
    try:
        frames = encoder.encode(clip)
    except PianobenchError:
        raise
    except Exception as error:
        raise EncodingError(f"{who} failed: {type(error).__name__}: {error}.") from error
    if not isinstance(frames, Frames):
        raise EncodingError(f"{who} returned {type(frames).__name__}; expected Frames.")
    if len(frames.values) != encoder.layers + 1:
        raise EncodingError(
            f"{who} returned {len(frames.values)} states; its layers = {encoder.layers} promises "
            f"{encoder.layers + 1}, counting state 0."
        )
    if not np.isfinite(frames.values).all():
        raise EncodingError(f"{who} returned values that are not finite.")
    return frames


def _pooled(pooling: Pooling, frames: Frames) -> NDArray[np.floating[Any]]:
    pooled = pool(pooling, frames)
    if not np.isfinite(pooled).all():
        raise EncodingError(
            f"The pooling {pooling.name!r} makes values that are not finite of finite frames."
        )
    return pooled
