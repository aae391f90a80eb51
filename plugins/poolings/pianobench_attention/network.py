"""The network of the pooling; imports torch, and is imported only to be trained."""

from __future__ import annotations

import torch
from torch import nn

from pianobench.attention import FrameAttention

__all__ = ["AttentionNetwork"]


class AttentionNetwork(nn.Module):
    """Padded clips to weighted sums of their frames.

    Parameters
    ----------
    width, heads, hidden, dropout
        As of `pianobench.attention.FrameAttention`.
    """

    def __init__(self, width: int, heads: int, hidden: int | None, dropout: float) -> None:
        super().__init__()
        self.attention = FrameAttention(width, heads, hidden, dropout)

    def forward(
        self,
        values: torch.Tensor,
        mask: torch.Tensor,
        levels: dict[str, torch.Tensor],  # noqa: ARG002 - the contract's; attention knows none
    ) -> torch.Tensor:
        """Pool clips, shape (clips, frames, width), to (clips, heads * width)."""
        pooled: torch.Tensor = self.attention(values[mask], mask.sum(dim=1).tolist())
        return pooled
