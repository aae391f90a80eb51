"""Fitted heads as arrays: nothing but arrays and JSON is stored, and nothing else is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pianobench.array_files import ArrayFile
from pianobench.errors import PluginError, ResultError
from pianobench.predictor_arrays import predictor_from_arrays, predictor_to_arrays


@dataclass(frozen=True)
class Inner:
    weights: np.ndarray
    reach: float


@dataclass(frozen=True)
class Outer:
    inner: Inner
    bias: np.ndarray
    selected: Mapping[str, Any]


FITTED = Outer(Inner(np.eye(2), 0.1), np.array([np.inf, 3.0]), {"penalty": 0.1, "edge": False})


def test_what_was_taken_apart_is_put_together() -> None:
    kept = predictor_to_arrays(FITTED)
    assert set(kept.arrays) == {"inner.weights", "bias"}
    assert set(kept.words) == {"inner.reach", "selected"}
    again = predictor_from_arrays(Outer, kept)
    np.testing.assert_array_equal(again.inner.weights, np.eye(2))
    np.testing.assert_array_equal(again.bias, FITTED.bias)
    assert (again.inner.reach, again.selected) == (0.1, FITTED.selected)


@dataclass
class Grows:
    leaves: object


@pytest.mark.parametrize(
    ("fitted", "why"),
    [(object(), "it is no dataclass"), (Grows(object()), "The field 'leaves' of Grows")],
)
def test_what_holds_objects_is_refused(fitted: object, why: str) -> None:
    with pytest.raises(PluginError, match=why):
        predictor_to_arrays(fitted)


def test_fields_that_are_missing_or_of_another_kind_are_refused() -> None:
    arrays, words = predictor_to_arrays(FITTED)
    with pytest.raises(ResultError, match=r"no Outer as it is installed here: .*inner.reach"):
        predictor_from_arrays(Outer, ArrayFile(arrays, {"selected": "{}"}))
    with pytest.raises(ResultError, match=r"no Outer .* valid number"):
        predictor_from_arrays(Outer, ArrayFile(arrays, {**words, "inner.reach": '"far"'}))
    said = {**words, "bias": "[1]"}
    with pytest.raises(ResultError, match=r"no Outer .*'bias'"):
        predictor_from_arrays(Outer, ArrayFile({"inner.weights": np.eye(2)}, said))


@dataclass(frozen=True)
class Nodes:
    following: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.following.max() >= len(self.following):
            raise ValueError("a node is followed by none")


def test_arrays_of_another_type_or_that_the_class_refuses_are_refused() -> None:
    narrow = np.array([0], dtype=np.int32)
    np.testing.assert_array_equal(
        predictor_from_arrays(Nodes, ArrayFile({"following": narrow}, {})).following, narrow
    )
    for values, why in (
        (np.array([0.0]), "'following' is of float64, where int64 is expected"),
        (np.array([1]), "a node is followed by none"),
        (np.array([], dtype=np.int64), "zero-size"),
    ):
        with pytest.raises(ResultError, match=f"no Nodes as it is installed here: .*{why}"):
            predictor_from_arrays(Nodes, ArrayFile({"following": values}, {}))
