"""Linear ridge on standardised features, its penalty chosen by leaving out whole groups.

References
----------
Hoerl, Kennard: Ridge regression: biased estimation for nonorthogonal problems. Technometrics
12(1), 1970. https://doi.org/10.1080/00401706.1970.10488634
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat

from pianobench import Component, Pairs, PairwiseHead, hookimpl
from pianobench.leave_out import Choice, Smoother, choose_penalty

_PRODUCT = "product"
_ROUNDING = 1e-9  # a feature whose deviation is this small against its values is constant


@dataclass(frozen=True)
class LinearPredictor:
    """Standardise, multiply, add.

    Attributes
    ----------
    mean, scale : float array, shape (features,)
        Of the training part; the scale of a constant feature is infinite.
    coefficients : float array, shape (features, dimensions)
    intercept : float array, shape (dimensions,)
    selected : mapping
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercept: NDArray[np.float64]
    selected: Mapping[str, Any]

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict (clips, features) -> (clips, dimensions)."""
        predicted: NDArray[np.float64] = (x - self.mean) / self.scale @ self.coefficients
        return predicted + self.intercept


@dataclass(frozen=True)
class DualPredictor:
    """Ridge by products with the training clips.

    Attributes
    ----------
    dual : float array, shape (training clips, dimensions)
    intercept : float array, shape (dimensions,)
    selected : mapping
    """

    dual: NDArray[np.float64]
    intercept: NDArray[np.float64]
    selected: Mapping[str, Any]

    def predict_pairs(self, across: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Predict by products (clips, training clips) -> (clips, dimensions)."""
        predicted: NDArray[np.float64] = across[_PRODUCT] @ self.dual + self.intercept
        return predicted


class Ridge(PairwiseHead):
    """Linear ridge with an intercept that is not penalised, one penalty for all dimensions.

    Features are standardised on the training part. The penalty with the least exact
    leave-group-out error is taken (`pianobench.leave_out`).
    """

    name: ClassVar[str] = "ridge"
    licence: ClassVar[str] = "MIT"
    citation: ClassVar[str] = "Hoerl, Kennard 1970, doi:10.1080/00401706.1970.10488634"
    predictor: ClassVar[type[LinearPredictor]] = LinearPredictor
    penalties: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = tuple(
        float(f"{penalty:.3g}") for penalty in np.geomspace(1e-3, 1e3, 20)
    )
    """Penalties to choose from, per feature, so that one grid fits narrow and wide encoders."""

    def fit(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        groups: NDArray[np.str_],
        seed: int,  # noqa: ARG002 - the solution is unique
        sample_weight: NDArray[np.float64] | None = None,
    ) -> LinearPredictor:
        """Choose the penalty and fit features (clips, features) to labels (clips, dimensions).

        Raises
        ------
        SplitError
            If all clips are of one group.
        """
        mean, scale = _scaling(x)
        standard = (x - mean) / scale
        width = max(1, _width(scale))
        smoother = Smoother.from_features(standard, sample_weight)
        choice = choose_penalty(smoother, y, groups, [width * p for p in self.penalties])
        coefficients = standard.T @ smoother.dual(y, choice.penalty)
        residual = y - standard @ coefficients
        return LinearPredictor(
            mean=mean,
            scale=scale,
            coefficients=coefficients,
            intercept=np.average(residual, axis=0, weights=sample_weight),
            selected=_selected(choice, width),
        )

    @property
    def measures(self) -> tuple[str, ...]:
        """Products of standardised features."""
        return (_PRODUCT,)

    def compare(self, x: NDArray[np.float64], x_new: NDArray[np.float64]) -> Pairs:
        """Multiply clips, standardised on the training part."""
        mean, scale = _scaling(x)
        rows = (x - mean) / scale
        across = (x_new - mean) / scale @ rows.T
        return Pairs(_width(scale), {_PRODUCT: rows @ rows.T}, {_PRODUCT: across})

    def fit_pairs(
        self,
        pairs: Pairs,
        y: NDArray[np.float64],
        groups: NDArray[np.str_],
        sample_weight: NDArray[np.float64] | None = None,
    ) -> DualPredictor:
        """Choose the penalty and fit, by products.

        Raises
        ------
        SplitError
            If all clips are of one group.
        """
        width = max(1, pairs.width)
        products = pairs.within[_PRODUCT]
        smoother = Smoother.from_kernel(products, sample_weight)
        choice = choose_penalty(smoother, y, groups, [width * p for p in self.penalties])
        dual = smoother.dual(y, choice.penalty)
        return DualPredictor(
            dual=dual,
            intercept=np.average(y - products @ dual, axis=0, weights=sample_weight),
            selected=_selected(choice, width),
        )


def _scaling(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of every feature; the deviation of a constant one is infinite."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    varies = deviation > _ROUNDING * np.abs(x).max(axis=0)
    return mean, np.where(varies, deviation, np.inf)


def _width(scale: NDArray[np.float64]) -> int:
    return int(np.isfinite(scale).sum())


def _selected(choice: Choice, width: int) -> dict[str, Any]:
    return {
        "penalty": choice.penalty / width,
        "penalty_at_edge": choice.at_edge,
        "inner_r2": 1 - choice.error,
    }


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the head."""
    return [Ridge]
