"""Kernel ridge on rank-normal features: the regressor that many differently scaled ones suit.

References
----------
Saunders, Gammerman, Vovk: Ridge regression learning algorithm in dual variables. ICML 1998.
https://eprints.soton.ac.uk/258942/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat

from pianobench import Component, Pairs, PairwiseHead, hookimpl
from pianobench.leave_out import Choice, Smoother, choose_penalty

Floats = NDArray[np.float64]
Shape = Literal["laplacian", "rbf"]

_FURTHEST = 3.0  # standard deviations; an outlier says no more than that it is one
_METRICS: Mapping[Shape, Literal["cityblock", "sqeuclidean"]] = {
    "laplacian": "cityblock",
    "rbf": "sqeuclidean",
}


@dataclass(frozen=True)
class Similarity:
    """Which training clips resemble a new one, and what each of them says.

    Attributes
    ----------
    kernel : {"laplacian", "rbf"}
    reach : float
        Summed difference at which the similarity has fallen to 1/e.
    dual : float array, shape (training clips, dimensions)
    intercept : float array, shape (dimensions,)
    selected : mapping
    """

    kernel: Shape
    reach: float
    dual: Floats
    intercept: Floats
    selected: Mapping[str, Any]

    def predict_pairs(self, across: Mapping[str, Floats]) -> Floats:
        """Predict by summed differences, (clips, training clips) -> (clips, dimensions)."""
        predicted: Floats = np.exp(-across[self.kernel] / self.reach) @ self.dual + self.intercept
        return predicted


@dataclass(frozen=True)
class KernelPredictor:
    """Similarity to the training clips, weighted.

    Attributes
    ----------
    sorted_features : float array, shape (training clips, features)
        Every feature's training values in order: what turns a value into its rank.
    rows : float array, shape (training clips, features)
        The training clips, rank-normal.
    similarity : Similarity
    """

    sorted_features: Floats
    rows: Floats
    similarity: Similarity

    @property
    def selected(self) -> Mapping[str, Any]:
        """Kernel, bandwidth and penalty, and how well they did inside the training part."""
        return self.similarity.selected

    def predict(self, x: Floats) -> Floats:
        """Predict (clips, features) -> (clips, dimensions)."""
        rows = rank_normal(self.sorted_features, x)
        return self.similarity.predict_pairs(_across(rows, self.rows, (self.similarity.kernel,)))


class KernelRidge(PairwiseHead):
    """Kernel ridge with an intercept that is not penalised, one kernel for all dimensions.

    Each feature is made normal through its ranks in the training part and clipped at three
    standard deviations. Similarity is ``exp(-mean |difference| / bandwidth)`` (laplacian) or
    ``exp(-mean difference^2 / bandwidth)`` (rbf), the mean over features that vary. Kernel,
    bandwidth and penalty are those of the least exact leave-group-out error
    (`pianobench.leave_out`). Time and memory grow with the square of the clips: 900 clips of 98
    features fit in about a second, of 12,288 features in about ten.
    """

    name: ClassVar[str] = "kernel-ridge"
    licence: ClassVar[str] = "MIT"
    citation: ClassVar[str] = "Saunders, Gammerman, Vovk 1998"
    predictor: ClassVar[type[KernelPredictor]] = KernelPredictor
    kernel: Literal["auto", "laplacian", "rbf"] = "auto"
    """Shape of the similarity; auto chooses inside the training part."""
    bandwidths: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (1.0, 2.0)
    """Mean differences at which similarity falls to 1/e, to choose from."""
    penalties: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] = (
        *(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5),
        *(0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0),
    )
    """Penalties to choose from; the similarity of a clip to itself is 1."""

    def fit(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        groups: NDArray[np.str_],
        seed: int,  # noqa: ARG002 - the solution is unique
        sample_weight: NDArray[np.float64] | None = None,
    ) -> KernelPredictor:
        """Choose kernel, bandwidth and penalty, and fit.

        Parameters
        ----------
        x : array, shape (clips, features)
        y : array, shape (clips, dimensions)
        groups : array of str, shape (clips,)
        seed : int
            Not used.
        sample_weight : array, shape (clips,), optional

        Raises
        ------
        SplitError
            If all clips are of one group.
        """
        sorted_features = np.sort(x, axis=0)
        rows = rank_normal(sorted_features, x)
        pairs = Pairs(_width(x), _within(rows, self.measures), {})
        fitted = self.fit_pairs(pairs, y, groups, sample_weight)
        return KernelPredictor(sorted_features, rows, fitted)

    @property
    def measures(self) -> tuple[Shape, ...]:
        """The kernels to choose from: each rests on summed differences of its own."""
        return tuple(_METRICS) if self.kernel == "auto" else (self.kernel,)

    def compare(self, x: NDArray[np.float64], x_new: NDArray[np.float64]) -> Pairs:
        """Sum the differences of rank-normal features, for each kernel."""
        sorted_features = np.sort(x, axis=0)
        rows, new = rank_normal(sorted_features, x), rank_normal(sorted_features, x_new)
        across = _across(new, rows, self.measures)
        return Pairs(_width(x), _within(rows, self.measures), across)

    def fit_pairs(
        self,
        pairs: Pairs,
        y: NDArray[np.float64],
        groups: NDArray[np.str_],
        sample_weight: NDArray[np.float64] | None = None,
    ) -> Similarity:
        """Choose kernel, bandwidth and penalty, and fit, by summed differences.

        Raises
        ------
        SplitError
            If all clips are of one group.
        """
        width = max(1, pairs.width)
        candidates: list[tuple[Choice, Shape, float, Smoother, Floats]] = []
        for shape in self.measures:
            for bandwidth in self.bandwidths:
                similarity = np.exp(-pairs.within[shape] / (width * bandwidth))
                smoother = Smoother.from_kernel(similarity, sample_weight)
                choice = choose_penalty(smoother, y, groups, self.penalties)
                candidates.append((choice, shape, bandwidth, smoother, similarity))
        choice, shape, bandwidth, smoother, similarity = min(candidates, key=lambda c: c[0].error)
        dual = smoother.dual(y, choice.penalty)
        return Similarity(
            kernel=shape,
            reach=width * bandwidth,
            dual=dual,
            intercept=np.average(y - similarity @ dual, axis=0, weights=sample_weight),
            selected={
                "kernel": shape,
                "bandwidth": bandwidth,
                "penalty": choice.penalty,
                "penalty_at_edge": choice.at_edge,
                "inner_r2": 1 - choice.error,
            },
        )


def _width(x: Floats) -> int:
    return int((np.ptp(x, axis=0) > 0).sum())


def _within(rows: Floats, shapes: tuple[Shape, ...]) -> dict[str, Floats]:
    """Differences of all pairs of clips, summed over features, for each kernel."""
    from scipy.spatial.distance import pdist, squareform

    return {shape: squareform(pdist(rows, _METRICS[shape])) for shape in shapes}


def _across(new: Floats, rows: Floats, shapes: tuple[Shape, ...]) -> dict[str, Floats]:
    from scipy.spatial.distance import cdist

    return {shape: cdist(new, rows, _METRICS[shape]) for shape in shapes}


def rank_normal(sorted_features: Floats, x: Floats) -> Floats:
    """Replace every value by the normal deviate of its rank among the training values.

    Ties take their middle rank, values between two training values are interpolated, and values
    outside take the end's, so that a constant feature is zero whatever is asked of it.

    Parameters
    ----------
    sorted_features : array, shape (training clips, features)
    x : array, shape (clips, features)

    Returns
    -------
    float array, shape (clips, features)
        Within three standard deviations of zero.
    """
    from scipy.special import ndtri

    ranks = np.empty(x.shape)
    for column, (known, values) in enumerate(zip(sorted_features.T, x.T, strict=True)):
        known = np.ascontiguousarray(known)
        below = np.searchsorted(known, known, side="left")
        middle = (below + np.searchsorted(known, known, side="right")) / (2 * len(known))
        ranks[:, column] = np.interp(values, known, middle)
    normal: Floats = np.clip(ndtri(ranks), -_FURTHEST, _FURTHEST)
    return normal


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the head."""
    return [KernelRidge]
