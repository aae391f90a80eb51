"""The head of the hierarchical attention network: two layers and an output within [0, 1]."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from pianobench import Component, NetworkHead, hookimpl


class HanHead(NetworkHead):
    """Dropout - linear - GELU - linear, as published for the symbolic baseline of PercePiano.

    Its defaults train the small network. The published ones are ``learning_rate=2.5e-5``,
    ``decay=0.98``, ``decay_steps=3000``, ``batch_size=8``, ``epochs=100``, ``dropout=0.2``,
    ``bounded=true`` and ``standardise_labels=false``, with a pooling of the published size.
    """

    name: ClassVar[str] = "han"
    licence: ClassVar[str] = "MIT"
    citation: ClassVar[str] = (
        "J. Park, J. Kim, J. M. Park, A. Choi, W.-S. Li, J. Park, S.-w. Hwang: Piano performance "
        "evaluation dataset with multilevel perceptual features. Scientific Reports 14, 23002 "
        "(2024), https://doi.org/10.1038/s41598-024-73810-0"
    )
    learning_rate: PositiveFloat = 2e-3
    """Step size of Adam."""
    decay: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Factor by which the step size shrinks every `decay_steps` steps."""
    decay_steps: PositiveInt = 25
    """Steps, about those of an epoch, after which the step size shrinks."""
    weight_decay: NonNegativeFloat = 1e-5
    """L2 penalty, added to the gradient."""
    batch_size: PositiveInt = 32
    """Clips per step."""
    epochs: PositiveInt = 12
    """Most passes over the training part."""
    patience: PositiveInt = 6
    """Passes without a better validation R2 after which training stops."""
    gradient_norm: PositiveFloat | None = 2.0
    """Gradients longer than this are shortened to it."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.4
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
