"""What is learned before a head, and the head, as one network; imported only to be trained.

References
----------
Peters, Neumann, Iyyer, Gardner, Clark, Lee, Zettlemoyer: Deep contextualized word
representations. NAACL 2018 (weights of layers). https://doi.org/10.18653/v1/N18-1202
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .components import NetworkHead, Pooling
from .errors import PluginError

__all__ = ["LayerMix", "PooledNetwork", "WeightedNetwork", "join_networks"]

# Adam moves a parameter by about its step size per step, whatever its gradient; 1e-4, as heads
# have it, for the 1,000 to 3,000 steps of a fold would leave all weights nearly equal.
_STEP = 100.0


class LayerMix(nn.Module):
    """Weighted sum of layers that stand side by side; the weights are a softmax, equal at first.

    Parameters
    ----------
    layers : int
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(layers))

    def weights(self) -> torch.Tensor:
        """Weight of each layer, shape (layers,); they sum to 1."""
        return torch.softmax(_STEP * self.scores, dim=0)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Mix, shape (..., layers * width), to (..., width)."""
        layers = values.reshape(*values.shape[:-1], len(self.scores), -1)
        mixed: torch.Tensor = torch.einsum("...lw,l->...w", layers, self.weights())
        return mixed


class WeightedNetwork(nn.Module):
    """Pooled layers to labels: the head's network behind the mix."""

    def __init__(self, mix: LayerMix, head: nn.Module) -> None:
        super().__init__()
        self.mix = mix
        self.head = head

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Predict clips, shape (clips, dimensions)."""
        predicted: torch.Tensor = self.head(self.mix(values))
        return predicted


class PooledNetwork(nn.Module):
    """Frames to labels: the head's network behind the pooling's, behind a mix of layers if any."""

    def __init__(self, mix: LayerMix | None, pooling: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.mix = mix
        self.pooling = pooling
        self.head = head

    def forward(
        self, values: torch.Tensor, mask: torch.Tensor, levels: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """Predict clips, shape (clips, dimensions)."""
        if self.mix is not None:
            values = self.mix(values)
        predicted: torch.Tensor = self.head(self.pooling(values, mask, levels))
        return predicted


def join_networks(
    mix: LayerMix | None,
    pooling: Pooling,
    head: NetworkHead,
    sample: tuple[Any, ...],
    dimensions: int,
) -> PooledNetwork:
    """Make both networks; the head's is as wide as what the pooling's makes of a sample.

    Parameters
    ----------
    mix : LayerMix, optional
        Of layers that stand side by side in the frames.
    pooling : Pooling
    head : NetworkHead
    sample : tuple
        Values, mask and levels of some clips.
    dimensions : int
        To predict.

    Raises
    ------
    PluginError
        If the pooling's network returns something other than one vector per clip.
    """
    values, mask, levels = sample
    if mix is not None:
        values = mix(values).detach()
    module = pooling.network(values.shape[2])
    module.eval()
    with torch.inference_mode():
        shape = tuple(module(values, mask, levels).shape)
    if len(shape) != 2 or shape[0] != len(values):
        raise PluginError(
            f"The network of the pooling {pooling.name!r} returns shape {shape} for "
            f"{len(values)} clip(s); its contract asks for (clips, width)."
        )
    return PooledNetwork(mix, module, head.network(shape[1], dimensions))
