"""The network of the pooling; imports torch, and is imported only to be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from pianobench.attention import FrameAttention
from pianobench.recurrent import BidirectionalLSTM, find_runs

if TYPE_CHECKING:
    from . import Lstm

__all__ = ["LstmNetwork"]

# Of the study's published code.
_ATTENTION_UNITS = 128


class LstmNetwork(nn.Module):
    """Padded clips to summaries of what a recurrent network reads in them.

    Parameters
    ----------
    width : int
        Of the frames.
    pooling : Lstm
        Its options.
    """

    def __init__(self, width: int, pooling: Lstm) -> None:
        super().__init__()
        self.frames_per_step = pooling.frames_per_step
        self.reader = BidirectionalLSTM(width, pooling.units, pooling.layers, pooling.dropout)
        self.summary: nn.Module
        match pooling.summary:
            case "attention":
                self.summary = FrameAttention(self.reader.width, 1, _ATTENTION_UNITS, 0.0)
            case "mean":
                self.summary = _Mean()
            case "last":
                self.summary = _Last()

    def forward(
        self,
        values: torch.Tensor,
        mask: torch.Tensor,
        levels: dict[str, torch.Tensor],  # noqa: ARG002 - the contract's; steps are frames
    ) -> torch.Tensor:
        """Pool clips, shape (clips, frames, width), to (clips, 2 * units)."""
        frames, clip = values[mask], torch.arange(len(values))[:, None].expand(mask.shape)[mask]
        if self.frames_per_step > 1:
            frames, clip = _average(frames, clip, self.frames_per_step)
        states = self.reader(frames, find_runs(clip))
        pooled: torch.Tensor = self.summary(states, torch.bincount(clip).tolist())
        return pooled


class _Mean(nn.Module):
    def forward(self, states: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        return torch.stack([own.mean(dim=0) for own in torch.split(states, lengths)])


class _Last(nn.Module):
    def forward(self, states: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        ends = torch.cumsum(torch.tensor(lengths), 0)
        forwards, backwards = states.chunk(2, dim=1)
        # The backward direction has read the whole clip at its first step.
        return torch.cat([forwards[ends - 1], backwards[ends - torch.tensor(lengths)]], dim=1)


def _average(
    frames: torch.Tensor, clip: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Average every `count` neighbouring frames of a clip, at its end those that are left."""
    lengths = torch.bincount(clip)
    steps = (lengths + count - 1) // count
    place = torch.arange(len(clip)) - (torch.cumsum(lengths, 0) - lengths)[clip]
    step = (torch.cumsum(steps, 0) - steps)[clip] + place // count
    total = frames.new_zeros(int(steps.sum()), frames.shape[1]).index_add(0, step, frames)
    share = torch.bincount(step).unsqueeze(1)
    return total / share, torch.repeat_interleave(torch.arange(len(lengths)), steps)
