"""The study's head: a perceptron with one hidden layer and an unconstrained output."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveInt

from pianobench import Component, NetworkHead, hookimpl


class Mlp(NetworkHead):
    """Linear - dropout - ReLU - linear, trained by gradient; dropout comes before the ReLU."""

    name: ClassVar[str] = "mlp"
    licence: ClassVar[str] = "MIT"
    hidden: PositiveInt = 512
    """Units of the hidden layer."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Share of hidden units left out at each training step."""

    def network(self, width: int, dimensions: int) -> Any:
        """Return the module (batch, width) -> (batch, dimensions), not yet trained."""
        from torch import nn

        return nn.Sequential(
            nn.Linear(width, self.hidden),
            nn.Dropout(self.dropout),
            nn.ReLU(),
            nn.Linear(self.hidden, dimensions),
        )


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the head."""
    return [Mlp]
