"""Features of a corpus by reference: read from the store where a model is fitted.

A reference is small, so that it travels to worker processes where gigabytes of features would not.
For a head that knows clips by pairs, layers are compared one by one and added up; with a scratch
folder, what was compared once is kept there for every choice of layers that shares it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array_files import read_arrays, write_arrays
from .components import PairwiseHead
from .layer_vectors import LayerVectors
from .layers import Merge, merge
from .pairs import Pairs
from .store import FeatureStore
from .values import Fold

__all__ = ["StoredFeatures"]

_WITHIN, _ACROSS, _WIDTH = "within.", "across.", "width"


@dataclass(frozen=True)
class StoredFeatures:
    """The chosen layers of every clip, in the order of a corpus.

    Attributes
    ----------
    root : Path
        Of the feature store.
    description : mapping
        Of the namespace.
    keys : tuple of str
        One per clip.
    layers : tuple of int
        Ascending.
    how : {"concat", "mean", "weighted"}
        How the layers become one vector.
    scratch : Path, optional
        Folder for comparisons that several models share.
    """

    root: Path
    description: Mapping[str, Any]
    keys: tuple[str, ...]
    layers: tuple[int, ...]
    how: Merge = "concat"
    scratch: Path | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def content(self) -> list[str]:
        """Name the content of every clip: keys are made of what was encoded."""
        return list(self.keys)

    @property
    def adds_up(self) -> bool:
        """Whether comparisons of its layers, added up, are those of the joined vectors."""
        return self.how == "concat" and len(self.layers) > 1

    def read(self) -> NDArray[np.float64] | LayerVectors:
        """Read one vector per clip, shape (clips, features), or layers that are to be weighted."""
        features = merge(self._store.read(self.keys, self.layers), self.how)
        return LayerVectors(features, self.layers) if self.how == "weighted" else features

    def pairs(self, head: PairwiseHead, fold: Fold) -> Pairs:
        """Compare the clips of a fold as a head does, by all layers together.

        The layers are added in ascending order, so that the sum is the same to the last bit
        whatever else was compared before.
        """
        total: Pairs | None = None
        for layer in self.layers:
            found = self._pairs_of_layer(head, fold, layer)
            total = found if total is None else total + found
        if total is None:
            raise ValueError("no layers")
        return total

    @property
    def _store(self) -> FeatureStore:
        return FeatureStore(self.root, self.description)

    def _pairs_of_layer(self, head: PairwiseHead, fold: Fold, layer: int) -> Pairs:
        if self.scratch is None:
            return self._compare(head, fold, layer)
        path = self.scratch / f"{self._key(head, fold, layer)}.safetensors"
        kept = read_arrays(path)
        if kept is not None:
            return _from_arrays(kept.arrays)
        pairs = self._compare(head, fold, layer)
        write_arrays(path, _to_arrays(pairs))
        return pairs

    def _compare(self, head: PairwiseHead, fold: Fold, layer: int) -> Pairs:
        values = self._store.read(self.keys, [layer])[layer].astype(np.float64)
        return head.compare(values[fold.train], values[fold.test])

    def _key(self, head: PairwiseHead, fold: Fold, layer: int) -> str:
        named = [self._store.digest, self.keys, layer, type(head).__qualname__, head.measures]
        sha256 = hashlib.sha256(json.dumps(named).encode())
        sha256.update(fold.train.tobytes() + b"|" + fold.test.tobytes())
        return sha256.hexdigest()


def _to_arrays(pairs: Pairs) -> dict[str, NDArray[Any]]:
    return {
        _WIDTH: np.array([pairs.width]),
        **{_WITHIN + name: values for name, values in pairs.within.items()},
        **{_ACROSS + name: values for name, values in pairs.across.items()},
    }


def _from_arrays(arrays: Mapping[str, NDArray[Any]]) -> Pairs:
    def of(side: str) -> dict[str, NDArray[np.float64]]:
        return {n.removeprefix(side): v for n, v in arrays.items() if n.startswith(side)}

    return Pairs(int(arrays[_WIDTH][0]), of(_WITHIN), of(_ACROSS))
