"""What fitting a head returns: it predicts clips that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["PairPredictor", "Predictor"]


@runtime_checkable
class Predictor(Protocol):
    """A fitted head."""

    @property
    def selected(self) -> Mapping[str, Any]:
        """What was chosen inside the training part (penalty, epochs, ...), as JSON holds it."""
        ...

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict (clips, features) -> (clips, dimensions)."""
        ...


@runtime_checkable
class PairPredictor(Protocol):
    """A head fitted to `Pairs`."""

    @property
    def selected(self) -> Mapping[str, Any]:
        """As of a `Predictor`."""
        ...

    def predict_pairs(self, across: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Predict by (new clips, training clips), by measure -> (new clips, dimensions)."""
        ...
