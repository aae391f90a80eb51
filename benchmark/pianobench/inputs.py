"""What a network is trained on and predicts from.

One vector a clip, or anything else that can be selected clip by clip, measured, and cut into
batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .components import NetworkHead
from .descent import Batch, Batches
from .standardisation import Standardisation

if TYPE_CHECKING:
    import torch

__all__ = ["Inputs", "Vectors", "inputs_of"]


@runtime_checkable
class Inputs(Protocol):
    """What a network is trained on and predicts from, clip by clip."""

    def __len__(self) -> int:
        """Count the clips."""
        ...

    def __getitem__(self, chosen: NDArray[Any]) -> Self:
        """Select clips, by indices or by a mask."""
        ...

    def standardisation(self) -> Standardisation:
        """Measure the columns."""
        ...

    def network(self, head: NetworkHead, dimensions: int) -> Any:
        """Make what is trained: a module that is called with the inputs of a batch."""
        ...

    def batches(self, standardisation: Standardisation) -> Batches:
        """Cut the clips, standardised, into batches."""
        ...

    def learned(self, module: Any) -> Mapping[str, Any]:
        """Say what a user should know of a trained module, as JSON holds it."""
        ...

    def form(self) -> Mapping[str, Any]:
        """Say what a network of these inputs takes and learns, as JSON holds it."""
        ...


def inputs_of(x: NDArray[np.float64] | Inputs) -> Inputs:
    """Take inputs as they are, and an array of shape (clips, features) as one vector a clip."""
    return Vectors(x) if isinstance(x, np.ndarray) else x


@dataclass(frozen=True)
class Vectors:
    """One vector per clip.

    Attributes
    ----------
    x : array, shape (clips, features)
    """

    x: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, chosen: NDArray[Any]) -> Self:
        """Select clips, by indices or by a mask."""
        return replace(self, x=self.x[chosen])

    def standardisation(self) -> Standardisation:
        """Measure the columns."""
        return Standardisation.of(self.x)

    def network(self, head: NetworkHead, dimensions: int) -> Any:
        """Make the head's network."""
        return head.network(self.x.shape[1], dimensions)

    def batches(self, standardisation: Standardisation) -> Batches:
        """Cut the clips, standardised, into batches."""
        return _VectorBatches(standardisation.apply(self.x))

    def learned(self, module: Any) -> Mapping[str, Any]:  # noqa: ARG002 - for those with a say
        """Say nothing."""
        return {}

    def form(self) -> Mapping[str, Any]:
        """Say how many features there are."""
        return {"features": self.x.shape[1]}


@dataclass(frozen=True)
class _VectorBatches:
    x: torch.Tensor

    def __len__(self) -> int:
        return len(self.x)

    def shuffled(self, size: int, order: torch.Generator) -> Iterator[Batch]:
        import torch

        shuffled = torch.randperm(len(self.x), generator=order)
        for start in range(0, len(shuffled), size):
            yield self.of(shuffled[start : start + size])

    def in_order(self) -> Iterator[Batch]:
        import torch

        yield Batch(torch.arange(len(self.x)), (self.x,))

    def of(self, clips: torch.Tensor) -> Batch:
        return Batch(clips, (self.x[clips],))
