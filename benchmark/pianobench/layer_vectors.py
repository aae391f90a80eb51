"""Clips as one vector per layer, for weights of layers that are learned with the head.

What enters is what a linear pooling, such as the mean, makes of every layer. A weighted sum of
layers is then pooled to the same weighted sum of what each is pooled to, so that nothing else has
to be read. Every column of every layer is standardised on its own: a layer of large values has no
head start, and weights can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .components import NetworkHead
from .inputs import Vectors

if TYPE_CHECKING:
    from .pooled_network import LayerMix

__all__ = ["LayerVectors", "layer_weights"]


@dataclass(frozen=True)
class LayerVectors(Vectors):
    """Pooled layers side by side.

    Attributes
    ----------
    x : array, shape (clips, layers * width)
    layers : tuple of int
        Which layers, in this order.
    """

    layers: tuple[int, ...]

    def network(self, head: NetworkHead, dimensions: int) -> Any:
        """Put weights of layers before the head's network."""
        from .pooled_network import LayerMix, WeightedNetwork

        mix = LayerMix(len(self.layers), head.learning_rate)
        width = self.x.shape[1] // len(self.layers)
        return WeightedNetwork(mix, head.network(width, dimensions))

    def learned(self, module: Any) -> dict[str, Any]:
        """Say which layers a trained module weighs how."""
        return layer_weights(self.layers, module.mix)

    def form(self) -> dict[str, Any]:
        """Say how many features there are, of which layers."""
        return {**super().form(), "merge": "weighted", "layers": list(self.layers)}


def layer_weights(layers: tuple[int, ...], mix: LayerMix) -> dict[str, Any]:
    """Name the weights of layers, by layer: ``{"layer_weights": {"9": 0.4, "10": 0.6}}``."""
    weights = mix.weights().tolist()
    return {"layer_weights": {str(k): w for k, w in zip(layers, weights, strict=True)}}
