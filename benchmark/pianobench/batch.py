"""One batch of waveforms of equal length through an audio encoder: device, precision, checks.

On a CPU torch runs in one thread, so that the result does not depend on how many there are; on an
accelerator matrix products and convolutions keep the precision that was chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .components import AudioEncoder
from .errors import EncodingError, PianobenchError
from .policy import Policy

__all__ = ["DeviceMemoryError", "Encode", "Loaded", "open_encoder"]

Floats = NDArray[np.float32]
Loaded = Callable[[Any], Iterable[Any]]
"""What an encoder's `load` returns."""
Encode = Callable[[Floats], list[Floats]]
"""Waveforms (batch, samples) to states, each (batch, frames, width)."""


class DeviceMemoryError(EncodingError):
    """A batch that the device's memory does not hold."""


def open_encoder(
    encoder: AudioEncoder, loaded: Loaded, policy: Policy, last_layer: int | None = None
) -> Encode:
    """Make a function of numpy arrays of what an encoder loaded.

    Parameters
    ----------
    encoder : AudioEncoder
    loaded : callable
        What its `load` returned for the policy's device.
    policy : Policy
    last_layer : int, optional
        The encoder is stopped after it, if it gives its states one by one; all when not given.

    Returns
    -------
    callable
        It raises `DeviceMemoryError` where a batch does not fit, and `EncodingError` where the
        encoder fails or returns other states than it promises.
    """
    promised = encoder.layers + 1
    wanted = promised if last_layer is None else last_layer + 1
    run = _with_torch(loaded, policy) if encoder.backend == "torch" else _with_numpy(loaded)

    def encode(batch: Floats) -> list[Floats]:
        try:
            states = run(batch, lambda states: _take(encoder, states, promised, wanted))
        except PianobenchError:
            raise
        except Exception as error:
            failed = (
                f"The encoder {encoder.name!r} failed on {batch.shape[1]} samples at "
                f"{encoder.sample_rate} Hz: {type(error).__name__}: {error}."
            )
            if _out_of_memory(error):
                raise DeviceMemoryError(
                    f"{failed} {policy.device!r} does not hold what it needs: pass less at once "
                    "with --chunk, or choose another --device."
                ) from error
            raise EncodingError(failed) from error
        _check(encoder, states, len(batch))
        return states

    return encode


Take = Callable[[Iterable[Any]], list[Any]]


def _with_numpy(loaded: Loaded) -> Callable[[Floats, Take], list[Floats]]:
    def run(batch: Floats, take: Take) -> list[Floats]:
        return [np.asarray(state, dtype=np.float32) for state in take(loaded(batch))]

    return run


def _with_torch(loaded: Loaded, policy: Policy) -> Callable[[Floats, Take], list[Floats]]:
    import torch

    def run(batch: Floats, take: Take) -> list[Floats]:
        with torch.inference_mode(), _arithmetic(policy):
            states = take(loaded(torch.from_numpy(batch).to(policy.device)))
            return [torch.as_tensor(state).float().cpu().numpy() for state in states]

    return run


def _take(encoder: AudioEncoder, states: Iterable[Any], promised: int, wanted: int) -> list[Any]:
    """Take the first states, and no more of an encoder that gives them one by one."""
    one_by_one = isinstance(states, Iterator)
    expected = wanted if one_by_one else promised
    taken = list(islice(states, wanted if wanted < promised else None) if one_by_one else states)
    if len(taken) != expected:
        raise EncodingError(
            f"The encoder {encoder.name!r} returned {len(taken)} states; its layers = "
            f"{encoder.layers} promises {promised}, counting state 0."
        )
    return taken[:wanted]


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


def _out_of_memory(error: Exception) -> bool:
    # The class is torch's, under one name or another; some back ends say it in words alone.
    return type(error).__name__ == "OutOfMemoryError" or "out of memory" in str(error).lower()


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
