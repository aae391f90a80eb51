"""The network behind `pianobench.studies.fusion_gate`; imported only to be trained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["GateNetwork"]


class GateNetwork(nn.Module):
    """A convex mixture of models for every clip and dimension, at first the same for all.

    Parameters
    ----------
    start : sequence of float
        Weight of each model before training, above 0.
    dimensions : int
    """

    start: torch.Tensor

    def __init__(self, start: Sequence[float], dimensions: int) -> None:
        super().__init__()
        self.register_buffer("start", torch.tensor(start).log()[:, None])
        self.scores = nn.Linear(len(start) * dimensions, len(start) * dimensions)
        nn.init.zeros_(self.scores.weight)
        nn.init.zeros_(self.scores.bias)

    def gates(self, rows: torch.Tensor) -> torch.Tensor:
        """Weight of every model, (clips, models * dimensions) to (clips, models, dimensions)."""
        scores = self.scores(rows).reshape(len(rows), len(self.start), -1)
        return torch.softmax(self.start + scores, dim=1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Fuse (clips, models * dimensions) to (clips, dimensions)."""
        predictions = rows.reshape(len(rows), len(self.start), -1)
        fused: torch.Tensor = (self.gates(rows) * predictions).sum(dim=1)
        return fused
