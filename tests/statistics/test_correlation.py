from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from pianobench import metrics, statistics
from pianobench.errors import StatisticsError


def test_shared_label_noise_is_taken_out():
    rng = np.random.default_rng(0)
    clips = 40_000
    truth = rng.normal(size=(clips, 3))
    labels = truth + rng.normal(size=(clips, 3)) * 0.6
    shared = rng.normal(size=(clips, 3)) * 0.5
    models = [truth + shared + rng.normal(size=(clips, 3)) * 0.5 for _ in range(2)]
    reliability = np.full(3, 1 / (1 + 0.36))
    found = statistics.error_correlation(labels, *models, reliability)
    assert found.corrected == pytest.approx(0.5, abs=0.02)
    assert found.raw == pytest.approx((0.25 + 0.36) / (0.5 + 0.36), abs=0.02)
    np.testing.assert_allclose(found.corrected_per_dimension, 0.5, atol=0.03)


def test_raw_correlation_per_dimension_is_pearsons(small):
    first, second = small.predictions[:2]
    found = statistics.error_correlation(small.targets, first, second, np.ones(3))
    for d in range(3):
        a, b = first[:, d] - small.targets[:, d], second[:, d] - small.targets[:, d]
        assert found.raw_per_dimension[d] == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert found.corrected == pytest.approx(found.raw)


def test_errors_no_larger_than_the_noise_have_no_corrected_correlation(small):
    first, second = small.predictions[:2]
    found = statistics.error_correlation(small.targets, first, second, np.array([1.0, 0.0, 1.0]))
    assert np.isnan(found.corrected_per_dimension).tolist() == [False, True, False]


@pytest.mark.parametrize("reliability", [np.ones(2), np.array([0.5, 1.2, 0.5])])
def test_reliability_that_does_not_fit_is_refused(small, reliability):
    with pytest.raises(StatisticsError, match="one value from 0 to 1 for each of 3"):
        statistics.error_correlation(small.targets, *small.predictions[:2], reliability)


def test_the_bound_is_the_fit_of_scikit_learn(small):
    found = statistics.fusion_bound(small.targets, small.predictions)
    for d in range(3):
        x = small.predictions[:, :, d].T
        fit = LinearRegression().fit(x, small.targets[:, d])
        assert found[d] == pytest.approx(fit.score(x, small.targets[:, d]), abs=1e-10)


@given(weight=st.floats(-1, 2), offset=st.floats(-1, 1), seed=st.integers(0, 1_000))
def test_no_fusion_exceeds_the_bound(weight, offset, seed):
    rng = np.random.default_rng(seed)
    y, p = rng.normal(size=(30, 2)), rng.normal(size=(2, 30, 2))
    fused = offset + weight * p[0] + (1 - weight) * p[1]
    assert (metrics.pooled_r2(y, fused) <= statistics.fusion_bound(y, p) + 1e-9).all()


def test_a_copy_adds_nothing_to_the_bound(small):
    once = statistics.fusion_bound(small.targets, small.predictions[:2])
    copies = statistics.fusion_bound(small.targets, small.predictions[[0, 1, 0]])
    np.testing.assert_allclose(copies, once, atol=1e-10)


def test_a_single_prediction_matrix_is_refused(small):
    with pytest.raises(StatisticsError, match=r"shape \(120, 3\), expected \[model"):
        statistics.fusion_bound(small.targets, small.predictions[0])
