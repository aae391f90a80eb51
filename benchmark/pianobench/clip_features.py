"""One clip through an encoder and a pooling: what enters is its source, what leaves is its row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .components import AudioEncoder, Pooling, ScoreEncoder
from .errors import EncodingError, PianobenchError, PluginError
from .forward import encode_waveform
from .policy import Policy
from .pooling import pool
from .sources import NoteSource, WaveformSource
from .store import Row
from .values import Clip, Frames

__all__ = ["Features", "encode_notes", "encode_waveform_source", "forget_loaded", "load_encoder"]

Loaded = Callable[[Any], Iterable[Any]]


class Features(NamedTuple):
    """A row for the store, and the seconds of audio it took (0 for notes)."""

    row: Row
    audio_s: float


def encode_notes(encoder: ScoreEncoder, pooling: Pooling, source: NoteSource) -> Features:
    """Encode and pool a clip of notes.

    Raises
    ------
    EncodingError
        If the encoder or the pooling fails, or returns something other than it promises.
    """
    frames = _frames_of_notes(encoder, source.clip)
    return Features(Row(source.key, list(_pooled(pooling, frames))), 0.0)


def encode_waveform_source(
    encoder: AudioEncoder, pooling: Pooling, policy: Policy, source: WaveformSource
) -> Features:
    """Encode and pool a clip of audio.

    Raises
    ------
    AudioError
        If the waveform cannot be read or used.
    EncodingError
        If the encoder or the pooling fails, or returns something other than it promises.
    """
    waveform = source.waveform(encoder.sample_rate)
    states = encode_waveform(encoder, load_encoder(encoder, policy.device), waveform, policy)
    # Layer by layer: all layers of a long clip at once can be gigabytes.
    layers = [
        _pooled(pooling, Frames(values[None], states.times_s, {}))[0] for values in states.layers
    ]
    return Features(Row(source.key, layers), len(waveform) / encoder.sample_rate)


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
