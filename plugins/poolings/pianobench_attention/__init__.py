"""Attention over the frames of a clip: what enters is frames, what leaves is weighted sums of them.

References
----------
Lin, Feng, dos Santos, Yu, Xiang, Zhou, Bengio: A structured self-attentive sentence embedding.
ICLR 2017. https://arxiv.org/abs/1703.03130
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field, PositiveInt

from pianobench import Component, Pooling, hookimpl

__all__ = ["Attention"]


class Attention(Pooling):
    """Weighted sums of the frames, by a softmax of scores that are learned with the head.

    The score of a frame is linear - tanh - linear of it; the order of the frames plays no part.
    Every head weighs whole frames, and the heads' sums stand side by side. The defaults are those
    of the study's published code.
    """

    name = "attention"
    licence = "MIT"
    citation = (
        "Z. Lin, M. Feng, C. N. dos Santos, M. Yu, B. Xiang, B. Zhou, Y. Bengio: A structured "
        "self-attentive sentence embedding. ICLR 2017, https://arxiv.org/abs/1703.03130"
    )

    heads: PositiveInt = 1
    """Weighted sums, each with scores of its own."""
    hidden: PositiveInt | None = 256
    """Units of the tanh layer; null scores a frame by a linear function of it."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of frames that each sum leaves out at each training step."""

    def network(self, width: int) -> Any:
        """Return the module (values, mask, levels) -> (clips, heads * width), not yet trained."""
        from .network import AttentionNetwork

        return AttentionNetwork(width, self.heads, self.hidden, self.dropout)


@hookimpl
def bench_components() -> Iterable[type[Component]]:
    """Return the pooling."""
    return [Attention]
