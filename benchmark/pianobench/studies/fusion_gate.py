"""Gated fusion: weights of the models that depend on what they predict of the clip.

``y_d = sum_m g_md p_md``, with ``g_md = softmax over m of (log w_m + (W p + b)_md)``: ``p`` are the
predictions of all models for all dimensions, in units of the labels' deviation, ``w`` the weights
of the fusion ``weighted``, and ``g`` the gates, a convex mixture for every clip and dimension.
``W`` and ``b`` start at 0, which is the weighted mean, and weight decay pulls them back there: what
is gained beyond it comes of looking at the clip. The experts of the reference are trained with the
gate; here they are models that are finished, and the gate alone is trained, as every network of the
harness is: early stopping on an inner part of whole passages. Three seeds are averaged.

References
----------
Jacobs, Jordan, Nowlan, Hinton: Adaptive mixtures of local experts. Neural Computation 3(1), 1991.
https://doi.org/10.1162/neco.1991.3.1.79
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat

from ..components import NetworkHead
from ..inputs import Vectors
from ..metrics import FloatArray, LabelArray
from ..standardisation import Standardisation
from ..training import TrainedNetwork, train_network
from .simplex import error_moments, simplex_weights

__all__ = ["Gate", "GatedRule", "learn_gate"]

_SEEDS = (0, 1, 2)
_LEAST = 0.01


class Gate(NetworkHead):
    """The gate as the harness trains networks; it is no head that a run may name."""

    name: ClassVar[str] = "gate"
    learning_rate: PositiveFloat = 1e-3
    """Step size of Adam."""
    weight_decay: NonNegativeFloat = 1e-3
    """L2 penalty, added to the gradient."""
    standardise_labels: bool = False
    """Labels and predictions are brought to one scale before."""
    start: tuple[float, ...]
    """Weights of the models before training."""

    def network(self, width: int, dimensions: int) -> Any:  # noqa: ARG002 - follows from the models
        """Return the module (batch, models * dimensions) -> (batch, dimensions), untrained."""
        from .gate_network import GateNetwork

        return GateNetwork(self.start, dimensions)


class _Rows(Vectors):
    """Predictions side by side, which are on the labels' scale and stay there."""

    def standardisation(self) -> Standardisation:
        """Leave the columns as they are."""
        return Standardisation.none(self.x.shape[1])


@dataclass(frozen=True)
class GatedRule:
    """Trained gates, one per seed.

    Attributes
    ----------
    networks : tuple of TrainedNetwork
    mean, scale : np.ndarray [shape=(dimension,)]
        Of the targets they were trained on.
    learned : mapping
        Gates averaged over the clips and dimensions they were trained on, as ``weights``; epochs.
    """

    networks: tuple[TrainedNetwork, ...]
    mean: FloatArray
    scale: FloatArray
    learned: Mapping[str, Any]

    def fuse(self, predictions: FloatArray) -> FloatArray:
        """Fuse [model, clip, dimension] to [clip, dimension]."""
        rows = _rows(predictions, self.mean, self.scale)
        fused: FloatArray = np.mean([network.predict(rows) for network in self.networks], axis=0)
        return fused * self.scale + self.mean


def learn_gate(predictions: FloatArray, targets: FloatArray, groups: LabelArray) -> GatedRule:
    """Train gates on predictions [model, clip, dimension] and targets [clip, dimension].

    Raises
    ------
    DependencyError
        If torch is not installed.
    SplitError, TrainingError
        If the clips are of one passage, or labels do not vary.
    """
    mean = targets.mean(axis=0)
    scale = np.where(np.ptp(targets, axis=0) > 0, targets.std(axis=0), 1.0)
    rows = _rows(predictions, mean, scale)
    weights = simplex_weights(error_moments(predictions, targets).sum(axis=2))
    # From nothing, a gate would never find back to a model.
    gate = Gate(start=tuple(np.maximum(weights, _LEAST).tolist()))
    networks = tuple(
        train_network(gate, rows, (targets - mean) / scale, groups, seed) for seed in _SEEDS
    )
    learned = {
        "weights": np.mean([_mean_gates(network, rows) for network in networks], axis=0).tolist(),
        "epochs": [network.selected["epochs"] for network in networks],
    }
    return GatedRule(networks, mean, scale, learned)


def _rows(predictions: FloatArray, mean: FloatArray, scale: FloatArray) -> _Rows:
    standard = (predictions - mean) / scale
    return _Rows(standard.transpose(1, 0, 2).reshape(standard.shape[1], -1))


def _mean_gates(network: TrainedNetwork, rows: _Rows) -> FloatArray:
    import torch

    with torch.inference_mode():
        gates = network.module.gates(torch.from_numpy(rows.x.astype(np.float32)))
    mean: FloatArray = gates.double().mean(dim=(0, 2)).numpy()
    return mean
