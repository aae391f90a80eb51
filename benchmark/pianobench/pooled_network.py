"""A learned pooling and a head as one network; imported only where something is trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .components import NetworkHead, Pooling
from .errors import PluginError

__all__ = ["PooledNetwork", "join_networks"]


class PooledNetwork(nn.Module):
    """Frames to labels: the head's network behind the pooling's."""

    def __init__(self, pooling: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.pooling = pooling
        self.head = head

    def forward(
        self, values: torch.Tensor, mask: torch.Tensor, levels: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """Predict clips, shape (clips, dimensions)."""
        predicted: torch.Tensor = self.head(self.pooling(values, mask, levels))
        return predicted


def join_networks(
    pooling: Pooling, head: NetworkHead, sample: tuple[Any, ...], width: int, dimensions: int
) -> PooledNetwork:
    """Make both networks; the head's is as wide as what the pooling's makes of a sample.

    Parameters
    ----------
    pooling : Pooling
    head : NetworkHead
    sample : tuple
        Values, mask and levels of some clips.
    width : int
        Of the frames.
    dimensions : int
        To predict.

    Raises
    ------
    PluginError
        If the pooling's network returns something other than one vector per clip.
    """
    module = pooling.network(width)
    module.eval()
    with torch.inference_mode():
        shape = tuple(module(*sample).shape)
    if len(shape) != 2 or shape[0] != len(sample[0]):
        raise PluginError(
            f"The network of the pooling {pooling.name!r} returns shape {shape} for "
            f"{len(sample[0])} clip(s); its contract asks for (clips, width)."
        )
    return PooledNetwork(module, head.network(shape[1], dimensions))
