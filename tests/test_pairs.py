"""Comparisons of clips add up."""

from __future__ import annotations

import numpy as np

from pianobench import Pairs


def test_the_sum_is_that_of_every_measure_and_of_the_features_that_vary() -> None:
    def pairs(value: float, width: int) -> Pairs:
        return Pairs(
            width,
            {"a": np.full((3, 3), value), "b": np.full((3, 3), -value)},
            {"a": np.full((2, 3), 10 * value), "b": np.full((2, 3), 0.0)},
        )

    both = pairs(1.0, 4) + pairs(2.0, 5)
    assert both.width == 9
    np.testing.assert_array_equal(both.within["a"], np.full((3, 3), 3.0))
    np.testing.assert_array_equal(both.within["b"], np.full((3, 3), -3.0))
    np.testing.assert_array_equal(both.across["a"], np.full((2, 3), 30.0))
    np.testing.assert_array_equal(both.across["b"], np.zeros((2, 3)))
