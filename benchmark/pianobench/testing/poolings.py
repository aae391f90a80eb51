"""What a pooling that is not learned promises, tried on random frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..components import Pooling
from ..values import Frames
from .checks import NotRunError, require, require_equal


def _frames(count: int, layers: int = 3, width: int = 6) -> Frames:
    values = np.random.default_rng(count).normal(size=(layers, count, width)).astype(np.float32)
    index = np.arange(count, dtype=np.int64)
    levels = {"beat": index // 4, "measure": index // 16, "voice": index % 2}
    return Frames(values, index / 25.0, levels)


def _pool(pooling: Pooling, frames: Frames) -> NDArray[np.float64]:
    return np.asarray(pooling.pool(frames), dtype=np.float64)


def pools_every_layer(pooling: Pooling) -> None:
    """Shape (layers, width), finite, of floats."""
    pooled = np.asarray(pooling.pool(_frames(50)))
    require(pooled.ndim == 2 and len(pooled) == 3, f"3 layers become shape {pooled.shape}.")
    require(np.issubdtype(pooled.dtype, np.floating), f"It returns {pooled.dtype}, not floats.")
    require(bool(np.isfinite(pooled).all()), "Some values are not finite.")


def gives_one_width_for_any_length(pooling: Pooling) -> None:
    """Down to a single frame."""
    expected = _pool(pooling, _frames(50)).shape
    for count in (1, 2, 7):
        pooled = _pool(pooling, _frames(count))
        require(
            pooled.shape == expected and bool(np.isfinite(pooled).all()),
            f"{count} frames become shape {pooled.shape} with "
            f"{int((~np.isfinite(pooled)).sum())} non-finite values; 50 become {expected}.",
        )


def pools_each_layer_on_its_own(pooling: Pooling) -> None:
    """All layers are pooled once and sliced afterwards."""
    frames = _frames(50)
    second = Frames(frames.values[1:2], frames.times_s, frames.levels)
    together = _pool(pooling, frames)[1:2]
    require_equal("A layer pooled with others and alone", together, _pool(pooling, second), 1e-6)


def gives_the_same_every_time(pooling: Pooling) -> None:
    """Bit for bit."""
    frames = _frames(50)
    require_equal("Frames pooled twice", _pool(pooling, frames), _pool(pooling, frames))


def leaves_the_frames_alone(pooling: Pooling) -> None:
    """They are used again for other poolings."""
    frames, copy = _frames(50), _frames(50)
    pooling.pool(frames)
    require(bool(np.array_equal(frames.values, copy.values)), "It changes the values it is given.")


def commutes_with_weighting_layers(pooling: Pooling) -> None:
    """Where it says that it is linear."""
    if not pooling.linear:
        raise NotRunError("It does not say that it is linear.")
    frames, weights = _frames(50), np.array([0.2, 0.5, 0.3], dtype=np.float32)
    mixed = np.tensordot(weights, frames.values, axes=1)[None]
    of_mixture = _pool(pooling, Frames(mixed, frames.times_s, frames.levels))[0]
    mixture = weights @ _pool(pooling, frames)
    require_equal("A mixture of layers pooled, and pooled layers mixed", of_mixture, mixture, 1e-5)


PROMISES = (
    pools_every_layer,
    gives_one_width_for_any_length,
    pools_each_layer_on_its_own,
    gives_the_same_every_time,
    leaves_the_frames_alone,
    commutes_with_weighting_layers,
)
