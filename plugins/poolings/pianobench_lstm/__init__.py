"""A recurrent network over the frames of a clip, read in both directions, and their summary.

What enters is frames; what leaves is one vector per clip, twice as wide as the network's units.

References
----------
Hochreiter, Schmidhuber: Long short-term memory. Neural Computation 9(8), 1997.
https://doi.org/10.1162/neco.1997.9.8.1735
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from pianobench import Component, Pooling, hookimpl

__all__ = ["Lstm"]


class Lstm(Pooling):
    """Bidirectional LSTM over frames, trained with the head; the order of frames counts.

    What leaves is, of the states at all steps, the forward and the backward one side by side: a
    weighted sum by attention (`attention`: linear - tanh - linear scores, as in the study's
    published code, whose sizes are the defaults), their mean (`mean`), or the state of each
    direction when it has read the whole clip (`last`).

    Time and memory grow with the number of steps: 50 frames a second of an encoder such as mel are
    long sequences. `frames_per_step` averages neighbouring frames first.
    """

    name = "lstm"
    licence = "MIT"
    citation = (
        "S. Hochreiter, J. Schmidhuber: Long short-term memory. Neural Computation 9(8), "
        "1735-1780 (1997), https://doi.org/10.1162/neco.1997.9.8.1735"
    )

    units: PositiveInt = 256
    """Units of each direction."""
    layers: PositiveInt = 1
    """Bidirectional layers, one on top of another."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of units left out between two layers."""
    summary: Literal["attention", "mean", "last"] = "attention"
    """How the states of all steps become one vector."""
    frames_per_step: PositiveInt = 1
    """Neighbouring frames that are averaged into one step."""

    def network(self, width: int) -> Any:
        """Return the module (values, mask, levels) -> (clips, 2 * units), not yet trained."""
        from .network import LstmNetwork

        return LstmNetwork(width, self)


@hookimpl
def bench_components() -> Iterable[type[Component]]:
    """Return the pooling."""
    return [Lstm]
