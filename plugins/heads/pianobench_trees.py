"""Extremely randomised trees: a strong regressor on few, differently scaled features.

References
----------
Geurts, Ernst, Wehenkel: Extremely randomized trees. Machine Learning 63, 2006.
https://doi.org/10.1007/s10994-006-6226-1
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from pianobench import Component, Head, hookimpl
from pianobench.errors import ResultError


@dataclass(frozen=True)
class Forest:
    """Fitted trees as arrays, the nodes of all trees one after another.

    Attributes
    ----------
    roots : int array, shape (trees,)
        First node of each tree.
    feature : int array, shape (nodes,)
        What a node asks about.
    threshold : float array, shape (nodes,)
        Clips with a value above it go on to `above`, others to `below`.
    below, above : int array, shape (nodes,)
        The next node, which comes later; a leaf is followed by itself.
    value : float array, shape (nodes, dimensions)
    selected : mapping

    Raises
    ------
    ValueError
        If the arrays are not such trees.
    """

    roots: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    below: NDArray[np.int64]
    above: NDArray[np.int64]
    value: NDArray[np.float64]
    selected: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what is no forest: arrays are also read from files of others."""
        nodes = np.arange(len(self.feature))
        if any(each.shape != nodes.shape for each in (self.threshold, self.below, self.above)):
            raise ValueError("a forest has one feature, threshold and next nodes for every node")
        if self.value.ndim != 2 or len(self.value) != len(nodes):
            raise ValueError("a forest has one row of values for every node")
        if self.roots.ndim != 1 or not len(self.roots) or self.feature.ndim != 1:
            raise ValueError("a forest has one or more trees")
        if not _within(self.roots, len(nodes)) or self.feature.min() < 0:
            raise ValueError("a root or a feature of the forest does not exist")
        for following in (self.below, self.above):
            # Paths only lead forward, so that every one ends.
            if not _within(following, len(nodes)) or (following < nodes).any():
                raise ValueError("a node of the forest is followed by an earlier one, or by none")

    @classmethod
    def of(cls, trees: Sequence[Any]) -> Forest:
        """Join scikit-learn's trees (``sklearn.tree._tree.Tree``)."""
        sizes = [tree.node_count for tree in trees]
        roots = np.cumsum([0, *sizes[:-1]])
        nodes = np.arange(sum(sizes))

        def joined(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(tree, name) for tree in trees])

        leaf = joined("children_left") < 0
        shift = np.repeat(roots, sizes)
        return cls(
            roots=roots,
            feature=np.where(leaf, 0, joined("feature")),
            threshold=joined("threshold"),
            below=np.where(leaf, nodes, joined("children_left") + shift),
            above=np.where(leaf, nodes, joined("children_right") + shift),
            value=joined("value")[:, :, 0],
        )

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict (clips, features) -> (clips, dimensions), to the bit as scikit-learn does.

        Raises
        ------
        ResultError
            If it asks about more features than there are.
        """
        if self.feature.max() >= x.shape[1]:
            raise ResultError(
                f"The trees ask about feature {self.feature.max()}, and clips have {x.shape[1]}. "
                "They were fitted on other features, or are damaged: fit them again."
            )
        single = x.astype(np.float32)  # the precision in which scikit-learn compares
        clips = np.arange(len(x))
        node = np.repeat(self.roots[:, None], len(x), axis=1)
        while True:
            high = single[clips, self.feature[node]] > self.threshold[node]
            following = np.where(high, self.above[node], self.below[node])
            if np.array_equal(following, node):
                break
            node = following
        total = np.zeros((len(x), self.value.shape[1]))
        for leaves in node:
            total += self.value[leaves]
        return total / len(self.roots)


def _within(nodes: NDArray[np.int64], count: int) -> bool:
    return bool(nodes.min() >= 0 and nodes.max() < count)


class ExtraTrees(Head):
    """Extremely randomised trees, every tree predicting all dimensions at once."""

    name: ClassVar[str] = "extra-trees"
    licence: ClassVar[str] = "BSD-3-Clause (scikit-learn)"
    citation: ClassVar[str] = "Geurts, Ernst, Wehenkel 2006, doi:10.1007/s10994-006-6226-1"
    stochastic: ClassVar[bool] = True
    slow: ClassVar[bool] = True
    predictor: ClassVar[type[Forest]] = Forest
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
        regressor.fit(x, labels, sample_weight=sample_weight)
        return Forest.of([tree.tree_ for tree in regressor.estimators_])


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the head."""
    return [ExtraTrees]
