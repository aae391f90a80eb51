"""Fitted heads as arrays: nothing but arrays and JSON is stored, and nothing else is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

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
