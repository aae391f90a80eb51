"""Columns at mean 0 and deviation 1, however many clips there are."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from pianobench.standardisation import Standardisation

pytest.importorskip("torch", reason="torch is not installed")


@pytest.mark.parametrize("clips", [1, 63, 64, 65, 200])
def test_columns_are_scaled_as_by_scikit_learn(clips: int) -> None:
    random = np.random.default_rng(0)
    measured = random.normal([0, 50, -3], [1, 10, 0.1], size=(30, 3))
    new = random.normal([0, 50, -3], [1, 10, 0.1], size=(clips, 3))
    found = Standardisation.of(measured).apply(new).numpy()
    expected = StandardScaler().fit(measured).transform(new)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert found.dtype == np.float32


def test_none_leaves_columns_as_they_are() -> None:
    values = np.array([[1.0, -2.0], [0.5, 4.0]])
    np.testing.assert_array_equal(Standardisation.none(2).apply(values).numpy(), values)
