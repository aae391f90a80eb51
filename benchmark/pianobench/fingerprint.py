"""What a component makes of fixed inputs, hashed: changed weights or code get another store key.

Facts such as a name or a revision are promises; a fingerprint is measured.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batch import Loaded
from .components import AudioEncoder, Pooling, ScoreEncoder
from .errors import EncodingError, PianobenchError, UsageError
from .forward import encode_waveform
from .policy import Policy
from .pooling import pool
from .probes import probe_midi
from .values import Clip, Frames

__all__ = [
    "describe_signals",
    "fingerprint_audio",
    "fingerprint_levels",
    "fingerprint_pooling",
    "fingerprint_score",
]

PROBE_S = 2.0
_COLUMNS = 4


def fingerprint_audio(encoder: AudioEncoder, loaded: Loaded, policy: Policy) -> str:
    """Digest of the weights where the encoder gives it, else of its states on three signals.

    Raises
    ------
    EncodingError
        If the encoder fails on the signals, or returns other states than it promises.
    """
    digest = getattr(loaded, "weights_digest", None)
    if digest is not None:
        return str(digest)
    arrays: list[NDArray[np.floating[Any]]] = []
    for signal in _probe_signals(encoder).values():
        arrays.extend(encode_waveform(encoder, loaded, signal, policy).layers)
    return _digest(arrays)


def describe_signals(
    encoder: AudioEncoder, loaded: Loaded, policy: Policy
) -> dict[str, dict[str, Any]]:
    """Statistics of the last state on three fixed signals, to compare machines by.

    A digest tells apart what rounding alone makes different; these agree within rounding.

    Returns
    -------
    dict of str to dict
        By signal (click, sweep, noise): the number of frames, the standard deviation of all
        values, and the means over time of the first four columns, all to four digits of the
        standard deviation. Means of all columns would be 0 behind a layer norm.

    Raises
    ------
    EncodingError
        If the encoder fails on the signals, or returns other states than it promises.
    """
    return {
        name: _statistics(encode_waveform(encoder, loaded, signal, policy).layers[-1])
        for name, signal in _probe_signals(encoder).items()
    }


def _statistics(state: NDArray[np.float32]) -> dict[str, Any]:
    values = state.astype(np.float64)
    std = float(values.std())
    digits = 3 - math.floor(math.log10(std or float(np.abs(values).max()) or 1.0))
    means = values[:, :_COLUMNS].mean(axis=0)
    return {
        "frames": len(values),
        "std": round(std, digits),
        "means": [round(float(mean), digits) for mean in means],
    }


def fingerprint_score(encoder: ScoreEncoder) -> str:
    """Digest of what an encoder of performances makes of fixed notes.

    An encoder that needs a score as well is known by its revision alone.

    Raises
    ------
    EncodingError
        If the encoder fails on the notes.
    """
    return _of_probe(encoder, lambda frames: _digest([frames.values, frames.times_s]))


def fingerprint_levels(encoder: ScoreEncoder) -> str:
    """Digest of the levels that come with what `fingerprint_score` is taken from.

    It is apart because stored frames hold levels, and the keys of pooled features leave them out.

    Raises
    ------
    EncodingError
        If the encoder fails on the notes.
    """
    return _of_probe(encoder, lambda frames: _digest_levels(frames.levels))


def _of_probe(encoder: ScoreEncoder, digest: Callable[[Frames], str]) -> str:
    if encoder.requires != ("midi",):
        return f"revision {encoder.revision}"
    with probe_midi() as midi:
        try:
            return digest(encoder.encode(Clip("probe", midi=midi)))
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
            f"The pooling {pooling.name!r} is learned, so it makes nothing of frames before it is "
            "trained with a head. Use it in a run, or choose one that is not, such as mean."
        ) from error
    return _digest([pooled])


def _probe_signals(encoder: AudioEncoder) -> dict[str, NDArray[np.float32]]:
    rate = encoder.sample_rate
    samples = max(encoder.minimum_samples, round(PROBE_S * rate))
    click = np.zeros(samples, dtype=np.float32)
    click[samples // 2] = 0.5
    time_s = np.arange(samples) / rate
    sweep = np.sin(2 * np.pi * (50 * time_s + 0.2 * rate * time_s**2 / time_s[-1] / 2))
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, samples)
    return {
        "click": click,
        "sweep": (0.3 * sweep).astype(np.float32),
        "noise": noise.astype(np.float32),
    }


def _digest(arrays: Sequence[NDArray[np.floating[Any]]]) -> str:
    sha256 = hashlib.sha256()
    for array in arrays:
        sha256.update(f"{array.shape}".encode())
        sha256.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return sha256.hexdigest()


def _digest_levels(levels: Mapping[str, NDArray[np.int64]]) -> str:
    sha256 = hashlib.sha256()
    for name in sorted(levels):
        sha256.update(f"{name} {levels[name].shape}".encode())
        sha256.update(np.ascontiguousarray(levels[name], dtype="<i8").tobytes())
    return sha256.hexdigest()
