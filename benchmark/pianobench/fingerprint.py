"""What a component makes of fixed inputs, hashed: changed weights or code get another store key.

Facts such as a name or a revision are promises; a fingerprint is measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .components import AudioEncoder, Pooling, ScoreEncoder
from .errors import EncodingError, PianobenchError, UsageError
from .forward import encode_waveform
from .policy import Policy
from .pooling import pool
from .probes import probe_midi
from .values import Clip, Frames

__all__ = ["fingerprint_audio", "fingerprint_pooling", "fingerprint_score"]

PROBE_S = 2.0


def fingerprint_audio(
    encoder: AudioEncoder, loaded: Callable[[Any], Iterable[Any]], policy: Policy
) -> str:
    """Digest of the weights where the encoder gives it, else of its states on three signals.

    Raises
    ------
    EncodingError
        If the encoder fails on the signals, or returns other states than it promises.
    """
    digest = getattr(loaded, "weights_digest", None)
    if digest is not None:
        return str(digest)
    samples = max(encoder.minimum_samples, round(PROBE_S * encoder.sample_rate))
    arrays: list[NDArray[np.floating[Any]]] = []
    for signal in _probe_signals(samples, encoder.sample_rate):
        arrays.extend(encode_waveform(encoder, loaded, signal, policy).layers)
    return _digest(arrays)


def fingerprint_score(encoder: ScoreEncoder) -> str:
    """Digest of what an encoder of performances makes of fixed notes.

    An encoder that needs a score as well is known by its revision alone.

    Raises
    ------
    EncodingError
        If the encoder fails on the notes.
    """
    if encoder.requires != ("midi",):
        return f"revision {encoder.revision}"
    with probe_midi() as midi:
        try:
            frames = encoder.encode(Clip("probe", midi=midi))
            return _digest([frames.values, frames.times_s])
        except PianobenchError:
            raise
        except Exception as error:
            raise EncodingError(
                f"The encoder {encoder.name!r} failed on the notes that its fingerprint is taken "
                f"from: {type(error).__name__}: {error}."
            ) from error


def fingerprint_pooling(pooling: Pooling) -> str:
    """Digest of what a pooling makes of fixed frames.

    Raises
    ------
    UsageError
        If the pooling is learned, so that it cannot be applied ahead of training.
    EncodingError
        If it returns another shape than it promises.
    """
    values = np.random.default_rng(0).normal(size=(2, 12, 3)).astype(np.float32)
    index = np.arange(12, dtype=np.int64)
    levels = {"beat": index // 2, "measure": index // 4, "voice": index % 2}
    try:
        pooled = pool(pooling, Frames(values, index / 10, levels))
    except NotImplementedError as error:
        raise UsageError(
            f"The pooling {pooling.name!r} is learned; features that are stored ahead of training "
            "need one that is not, such as mean."
        ) from error
    return _digest([pooled])


def _probe_signals(samples: int, sample_rate: int) -> Iterator[NDArray[np.float32]]:
    click = np.zeros(samples, dtype=np.float32)
    click[samples // 2] = 0.5
    yield click
    time_s = np.arange(samples) / sample_rate
    sweep = np.sin(2 * np.pi * (50 * time_s + 0.2 * sample_rate * time_s**2 / time_s[-1] / 2))
    yield (0.3 * sweep).astype(np.float32)
    yield np.random.default_rng(0).uniform(-0.1, 0.1, samples).astype(np.float32)


def _digest(arrays: Sequence[NDArray[np.floating[Any]]]) -> str:
    sha256 = hashlib.sha256()
    for array in arrays:
        sha256.update(f"{array.shape}".encode())
        sha256.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return sha256.hexdigest()
