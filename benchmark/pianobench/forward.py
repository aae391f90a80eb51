"""A waveform through an audio encoder: chunks, batches of equal length, device, checks.

What enters is one clip's waveform, what leaves is every hidden state over the whole clip, in
float32. Only chunks of equal length share a batch: padding changes what an encoder makes of the
samples that are there. On a CPU torch runs in one thread, so that the result does not depend on
how many there are; on an accelerator convolutions keep full precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .audio import chunk_bounds
from .components import AudioEncoder
from .errors import AudioError, EncodingError, PianobenchError
from .policy import Policy

__all__ = ["States", "encode_waveform"]

BATCH = 8
"""Chunks passed at once to an accelerator; halved as long as its memory does not hold them."""

Floats = NDArray[np.float32]
Loaded = Callable[[Any], Iterable[Any]]


class States(NamedTuple):
    """What an encoder made of one clip.

    Attributes
    ----------
    layers : list of float32 array, shape (frames, width)
        States 0 to the encoder's last, or to the last asked for.
    times_s : float array, shape (frames,)
        Centre of each frame.
    """

    layers: list[Floats]
    times_s: NDArray[np.float64]


def encode_waveform(
    encoder: AudioEncoder,
    loaded: Loaded,
    waveform: Floats,
    policy: Policy,
    last_layer: int | None = None,
) -> States:
    """Encode one clip.

    Parameters
    ----------
    encoder : AudioEncoder
    loaded : callable
        What its `load` returned for the policy's device.
    waveform : float32 array, shape (samples,)
        At the encoder's rate.
    policy : Policy
    last_layer : int, optional
        The encoder is stopped after it, if it gives its states one by one; all when not given.

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
    bounds = chunk_bounds(
        len(waveform), policy.chunk_samples, encoder.minimum_samples, policy.overlap_samples
    )
    wanted = encoder.layers + 1 if last_layer is None else last_layer + 1
    if encoder.backend == "torch":
        call = _torch_call(encoder, loaded, wanted, policy)
    else:
        call = _numpy_call(encoder, loaded, wanted)
    states: list[list[Floats]] = []
    for _, equal in groupby(bounds, key=lambda bound: bound[1] - bound[0]):
        chunks = np.stack([waveform[start:end] for start, end in equal])
        states.extend(_encode_chunks(encoder, call, chunks))
    rate_hz: float | None = getattr(loaded, "frame_rate_hz", None)
    times, kept = [], []
    for (start, end), of_chunk in zip(bounds, states, strict=True):
        frames = len(of_chunk[0])
        period_s = 1 / rate_hz if rate_hz else (end - start) / encoder.sample_rate / frames
        times_s = start / encoder.sample_rate + (np.arange(frames) + 0.5) * period_s
        inside = slice(None)
        if policy.overlap_samples:
            margin_s = policy.overlap_samples / encoder.sample_rate / 2
            first_s = start / encoder.sample_rate + margin_s if start else -np.inf
            last_s = end / encoder.sample_rate - margin_s if end < len(waveform) else np.inf
            # Rounding must not decide on a frame whose centre is where two pieces meet.
            first_s, last_s = first_s - 1e-6, last_s - 1e-6
            inside = (times_s >= first_s) & (times_s < last_s)
        times.append(times_s[inside])
        kept.append([state[inside] for state in of_chunk])
    joined = [np.concatenate(of_layer) for of_layer in zip(*kept, strict=True)]
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
        except PianobenchError:
            raise
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


def _numpy_call(
    encoder: AudioEncoder, loaded: Loaded, wanted: int
) -> Callable[[Floats], list[Floats]]:
    def call(batch: Floats) -> list[Floats]:
        states = _take(encoder, loaded(batch), wanted)
        return [np.asarray(state, dtype=np.float32) for state in states]

    return call


def _torch_call(
    encoder: AudioEncoder, loaded: Loaded, wanted: int, policy: Policy
) -> Callable[[Floats], list[Floats]]:
    import torch

    def call(batch: Floats) -> list[Floats]:
        with torch.inference_mode(), _arithmetic(policy):
            states = _take(encoder, loaded(torch.from_numpy(batch).to(policy.device)), wanted)
            return [torch.as_tensor(state).float().cpu().numpy() for state in states]

    return call


def _take(encoder: AudioEncoder, states: Iterable[Any], wanted: int) -> list[Any]:
    """Take the first states, and no more of an encoder that gives them one by one."""
    promised = encoder.layers + 1
    one_by_one = isinstance(states, Iterator)
    taken = list(islice(states, wanted if wanted < promised else None) if one_by_one else states)
    if len(taken) != (wanted if one_by_one else promised):
        raise EncodingError(
            f"The encoder {encoder.name!r} returned {len(taken)} states; its layers = "
            f"{encoder.layers} promises {promised}, counting state 0."
        )
    return taken[:wanted]


@contextmanager
def _arithmetic(policy: Policy) -> Iterator[None]:
    """One thread, so that sums do not depend on their number, and the policy's precision."""
    import torch

    threads = torch.get_num_threads()
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    torch.set_num_threads(1)
    convolutions.allow_tf32 = products.allow_tf32 = policy.precision == "tf32"
    try:
        with torch.autocast(
            torch.device(policy.device).type,
            dtype=torch.bfloat16,
            enabled=policy.precision == "bfloat16",
        ):
            yield
    finally:
        torch.set_num_threads(threads)
        convolutions.allow_tf32, products.allow_tf32 = before
