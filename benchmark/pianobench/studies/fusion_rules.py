"""Ways to fuse models: what they predicted of clips they did not train on enters, a rule leaves.

What enters a learner: predictions [model, clip, dimension], the targets of these clips and their
passages. Were the predictions of a model that trained on a clip among them, the rule would trust
the model that remembers best; see `pianobench.studies.fusion` for where they have to come from.

- ``mean``: all models alike; nothing is learned.
- ``weighted``: one weight per model, none below 0, sum 1 (Breiman's stacked regressions).
- ``per-dimension``: such weights for every dimension on its own.
- ``stacked``: ridge from every model's prediction of *every* dimension, with an intercept.
- ``gated``: weights that depend on the clip; see `pianobench.studies.fusion_gate`.

Clips count alike when weights are learned, whatever they counted for the models, since the score
weighs none.

References
----------
Bates, Granger: The combination of forecasts. Operational Research Quarterly 20(4), 1969.
https://doi.org/10.1057/jors.1969.103
Wolpert: Stacked generalization. Neural Networks 5(2), 1992.
https://doi.org/10.1016/S0893-6080(05)80023-1
Breiman: Stacked regressions. Machine Learning 24, 1996. https://doi.org/10.1007/BF00117832
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..leave_out import Smoother, choose_penalty
from ..metrics import FloatArray, LabelArray
from .fusion_gate import learn_gate
from .simplex import error_moments, simplex_weights

__all__ = ["FUSIONS", "Learner", "LinearRule", "Rule"]

_PENALTIES = np.geomspace(1e-3, 1e3, 13)


class Rule(Protocol):
    """How predictions are fused."""

    @property
    def learned(self) -> Mapping[str, Any]:
        """What a reader should know of it, as JSON holds it; ``weights`` are [model] or None."""
        ...

    def fuse(self, predictions: FloatArray) -> FloatArray:
        """Fuse [model, clip, dimension] to [clip, dimension]."""
        ...


Learner = Callable[[FloatArray, FloatArray, LabelArray], Rule]
"""Of predictions [model, clip, dimension], targets [clip, dimension] and passages [clip]."""


@dataclass(frozen=True)
class LinearRule:
    """A weighted sum of every dimension's predictions.

    Attributes
    ----------
    weights : np.ndarray [shape=(model, dimension)]
    """

    weights: FloatArray

    @property
    def learned(self) -> Mapping[str, Any]:
        """Weights, averaged over dimensions, and of each."""
        return {"weights": self.weights.mean(axis=1).tolist(), "dimensions": self.weights.tolist()}

    def fuse(self, predictions: FloatArray) -> FloatArray:
        """Fuse [model, clip, dimension] to [clip, dimension]."""
        fused: FloatArray = np.einsum("mcd,md->cd", predictions, self.weights)
        return fused


@dataclass(frozen=True)
class StackedRule:
    """A linear map from all predictions of a clip.

    Attributes
    ----------
    coefficients : np.ndarray [shape=(model * dimension, dimension)]
    intercept : np.ndarray [shape=(dimension,)]
    learned : mapping
    """

    coefficients: FloatArray
    intercept: FloatArray
    learned: Mapping[str, Any]

    def fuse(self, predictions: FloatArray) -> FloatArray:
        """Fuse [model, clip, dimension] to [clip, dimension]."""
        fused: FloatArray = _side_by_side(predictions) @ self.coefficients + self.intercept
        return fused


def _learn_mean(
    predictions: FloatArray,
    targets: FloatArray,
    groups: LabelArray,  # noqa: ARG001 - nothing is chosen
) -> LinearRule:
    return LinearRule(np.full((len(predictions), targets.shape[1]), 1 / len(predictions)))


def _learn_weights(
    predictions: FloatArray,
    targets: FloatArray,
    groups: LabelArray,  # noqa: ARG001 - nothing is chosen
) -> LinearRule:
    weights = simplex_weights(error_moments(predictions, targets).sum(axis=2))
    return LinearRule(np.tile(weights[:, None], targets.shape[1]))


def _learn_weights_per_dimension(
    predictions: FloatArray,
    targets: FloatArray,
    groups: LabelArray,  # noqa: ARG001 - nothing is chosen
) -> LinearRule:
    moments = error_moments(predictions, targets)
    return LinearRule(
        np.stack([simplex_weights(moments[:, :, d]) for d in range(targets.shape[1])], axis=1)
    )


def _learn_stack(predictions: FloatArray, targets: FloatArray, groups: LabelArray) -> StackedRule:
    """Ridge on standardised columns; the penalty with the least leave-passage-out error."""
    columns = _side_by_side(predictions)
    deviation = columns.std(axis=0)
    scale = np.where(np.ptp(columns, axis=0) > 0, deviation, np.inf)
    standard = (columns - columns.mean(axis=0)) / scale
    smoother = Smoother.from_features(standard)
    width = columns.shape[1]
    choice = choose_penalty(smoother, targets, groups, (width * _PENALTIES).tolist())
    coefficients = standard.T @ smoother.dual(targets, choice.penalty) / scale[:, None]
    return StackedRule(
        coefficients,
        targets.mean(axis=0) - columns.mean(axis=0) @ coefficients,
        {"penalty": choice.penalty / width, "penalty_at_edge": choice.at_edge},
    )


def _side_by_side(predictions: FloatArray) -> FloatArray:
    """Put all predictions of a clip into one row [clip, model * dimension]."""
    return predictions.transpose(1, 0, 2).reshape(predictions.shape[1], -1)


FUSIONS: Mapping[str, Learner] = {
    "mean": _learn_mean,
    "weighted": _learn_weights,
    "per-dimension": _learn_weights_per_dimension,
    "stacked": _learn_stack,
    "gated": learn_gate,
}
"""Learners by name, from the simplest to the most flexible."""
