from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import ValidationError

from pianobench import Frames, Pooling
from pianobench_statistics import Max, Mean, Quantiles, Std

POOLINGS: list[Pooling] = [Mean(), Std(), Max(), Quantiles()]
STATISTICS: list[Pooling] = [Mean(), Std(), Max()]
values = arrays(
    np.float32,
    array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6),
    elements=st.floats(-1e4, 1e4, width=32),
)


def frames_of(array: np.ndarray) -> Frames:
    return Frames(array, np.arange(array.shape[1]) / 25.0, {})


def test_statistics_are_those_of_their_definition() -> None:
    x = np.random.default_rng(0).normal(3, 2, size=(2, 37, 4)).astype(np.float32)
    mean = x.astype(np.float64).sum(axis=1) / 37
    variance = ((x - mean[:, None]) ** 2).sum(axis=1) / 37
    np.testing.assert_allclose(Mean().pool(frames_of(x)), mean, rtol=1e-12)
    np.testing.assert_allclose(Std().pool(frames_of(x)), np.sqrt(variance), rtol=1e-6)
    np.testing.assert_array_equal(Max().pool(frames_of(x)), np.sort(x, axis=1)[:, -1])


def test_quantiles_interpolate_between_order_statistics() -> None:
    x = np.array([40.0, 10.0, 30.0, 20.0], dtype=np.float32).reshape(1, 4, 1)
    pooled = Quantiles(probabilities=(0.0, 0.25, 0.5, 1.0)).pool(frames_of(x))
    # Position p * (n - 1) among the sorted 10, 20, 30, 40.
    np.testing.assert_allclose(pooled, [[10.0, 17.5, 25.0, 40.0]], rtol=1e-12)


def test_quantiles_stand_side_by_side_each_with_all_features() -> None:
    x = np.random.default_rng(1).normal(size=(3, 20, 5)).astype(np.float32)
    pooled = Quantiles(probabilities=(0.9, 0.2)).pool(frames_of(x))
    assert pooled.shape == (3, 10)
    np.testing.assert_allclose(pooled[:, :5], np.quantile(x.astype(float), 0.9, axis=1), rtol=1e-12)
    np.testing.assert_allclose(pooled[:, 5:], np.quantile(x.astype(float), 0.2, axis=1), rtol=1e-12)


@pytest.mark.parametrize("probabilities", [(), (-0.1,), (0.5, 1.1), (0.5, 0.5), (float("nan"),)])
def test_probabilities_outside_zero_and_one_are_refused(probabilities: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="from 0 to 1"):
        Quantiles(probabilities=probabilities)


@pytest.mark.parametrize("pooling", STATISTICS, ids=lambda p: p.name)
@settings(deadline=None)
@given(x=values, times=st.integers(2, 4))
def test_repeating_a_clip_changes_nothing(pooling: Pooling, x: np.ndarray, times: int) -> None:
    repeated = pooling.pool(frames_of(np.tile(x, (1, times, 1))))
    scale = float(np.abs(x).max()) + 1e-30
    np.testing.assert_allclose(repeated, pooling.pool(frames_of(x)), rtol=1e-9, atol=1e-9 * scale)


@pytest.mark.parametrize("pooling", POOLINGS, ids=lambda p: p.name)
@settings(deadline=None)
@given(x=values, seed=st.integers(0, 99))
def test_the_order_of_frames_plays_no_part(pooling: Pooling, x: np.ndarray, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(x, axis=1)
    scale = float(np.abs(x).max()) + 1e-30
    np.testing.assert_allclose(
        pooling.pool(frames_of(shuffled)),
        pooling.pool(frames_of(x)),
        rtol=1e-9,
        atol=1e-9 * scale,
    )


@settings(deadline=None)
@given(value=st.floats(-(2.0**100), 2.0**100, width=32), count=st.integers(1, 50))
def test_a_constant_has_itself_as_mean_max_and_quantile_and_no_deviation(
    value: float, count: int
) -> None:
    x = frames_of(np.full((1, count, 2), value, dtype=np.float32))
    for pooling in (Mean(), Max(), Quantiles(probabilities=(0.3,))):
        np.testing.assert_allclose(pooling.pool(x), [[value, value]], rtol=1e-12)
    assert Std().pool(x).tolist() == [[0.0, 0.0]]


@settings(deadline=None)
@given(x=values)
def test_layers_are_pooled_independently(x: np.ndarray) -> None:
    for pooling in POOLINGS:
        together = pooling.pool(frames_of(x))
        alone = np.concatenate([pooling.pool(frames_of(layer[None])) for layer in x])
        np.testing.assert_array_equal(together, alone)
