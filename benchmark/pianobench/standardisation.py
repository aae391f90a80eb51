"""Columns brought to mean 0 and deviation 1, as measured on the clips that are trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

__all__ = ["Standardisation"]

_AT_ONCE = 16


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of every column; one that is constant in training becomes 0.

    Attributes
    ----------
    mean, std : array, shape (columns,)
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Standardisation:
        """Measure it on clips, shape (clips, columns)."""
        # The standard deviation of equal numbers need not be exactly 0.
        varies = values.max(axis=0) > values.min(axis=0)
        return cls(values.mean(axis=0), np.where(varies, values.std(axis=0), 0.0))

    @classmethod
    def none(cls, columns: int) -> Standardisation:
        """Leave every column as it is."""
        return cls(np.zeros(columns), np.ones(columns))

    def apply(self, values: NDArray[np.float64]) -> torch.Tensor:
        """Standardise clips, to float32."""
        import torch

        constant = self.std == 0
        divisor = np.where(constant, 1.0, self.std)
        scaled = np.empty(values.shape, dtype=np.float32)
        # Some clips at a time: in double precision, all of them would be copied three times over.
        for start in range(0, len(values), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            scaled[part] = (values[part] - self.mean) / divisor
        scaled[:, constant] = 0
        return torch.from_numpy(scaled)

    def undo(self, scaled: torch.Tensor) -> NDArray[np.float64]:
        """Bring what a network returned back to the scale of the columns."""
        values: NDArray[np.float64] = scaled.double().numpy() * self.std + self.mean
        return values
