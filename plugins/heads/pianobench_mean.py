"""The floor: what a head that hears nothing scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pianobench import Component, Head, hookimpl


@dataclass(frozen=True)
class ConstantPredictor:
    """Predicts the same for every clip."""

    mean: NDArray[np.float64]
    selected: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict (clips, features) -> (clips, dimensions)."""
        return np.tile(self.mean, (len(x), 1))


class Mean(Head):
    """The weighted mean of the training labels, whatever the features."""

    name: ClassVar[str] = "mean"
    licence: ClassVar[str] = "MIT"
    predictor: ClassVar[type[ConstantPredictor]] = ConstantPredictor

    def fit(
        self,
        x: NDArray[np.float64],  # noqa: ARG002 - the contract of a head
        y: NDArray[np.float64],
        groups: NDArray[np.str_],  # noqa: ARG002 - as above
        seed: int,  # noqa: ARG002 - as above
        sample_weight: NDArray[np.float64] | None = None,
    ) -> ConstantPredictor:
        """Average the labels, shape (clips, dimensions), over the clips."""
        return ConstantPredictor(np.average(y, axis=0, weights=sample_weight))


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the head."""
    return [Mean]
