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
from .descent import Batches
from .errors import PluginError

__all__ = ["LayerMix", "PooledNetwork", "WeightedNetwork", "join_networks"]

# How far a step moves a score, whatever the head's step size. With the usual 1e-4, weights would
# stay nearly equal for the 500 to 2,000 steps of a fold; much more, and the first steps, when the
# head knows nothing yet, decide.
_SCORE_STEP = 0.01


class LayerMix(nn.Module):
    """Weighted sum of layers that stand side by side; the weights are a softmax, equal at first.

    Parameters
    ----------
    layers : int
    learning_rate : float
        Of Adam, which moves a parameter by about that much per step.
    """

    def __init__(self, layers: int, learning_rate: float) -> None:
        super().__init__()
        self.pace = _SCORE_STEP / learning_rate
        self.scores = nn.Parameter(torch.zeros(layers))

    def weights(self) -> torch.Tensor:
        """Weight of each layer, shape (layers,); they sum to 1."""
        return torch.softmax(self.pace * self.scores, dim=0)

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
    """Frames to labels: a mix of layers if any, the pooling's network and the head's.

    Parameters
    ----------
    mix : LayerMix or None
    pooling, head : torch.nn.Module
    width : int
        Of what the pooling's network returns.
    """

    def __init__(
        self, mix: LayerMix | None, pooling: nn.Module, head: nn.Module, width: int
    ) -> None:
        super().__init__()
        self.mix = mix
        self.pooling = pooling
        self.head = head
        self.centre: torch.Tensor
        self.scale: torch.Tensor
        self.bound: torch.Tensor
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("bound", torch.tensor(torch.inf))

    def standardise(self, batches: Batches, bound: float) -> None:
        """Bring what the head is given to mean 0 and standard deviation 1, as it is now.

        What then lies farther out than `bound` is brought there.

        Averages over many frames hardly differ between clips: at the step size of a head for
        standardised features, training would stop before it has learned their scale.
        """
        self.eval()
        with torch.no_grad():
            pooled = torch.cat([self._pool(*batch.inputs) for batch in batches.in_order()]).double()
            spread = pooled.std(dim=0, correction=0)
            self.centre.copy_(pooled.mean(dim=0))
            # Less than that is rounding, frames being of standard deviation 1.
            self.scale.copy_(torch.where(spread > 1e-6, 1 / spread, 1.0))
            self.bound.fill_(bound)

    def forward(
        self, values: torch.Tensor, mask: torch.Tensor, levels: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """Predict clips, shape (clips, dimensions)."""
        pooled = self._pool(values, mask, levels)
        scaled = (pooled - self.centre) * self.scale
        predicted: torch.Tensor = self.head(scaled.clamp(-self.bound, self.bound))
        return predicted

    def _pool(
        self, values: torch.Tensor, mask: torch.Tensor, levels: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        if self.mix is not None:
            values = self.mix(values)
        pooled: torch.Tensor = self.pooling(values, mask, levels)
        return pooled


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
    return PooledNetwork(mix, module, head.network(shape[1], dimensions), shape[1])
