"""A waveform through an audio encoder: chunks, batches of equal length, device, checks.

What enters is one clip's waveform, what leaves is every hidden state over the whole clip, in
float32. Only chunks of equal length share a batch: padding changes what an encoder makes of the
samples that are there. On a CPU torch runs in one thread, so that the result does not depend on
how many there are; on an accelerator convolutions keep full precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .audio import chunk
from .components import AudioEncoder
from .errors import AudioError, EncodingError

__all__ = ["PRECISION", "States", "encode_waveform"]

PRECISION = "float32"
"""Of weights, inputs and activations."""
BATCH = 8
"""Chunks passed at once; halved as long as the device's memory does not hold them."""

Floats = NDArray[np.float32]


class States(NamedTuple):
    """What an encoder made of one clip.

    Attributes
    ----------
    layers : list of float32 array, shape (frames, width)
        States 0 to the encoder's last.
    times_s : float array, shape (frames,)
        Centre of each frame.
    """

    layers: list[Floats]
    times_s: NDArray[np.float64]


def encode_waveform(
    encoder: AudioEncoder, loaded: Callable[[Any], Sequence[Any]], waveform: Floats, device: str
) -> States:
    """Encode one clip.

    Parameters
    ----------
    encoder : AudioEncoder
    loaded : callable
        What its `load` returned for the device.
    waveform : float32 array, shape (samples,)
        At the encoder's rate.
    device : str
        Such as ``cpu`` or ``cuda``.

    Raises
    ------
    AudioError
        If a sample is not finite, or the clip is shorter than the encoder takes.
    EncodingError
        If the encoder fails, or returns other states than it promises.
    """
    if not np.isfinite(waveform).all():
        at_s = int(np.argmin(np.isfinite(waveform))) / encoder.sample_rate
        raise AudioError(
            f"The waveform holds a sample that is not a number, at {at_s:.3f} s. Render or export "
            "it again."
        )
    length = None if encoder.chunk_s is None else round(encoder.chunk_s * encoder.sample_rate)
    chunks = chunk(waveform, length, encoder.minimum_samples)
    call = _torch_call(loaded, device) if encoder.backend == "torch" else _numpy_call(loaded)
    states: list[list[Floats]] = []
    for _, equal in groupby(chunks, key=len):
        states.extend(_encode_chunks(encoder, call, np.stack(list(equal))))
    rate_hz: float | None = getattr(loaded, "frame_rate_hz", None)
    times, start = [], 0
    for piece, of_piece in zip(chunks, states, strict=True):
        frames = len(of_piece[0])
        period_s = 1 / rate_hz if rate_hz else len(piece) / encoder.sample_rate / frames
        times.append(start / encoder.sample_rate + (np.arange(frames) + 0.5) * period_s)
        start += len(piece)
    joined = [np.concatenate(of_layer) for of_layer in zip(*states, strict=True)]
    return States(joined, np.concatenate(times))


def _encode_chunks(
    encoder: AudioEncoder, call: Callable[[Floats], list[Floats]], chunks: Floats
) -> list[list[Floats]]:
    """Encode chunks of equal length, shape (chunks, samples): for each chunk, its states."""
    states: list[list[Floats]] = []
    size = BATCH
    while len(states) < len(chunks):
        batch = chunks[len(states) : len(states) + size]
        try:
            returned = call(batch)
        except Exception as error:
            if type(error).__name__ == "OutOfMemoryError" and len(batch) > 1:
                size = len(batch) // 2
                continue
            raise EncodingError(
                f"The encoder {encoder.name!r} failed on {batch.shape[1]} samples at "
                f"{encoder.sample_rate} Hz: {type(error).__name__}: {error}."
            ) from error
        _check(encoder, returned, len(batch))
        states.extend([state[i] for state in returned] for i in range(len(batch)))
    return states


def _check(encoder: AudioEncoder, states: list[Floats], batch: int) -> None:
    who = f"The encoder {encoder.name!r}"
    if len(states) != encoder.layers + 1:
        raise EncodingError(
            f"{who} returned {len(states)} states; its layers = {encoder.layers} promises "
            f"{encoder.layers + 1}, counting state 0."
        )
    shapes = sorted({state.shape for state in states})
    if len(shapes) > 1 or len(shapes[0]) != 3 or shapes[0][0] != batch or 0 in shapes[0]:
        raise EncodingError(
            f"{who} returned states of shape {', '.join(map(str, shapes))} for {batch} waveforms; "
            f"expected one shape ({batch}, frames, width) for all."
        )
    broken = [layer for layer, state in enumerate(states) if not np.isfinite(state).all()]
    if broken:
        raise EncodingError(
            f"{who} returned values that are not finite in layer {broken[0]}, for finite samples."
        )


def _numpy_call(loaded: Callable[[Any], Sequence[Any]]) -> Callable[[Floats], list[Floats]]:
    def call(batch: Floats) -> list[Floats]:
        return [np.asarray(state, dtype=np.float32) for state in loaded(batch)]

    return call


def _torch_call(
    loaded: Callable[[Any], Sequence[Any]], device: str
) -> Callable[[Floats], list[Floats]]:
    import torch

    def call(batch: Floats) -> list[Floats]:
        with torch.inference_mode(), _repeatable():
            states = loaded(torch.from_numpy(batch).to(device))
            return [torch.as_tensor(state).float().cpu().numpy() for state in states]

    return call


@contextmanager
def _repeatable() -> Iterator[None]:
    import torch

    threads, reduced = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.allow_tf32 = reduced
