"""The network of the hierarchical pooling; imports torch, and is imported only to be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from pianobench import UsageError
from pianobench.recurrent import BidirectionalLSTM, find_runs

if TYPE_CHECKING:
    from . import Size

__all__ = ["AttentiveStatistics", "ContextAttention", "HierarchicalNetwork", "SegmentMean"]

_SMALLEST_VARIANCE = 1e-4


class HierarchicalNetwork(nn.Module):
    """Notes to beats to measures to clips.

    Parameters
    ----------
    width : int
        Of the frames.
    size : Size
    levels : tuple of str
        Of ``voice``, ``beat`` and ``measure``.
    summary : {"attention", "mean", "statistics"}
    shortcut : bool
        Whether notes are also summed up straight to the clip.
    span : float
        Least share of a clip's notes that a training step reads.
    dropout : float
    """

    def __init__(
        self,
        width: int,
        size: Size,
        levels: tuple[str, ...],
        summary: str,
        shortcut: bool,
        span: float,
        dropout: float,
    ) -> None:
        super().__init__()
        units = size.width
        self.levels = levels
        self.span = span
        self.summed = tuple(level for level in levels if level != "voice")
        self.embed = nn.Linear(width, units)
        self.notes = BidirectionalLSTM(units, units, size.layers, dropout)
        hidden = self.notes.width
        if "voice" in levels:
            self.voices = BidirectionalLSTM(units, units, size.layers, dropout)
            hidden += self.voices.width
        self.direct = AttentiveStatistics(hidden, size.heads) if shortcut else None
        self.summaries, self.readers = nn.ModuleDict(), nn.ModuleDict()
        layers = {"beat": size.layers, "measure": 1}
        for level in self.summed:
            self.summaries[level], hidden = _summary(summary, hidden, size.heads)
            self.readers[level] = BidirectionalLSTM(hidden, units, layers[level], dropout)
            hidden = 2 * units
        self.whole, _ = _summary(summary, hidden, size.heads)

    def forward(
        self, values: torch.Tensor, mask: torch.Tensor, levels: dict[str, torch.Tensor]
    ) -> torch.Tensor:
        """Pool clips, shape (clips, frames, width), to (clips, width_out)."""
        missing = [level for level in self.levels if level not in levels]
        if missing:
            raise UsageError(
                f"The pooling 'hierarchical' reads the level {missing[0]!r}, and the encoder gives "
                f"{', '.join(sorted(levels)) or 'no levels'}. Choose an encoder of notes such as "
                "han, another pooling, or leave the level out with pooling.levels."
            )
        if self.training:
            mask = mask & _draw_spans(mask, self.span)
        clip = torch.arange(len(values))[:, None].expand(mask.shape)[mask]
        unit = {level: _number(clip, levels[level][mask]) for level in self.levels}
        embedded = self.embed(values[mask])
        hidden = self.notes(embedded, find_runs(clip))
        if "voice" in self.levels:
            voices = self.voices(embedded, find_runs(unit["voice"]))
            hidden = torch.cat([hidden, voices], dim=1)
        straight = [] if self.direct is None else [self.direct(hidden, clip)]
        for level in self.summed:
            hidden = self.summaries[level](hidden, unit[level])
            first = _first_rows(unit[level])
            clip = clip[first]
            # A unit whose first note lies in another one of the next level may leave a gap.
            unit = {name: _number(clip, of[first]) for name, of in unit.items()}
            hidden = self.readers[level](hidden, find_runs(clip))
        return torch.cat([self.whole(hidden, clip), *straight], dim=1)


class ContextAttention(nn.Module):
    """Sums rows by how well each resembles a learned context, for several parts of the width.

    Parameters
    ----------
    width : int
    heads : int
        Parts of the width, each with weights of its own.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, width)
        self.context = nn.Parameter(torch.empty(heads, width // heads).uniform_(-1, 1))

    def forward(self, rows: torch.Tensor, segment: torch.Tensor) -> torch.Tensor:
        """Sum up rows, shape (rows, width), by segment, (rows,), to (segments, width)."""
        return self.sum_up(rows, self.shares(rows, segment), segment)

    def shares(self, rows: torch.Tensor, segment: torch.Tensor) -> torch.Tensor:
        """Weigh rows, to (rows, heads), so that the weights of a segment add up to 1."""
        parts = self._heads(torch.tanh(self.project(rows)))
        score = (parts * self.context).sum(dim=2)
        segments = int(segment.max()) + 1
        index = segment[:, None].expand_as(score)
        highest = score.new_full((segments, self.heads), -torch.inf)
        highest = highest.scatter_reduce(0, index, score.detach(), "amax")
        weight = torch.exp(score - highest[segment])
        total = score.new_zeros(segments, self.heads).index_add(0, segment, weight)
        return weight / total[segment]

    def sum_up(
        self, rows: torch.Tensor, shares: torch.Tensor, segment: torch.Tensor
    ) -> torch.Tensor:
        """Sum up rows with given weights, to (segments, width)."""
        shared = (self._heads(rows) * shares[:, :, None]).flatten(1)
        return rows.new_zeros(int(segment.max()) + 1, rows.shape[1]).index_add(0, segment, shared)

    def _heads(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.reshape(len(rows), self.heads, -1)


class AttentiveStatistics(ContextAttention):
    """Mean and spread of rows, weighted by attention.

    References
    ----------
    Okabe, Koshinaka, Shinoda: Attentive statistics pooling for deep speaker embedding. Interspeech
    2018. https://doi.org/10.21437/Interspeech.2018-993
    """

    def forward(self, rows: torch.Tensor, segment: torch.Tensor) -> torch.Tensor:
        """Describe rows, shape (rows, width), by segment, (rows,), to (segments, 2 * width)."""
        shares = self.shares(rows, segment)
        mean = self.sum_up(rows, shares, segment)
        variance = self.sum_up((rows - mean[segment]).square(), shares, segment)
        # The root of 0, which a single note has, has no gradient.
        return torch.cat([mean, (variance + _SMALLEST_VARIANCE).sqrt()], dim=1)


class SegmentMean(nn.Module):
    """Averages rows."""

    def forward(self, rows: torch.Tensor, segment: torch.Tensor) -> torch.Tensor:
        """Average rows, shape (rows, width), by segment, (rows,), to (segments, width)."""
        count = torch.bincount(segment).unsqueeze(1)
        return rows.new_zeros(len(count), rows.shape[1]).index_add(0, segment, rows) / count


def _summary(kind: str, width: int, heads: int) -> tuple[nn.Module, int]:
    """Make what sums up rows, and say how wide what it gives is."""
    if kind == "statistics":
        return AttentiveStatistics(width, heads), 2 * width
    return (ContextAttention(width, heads) if kind == "attention" else SegmentMean()), width


def _draw_spans(mask: torch.Tensor, least: float) -> torch.Tensor:
    """Draw notes of each clip that follow one another: a share of `least` to 1, wherever."""
    notes = mask.sum(dim=1)
    share, place = torch.rand(2, len(mask))
    length = torch.ceil((least + (1 - least) * share) * notes)
    start = torch.floor(place * (notes - length + 1))
    step = torch.arange(mask.shape[1])
    return (step >= start[:, None]) & (step < (start + length)[:, None])


def _number(clip: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Give the units of all clips numbers from 0, clip by clip, in the order of their indices."""
    first, last = int(index.min()), int(index.max())
    place = clip * (last - first + 1) + index - first
    numbers: torch.Tensor = torch.unique(place, return_inverse=True)[1]
    return numbers


def _first_rows(segment: torch.Tensor) -> torch.Tensor:
    """First row of each segment; segments are numbered from 0 without gaps."""
    count = torch.bincount(segment)
    return torch.argsort(segment, stable=True)[torch.cumsum(count, 0) - count]
