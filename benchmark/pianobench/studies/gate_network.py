"""The network behind `pianobench.studies.fusion_gate`; imported only to be trained."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["GateNetwork"]


class GateNetwork(nn.Module):
    """A convex mixture of models for every clip and dimension; all models alike at first.

    Parameters
    ----------
    models, dimensions : int
    """

    def __init__(self, models: int, dimensions: int) -> None:
        super().__init__()
        self.models = models
        self.scores = nn.Linear(models * dimensions, models * dimensions)
        nn.init.zeros_(self.scores.weight)
        nn.init.zeros_(self.scores.bias)

    def gates(self, rows: torch.Tensor) -> torch.Tensor:
        """Weight of every model, (clips, models * dimensions) to (clips, models, dimensions)."""
        scores = self.scores(rows).reshape(len(rows), self.models, -1)
        return torch.softmax(scores, dim=1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Fuse (clips, models * dimensions) to (clips, dimensions)."""
        fused: torch.Tensor = (self.gates(rows) * rows.reshape(len(rows), self.models, -1)).sum(1)
        return fused
