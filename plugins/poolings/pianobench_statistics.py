"""Statistics over the frames of a clip: mean, standard deviation, maximum and quantiles.

None depends on the order of the frames. Mean, standard deviation and maximum do not depend on how
often a clip is repeated either, so clips of different lengths can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from pianobench import Component, Frames, Pooling, hookimpl

__all__ = ["Max", "Mean", "Quantiles", "Std"]

Floats = NDArray[np.floating[Any]]


class Mean(Pooling):
    """Arithmetic mean over frames, summed in double precision."""

    name = "mean"
    linear = True

    def pool(self, frames: Frames) -> Floats:
        """Pool to shape (layers, width)."""
        mean: Floats = frames.values.mean(axis=1, dtype=np.float64)
        return mean


class Std(Pooling):
    """Standard deviation over frames, of the population: divided by the number of frames."""

    name = "std"

    def pool(self, frames: Frames) -> Floats:
        """Pool to shape (layers, width)."""
        # Deviations from the first frame: a constant feature gives 0, not a rounding error.
        shifted = np.subtract(frames.values, frames.values[:, :1], dtype=np.float64)
        std: Floats = shifted.std(axis=1)
        return std


class Max(Pooling):
    """Maximum over frames."""

    name = "max"

    def pool(self, frames: Frames) -> Floats:
        """Pool to shape (layers, width)."""
        largest: Floats = frames.values.max(axis=1)
        return largest


class Quantiles(Pooling):
    """Quantiles over frames, interpolated linearly between order statistics.

    References
    ----------
    Hyndman, Fan: Sample quantiles in statistical packages. The American Statistician 50(4), 1996,
    definition 7. https://doi.org/10.1080/00031305.1996.10473566
    """

    name = "quantiles"
    probabilities: tuple[float, ...] = (0.1, 0.5, 0.9)
    """Which quantiles, each from 0 (minimum) to 1 (maximum); side by side in this order."""

    @field_validator("probabilities")
    @classmethod
    def _within_zero_and_one(cls, given: tuple[float, ...]) -> tuple[float, ...]:
        if not given or len(set(given)) < len(given) or not all(0 <= p <= 1 for p in given):
            raise ValueError("name at least one, each once and from 0 to 1")
        return given

    def pool(self, frames: Frames) -> Floats:
        """Pool to shape (layers, quantiles * width)."""
        values = frames.values.astype(np.float64)
        quantiles = np.quantile(values, self.probabilities, axis=1)
        return np.concatenate(list(quantiles), axis=1)


@hookimpl
def bench_components() -> Iterable[type[Component]]:
    """Return the poolings of this module."""
    return [Mean, Std, Max, Quantiles]
