"""Waveforms through an audio encoder: cut into chunks, batched by equal length, joined again.

What enters is clips, what leaves is every hidden state over each whole clip, in float32. Only
chunks of equal length share a batch: padding changes what an encoder makes of the samples that are
there. On an accelerator chunks of several clips share batches; on a CPU a batch costs more time
than its chunks one by one, and more memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .audio import chunk_bounds
from .batch import DeviceMemoryError, Encode, Loaded, open_encoder
from .components import AudioEncoder
from .errors import AudioError, PianobenchError
from .policy import Policy

__all__ = ["States", "encode_waveform", "encode_waveforms"]

BATCH = 8
"""Chunks passed at once to an accelerator; halved as long as its memory does not hold them."""
# So much audio may wait for chunks of its length, and so bounds the states that are held.
_HELD_S = 120.0

Floats = NDArray[np.float32]


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
    ((_, states),) = encode_waveforms(encoder, loaded, [lambda: waveform], policy, last_layer)
    if isinstance(states, PianobenchError):
        raise states
    return states


def encode_waveforms(
    encoder: AudioEncoder,
    loaded: Loaded,
    readers: Iterable[Callable[[], Floats]],
    policy: Policy,
    last_layer: int | None = None,
) -> Iterator[tuple[int, States | PianobenchError]]:
    """Encode clips as they are read.

    Parameters
    ----------
    encoder, loaded, policy, last_layer
        See `encode_waveform`.
    readers : iterable of callable
        One a clip; each returns its waveform, shape (samples,), when its turn comes.

    Yields
    ------
    index, states
        In order of completion. A clip that cannot be read or encoded has its error in place of
        its states, and costs the others nothing.
    """
    encode = open_encoder(encoder, loaded, policy, last_layer)
    batches = _Batches(encode, 1 if policy.device == "cpu" else BATCH)
    started: list[_Clip] = []

    def finished() -> Iterator[tuple[int, States | PianobenchError]]:
        for clip in [clip for clip in started if clip.done]:
            started.remove(clip)
            yield clip.index, clip.error or _join(encoder, loaded, clip, policy)

    for index, read in enumerate(readers):
        try:
            clip = _cut(encoder, index, read(), policy)
        except PianobenchError as error:
            yield index, error
            continue
        started.append(clip)
        for number in range(len(clip.bounds)):
            batches.add(clip, number)
        yield from finished()
        while sum(len(clip.waveform) for clip in started) > _HELD_S * encoder.sample_rate:
            batches.encode_first()
            yield from finished()
    while batches.encode_first():
        pass
    yield from finished()


@dataclass(eq=False)
class _Clip:
    """A clip whose chunks are being encoded."""

    index: int
    waveform: Floats
    bounds: list[tuple[int, int]]
    states: dict[int, list[Floats]] = field(default_factory=dict)
    error: PianobenchError | None = None

    @property
    def done(self) -> bool:
        return self.error is not None or len(self.states) == len(self.bounds)

    def chunk(self, number: int) -> Floats:
        start, end = self.bounds[number]
        return self.waveform[start:end]


class _Batches:
    """Chunks that wait until there are enough of their length."""

    def __init__(self, encode: Encode, size: int) -> None:
        self._encode = encode
        self._size = size
        self._waiting: dict[int, list[tuple[_Clip, int]]] = {}

    def add(self, clip: _Clip, number: int) -> None:
        samples = len(clip.chunk(number))
        queue = self._waiting.setdefault(samples, [])
        queue.append((clip, number))
        if len(queue) >= self._size:
            self._encode_all(self._waiting.pop(samples))

    def encode_first(self) -> bool:
        """Encode the chunks that have waited longest; False if there are none."""
        if not self._waiting:
            return False
        self._encode_all(self._waiting.pop(next(iter(self._waiting))))
        return True

    def _encode_all(self, chunks: list[tuple[_Clip, int]]) -> None:
        while chunks := [(clip, number) for clip, number in chunks if clip.error is None]:
            batch = chunks[: self._size]
            if self._encode_batch(batch):
                chunks = chunks[len(batch) :]
            elif len(batch) > 1:
                # From here on: what was too much once will be again.
                self._size = len(batch) // 2

    def _encode_batch(self, batch: list[tuple[_Clip, int]]) -> bool:
        """Keep the states of a batch, or the error of a clip alone; False if it is too large."""
        try:
            states = self._encode(np.stack([clip.chunk(number) for clip, number in batch]))
        except PianobenchError as error:
            if len(batch) == 1:
                batch[0][0].error = error
            elif isinstance(error, DeviceMemoryError):
                return False
            else:
                # One by one, to tell which clip it is.
                for one in batch:
                    self._encode_batch([one])
            return True
        for row, (clip, number) in enumerate(batch):
            clip.states[number] = [state[row] for state in states]
        return True


def _cut(encoder: AudioEncoder, index: int, waveform: Floats, policy: Policy) -> _Clip:
    if not np.isfinite(waveform).all():
        at_s = int(np.argmin(np.isfinite(waveform))) / encoder.sample_rate
        raise AudioError(
            f"The waveform holds a sample that is not a number, at {at_s:.3f} s. Render or export "
            "it again."
        )
    bounds = chunk_bounds(
        len(waveform), policy.chunk_samples, encoder.minimum_samples, policy.overlap_samples
    )
    return _Clip(index, waveform, bounds)


def _join(encoder: AudioEncoder, loaded: Loaded, clip: _Clip, policy: Policy) -> States:
    """Put the chunks of a clip together; where they overlap, each gives what lies nearer to it."""
    parts = [clip.states.pop(number) for number in range(len(clip.bounds))]
    rate_hz: float | None = getattr(loaded, "frame_rate_hz", None)
    rate = encoder.sample_rate
    times, inside = [], []
    for (start, end), states in zip(clip.bounds, parts, strict=True):
        frames = len(states[0])
        period_s = 1 / rate_hz if rate_hz else (end - start) / rate / frames
        times_s = start / rate + (np.arange(frames) + 0.5) * period_s
        kept = slice(None)
        if policy.overlap_samples:
            margin_s = policy.overlap_samples / rate / 2
            first_s = start / rate + margin_s if start else -np.inf
            end_s = end / rate - margin_s if end < len(clip.waveform) else np.inf
            # Rounding must not decide on a frame whose centre is where two chunks meet.
            kept = slice(*np.searchsorted(times_s, [first_s - 1e-6, end_s - 1e-6]))
        times.append(times_s[kept])
        inside.append(kept)
    # Taken from the chunks as they are joined: a long clip is never held twice.
    layers = [
        np.concatenate([part.pop(0)[kept] for part, kept in zip(parts, inside, strict=True)])
        for _ in range(len(parts[0]))
    ]
    return States(layers, np.concatenate(times))
