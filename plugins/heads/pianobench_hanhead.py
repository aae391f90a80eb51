"""The head of the hierarchical attention network: two layers and an output within [0, 1]."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from pianobench import Component, NetworkHead, hookimpl


class HanHead(NetworkHead):
    """Dropout - linear - GELU - linear, as published for the symbolic baseline of PercePiano.

    Its defaults train the small network. The published schedule is ``learning_rate=2.5e-5``,
    ``decay=0.98``, ``batch_size=8``, ``epochs=100``, ``bounded=true`` and
    ``standardise_labels=false``, with ``pooling.size=published``.
    """

    name: ClassVar[str] = "han"
    licence: ClassVar[str] = "MIT"
    citation: ClassVar[str] = (
        "J. Park, J. Kim, J. M. Park, A. Choi, W.-S. Li, J. Park, S.-w. Hwang: Piano performance "
        "evaluation dataset with multilevel perceptual features. Scientific Reports 14, 23002 "
        "(2024), https://doi.org/10.1038/s41598-024-73810-0"
    )
    learning_rate: PositiveFloat = 1e-3
    """Step size of Adam."""
    weight_decay: NonNegativeFloat = 1e-5
    """L2 penalty, added to the gradient."""
    batch_size: PositiveInt = 32
    """Clips per step."""
    epochs: PositiveInt = 40
    """Most passes over the training part."""
    patience: PositiveInt = 8
    """Passes without a better validation R2 after which training stops."""
    gradient_norm: PositiveFloat | None = 2.0
    """Gradients longer than this are shortened to it."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of inputs left out at each training step."""
    bounded: bool = False
    """True ends in a sigmoid, as published; it needs labels that are not standardised."""

    @model_validator(mode="after")
    def _bounded_labels(self) -> Self:
        if self.bounded and self.standardise_labels:
            raise ValueError("a bounded output needs standardise_labels=false")
        return self

    def network(self, width: int, dimensions: int) -> Any:
        """Return the module (batch, width) -> (batch, dimensions), not yet trained."""
        from torch import nn

        layers = [
            nn.Dropout(self.dropout),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, dimensions),
        ]
        return nn.Sequential(*layers, nn.Sigmoid()) if self.bounded else nn.Sequential(*layers)


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the head."""
    return [HanHead]
