"""Attention over frames; it imports torch, and is imported only where something is trained.

References
----------
Lin, Feng, dos Santos, Yu, Xiang, Zhou, Bengio: A structured self-attentive sentence embedding.
ICLR 2017. https://arxiv.org/abs/1703.03130
"""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["FrameAttention"]


class FrameAttention(nn.Module):
    """Weighted sums of frames, each with weights that a softmax makes of learned scores.

    Parameters
    ----------
    width : int
        Of the frames.
    heads : int
        Sums, each with scores of its own.
    hidden : int or None
        Units of a tanh layer that scores are read from; None scores frames by a linear function.
    dropout : float
        Share of frames that each sum leaves out at each training step.
    """

    def __init__(self, width: int, heads: int, hidden: int | None, dropout: float) -> None:
        super().__init__()
        # A constant added to all scores of a clip leaves its weights as they are: no bias.
        self.score: nn.Module = (
            nn.Linear(width, heads, bias=False)
            if hidden is None
            else nn.Sequential(
                nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, heads, bias=False)
            )
        )
        self.dropout = nn.Dropout(dropout)
        self.width = heads * width

    def forward(self, frames: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        """Sum up clips that lie one after another, (frames, width), to (clips, heads * width)."""
        scores = torch.split(self.score(frames), lengths)
        parts = zip(scores, torch.split(frames, lengths), strict=True)
        # Clip by clip and without padding, so that its amount shows in no last digit.
        return torch.stack(
            [(self.dropout(torch.softmax(score, 0)).T @ own).flatten() for score, own in parts]
        )
