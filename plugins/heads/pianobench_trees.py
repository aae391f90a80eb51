"""Extremely randomised trees: a strong regressor on few, differently scaled features.

References
----------
Geurts, Ernst, Wehenkel: Extremely randomized trees. Machine Learning 63, 2006.
https://doi.org/10.1007/s10994-006-6226-1
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from pianobench import Component, Head, hookimpl


@dataclass(frozen=True)
class Forest:
    """Fitted trees; scikit-learn's regressor behind the harness's contract."""

    regressor: Any
    dimensions: int
    selected: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict (clips, features) -> (clips, dimensions)."""
        # scikit-learn drops the axis of a single dimension.
        predicted: NDArray[np.float64] = self.regressor.predict(x).reshape(-1, self.dimensions)
        return predicted


class ExtraTrees(Head):
    """Extremely randomised trees, every tree predicting all dimensions at once."""

    name: ClassVar[str] = "extra-trees"
    licence: ClassVar[str] = "BSD-3-Clause (scikit-learn)"
    citation: ClassVar[str] = "Geurts, Ernst, Wehenkel 2006, doi:10.1007/s10994-006-6226-1"
    stochastic: ClassVar[bool] = True
    slow: ClassVar[bool] = True
    n_estimators: PositiveInt = 300
    """Number of trees."""
    min_samples_leaf: PositiveInt = 2
    """Fewest clips in a leaf."""
    max_features: Annotated[float, Field(gt=0, le=1)] = 0.33
    """Share of the features tried at each split."""

    def fit(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        groups: NDArray[np.str_],  # noqa: ARG002 - nothing is selected, so nothing is held out
        seed: int,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> Forest:
        """Grow the trees on features (clips, features) and labels (clips, dimensions)."""
        from sklearn.ensemble import ExtraTreesRegressor

        regressor = ExtraTreesRegressor(
            n_estimators=self.n_estimators,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            random_state=seed,
            n_jobs=1,
        )
        # scikit-learn warns of a column where it expects a single dimension.
        labels = y[:, 0] if y.shape[1] == 1 else y
        return Forest(regressor.fit(x, labels, sample_weight=sample_weight), y.shape[1])


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the head."""
    return [ExtraTrees]
