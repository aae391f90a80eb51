"""Recurrent networks over many sequences of unlike lengths, as fast as a CPU can.

Sequences lie one after another in one array, without padding. They are padded to be read, those of
like length together, and the backward direction reads them reversed by index: packed sequences
(`torch.nn.utils.rnn.pack_padded_sequence`) give the same numbers 3.5 to 4 times slower. It imports
torch, and is imported only where something is trained.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

__all__ = ["BidirectionalLSTM", "Runs", "find_runs"]

# Sequences of a batch are at most this many times as long as its shortest, and a little more.
_STRETCH, _SLACK = 2.0, 8


class Runs(NamedTuple):
    """Where sequences lie in an array of rows.

    Attributes
    ----------
    order : int tensor, shape (rows,)
        Rows, sequence by sequence.
    starts, lengths : int tensor, shape (sequences,)
        Of each sequence in `order`.
    """

    order: torch.Tensor
    starts: torch.Tensor
    lengths: torch.Tensor


def find_runs(sequence: torch.Tensor) -> Runs:
    """Find sequences by the number of each row's, shape (rows,); rows keep their order in each."""
    order = torch.argsort(sequence, stable=True)
    lengths = torch.unique_consecutive(sequence[order], return_counts=True)[1]
    return Runs(order, torch.cumsum(lengths, 0) - lengths, lengths)


class BidirectionalLSTM(nn.Module):
    """Layers of two LSTMs each, one for either direction, with dropout between layers.

    Parameters
    ----------
    width : int
        Of the rows that enter.
    units : int
        Of each direction; rows of twice as many leave.
    layers : int
    dropout : float
    """

    def __init__(self, width: int, units: int, layers: int, dropout: float) -> None:
        super().__init__()
        widths = [width] + [2 * units] * (layers - 1)
        self.forwards = nn.ModuleList(nn.LSTM(w, units, batch_first=True) for w in widths)
        self.backwards = nn.ModuleList(nn.LSTM(w, units, batch_first=True) for w in widths)
        self.dropout = nn.Dropout(dropout)
        self.width = 2 * units

    def forward(self, rows: torch.Tensor, runs: Runs) -> torch.Tensor:
        """Read rows, shape (rows, width), sequence by sequence, to (rows, 2 * units)."""
        parts = [
            (places[mask], self._read(rows[places], mask)[mask])
            for places, mask in _padded_batches(runs)
        ]
        where = torch.cat([places for places, _ in parts])
        values = torch.cat([part for _, part in parts])
        return values[torch.argsort(where)]

    def _read(self, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Read padded sequences, shape (sequences, longest, width)."""
        step = torch.arange(mask.shape[1], device=mask.device)
        # Each sequence backwards, its padding left at the end.
        mirrored = torch.where(mask, mask.sum(dim=1, keepdim=True) - 1 - step, step)
        for index, (forwards, backwards) in enumerate(
            zip(self.forwards, self.backwards, strict=True)
        ):
            if index:
                values = self.dropout(values)
            there, _ = forwards(values)
            back, _ = backwards(_gather(values, mirrored))
            values = torch.cat([there, _gather(back, mirrored)], dim=2)
        return values


def _gather(values: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    return values.gather(1, steps.unsqueeze(2).expand(-1, -1, values.shape[2]))


def _padded_batches(runs: Runs) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Cut sequences into batches of like length: rows, (sequences, longest), and their mask."""
    lengths = runs.lengths.tolist()
    by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
    batches: list[list[int]] = []
    for index in by_length:
        if not batches or lengths[index] > _STRETCH * lengths[batches[-1][0]] + _SLACK:
            batches.append([])
        batches[-1].append(index)
    return [_pad(runs, torch.tensor(batch)) for batch in batches]


def _pad(runs: Runs, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    starts, lengths = runs.starts[chosen, None], runs.lengths[chosen, None]
    step = torch.arange(int(lengths.max()))
    mask = step < lengths
    # Padding repeats the last row: what is made of it is never looked at.
    return runs.order[starts + torch.minimum(step, lengths - 1)], mask
