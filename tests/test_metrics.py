from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score

from pianobench import metrics
from pianobench.errors import StatisticsError


@pytest.fixture
def y() -> np.ndarray:
    return np.random.default_rng(0).normal(0.5, 0.1, size=(60, 4))


@pytest.fixture
def p(y: np.ndarray) -> np.ndarray:
    return y + np.random.default_rng(1).normal(0.01, 0.08, size=y.shape)


passages = np.arange(60) // 7
folds = np.array(["a", "b", "c"])[np.arange(60) % 3]


def test_pooled_r2_equals_scikit_learn(y, p):
    expected = r2_score(y, p, multioutput="raw_values")
    np.testing.assert_allclose(metrics.pooled_r2(y, p), expected, rtol=0, atol=1e-12)


def test_pooled_r2_takes_several_models_at_once(y, p):
    both = metrics.pooled_r2(y, np.stack([p, y]))
    np.testing.assert_allclose(both, [metrics.pooled_r2(y, p), np.ones(4)], atol=1e-12)


def test_r2_per_fold_equals_a_loop(y, p):
    expected = [r2_score(y[folds == f], p[folds == f]) for f in "abc"]
    np.testing.assert_allclose(metrics.r2_per_fold(y, p, folds), expected, atol=1e-12)


def test_within_passage_r2_ignores_what_a_passage_has_in_common(y, p):
    shift = np.random.default_rng(2).normal(size=(9, 4))[passages]
    once = metrics.within_passage_r2(y, p, passages)
    np.testing.assert_allclose(metrics.within_passage_r2(y, p + shift, passages), once, atol=1e-10)


def test_within_passage_r2_of_the_passage_means_is_zero(y):
    means = np.stack([y[passages == g].mean(axis=0) for g in passages])
    np.testing.assert_allclose(metrics.within_passage_r2(y, means, passages), 0, atol=1e-12)


def test_within_passage_accuracy_equals_counting_pairs(y, p):
    y, p = y.round(1), p.round(1)  # ties in both
    right, pairs = np.zeros(4), np.zeros(4)
    for i in range(60):
        for j in range(60):
            above = (y[i] > y[j]) & (passages[i] == passages[j])
            right += above * np.where(p[i] > p[j], 1.0, np.where(p[i] == p[j], 0.5, 0.0))
            pairs += above
    found = metrics.within_passage_accuracy(y, p, passages)
    np.testing.assert_allclose(found, right / pairs, atol=1e-12)


def test_labels_that_differ_by_rounding_are_tied(y, p):
    y = y.round(1)
    noisy = y + np.random.default_rng(3).normal(0, 1e-15, size=y.shape)
    np.testing.assert_array_equal(
        metrics.within_passage_accuracy(y, p, passages),
        metrics.within_passage_accuracy(noisy, p, passages),
    )


def test_spearman_equals_scipy_with_ties(y, p):
    y, p = y.round(1), p.round(1)
    expected = [spearmanr(y[:, d], p[:, d]).statistic for d in range(4)]
    np.testing.assert_allclose(metrics.spearman(y, p), expected, atol=1e-12)


def test_spearman_of_constant_predictions_is_zero(y):
    np.testing.assert_array_equal(metrics.spearman(y, np.full_like(y, 0.3)), 0)


def test_mean_absolute_error_equals_scikit_learn(y, p):
    expected = mean_absolute_error(y, p, multioutput="raw_values")
    np.testing.assert_allclose(metrics.mean_absolute_error(y, p), expected, atol=1e-12)


def test_concordance_is_correlation_times_bias_correction(y, p):
    for d in range(4):
        a, b = y[:, d], p[:, d]
        ratio = a.std() / b.std()
        shift = (a.mean() - b.mean()) ** 2 / (a.std() * b.std())
        expected = np.corrcoef(a, b)[0, 1] * 2 / (ratio + 1 / ratio + shift)
        assert metrics.concordance(y, p)[d] == pytest.approx(expected, abs=1e-12)


def test_evaluate_gives_every_metric(y, p):
    human = np.arange(60) % 5 > 0
    found = metrics.evaluate(y, p, passages, folds, human)
    np.testing.assert_array_equal(found.r2, metrics.pooled_r2(y, p))
    np.testing.assert_array_equal(found.r2_human, metrics.pooled_r2(y[human], p[human]))
    assert set(found.summary()) == set(vars(found))
    assert found.summary()["r2"] == pytest.approx(r2_score(y, p), abs=1e-12)


def test_evaluate_leaves_out_what_is_not_defined(y, p):
    found = metrics.evaluate(y, p, passages=np.arange(60), folds=np.arange(60))
    assert found.r2_per_fold is None
    assert found.r2_human is None
    assert found.r2_within_passage is None
    assert found.accuracy_within_passage is None
    assert set(found.summary()) == {"r2", "spearman", "mae", "ccc"}


def test_a_value_that_is_not_finite_is_refused_with_its_place(y, p):
    p[3, 2] = np.nan
    with pytest.raises(StatisticsError, match=r"predictions hold 1 values .* at \(3, 2\): nan"):
        metrics.pooled_r2(y, p)
    with pytest.raises(StatisticsError, match=r"targets hold 1 values"):
        metrics.pooled_r2(p, y)


def test_shapes_that_disagree_are_refused(y, p):
    with pytest.raises(StatisticsError, match=r"shape \(60, 4\), predictions \(59, 4\)"):
        metrics.pooled_r2(y, p[1:])
    with pytest.raises(StatisticsError, match=r"groups have shape \(59,\), but there are 60"):
        metrics.within_passage_r2(y, p, passages[1:])
    with pytest.raises(StatisticsError, match="human mask have shape"):
        metrics.evaluate(y, p, passages, folds, np.ones(59, dtype=bool))


def test_a_constant_dimension_is_refused_by_number(y, p):
    y[:, [1, 3]] = 0.5
    with pytest.raises(StatisticsError, match=r"constant in dimension \[1, 3\] over 60 clips"):
        metrics.pooled_r2(y, p)


def test_no_pair_to_order_is_refused(y, p):
    with pytest.raises(StatisticsError, match=r"no passage holds two clips .* dimension \[0, 1"):
        metrics.within_passage_accuracy(y, p, np.arange(60))


def test_an_empty_set_of_clips_is_refused():
    with pytest.raises(StatisticsError, match="over 0 clips"):
        metrics.pooled_r2(np.zeros((0, 2)), np.zeros((0, 2)))


@given(seed=st.integers(0, 10_000))
def test_the_order_of_clips_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    y, p = rng.normal(size=(2, 30, 2))
    groups, order = rng.integers(0, 4, 30), rng.permutation(30)
    once = metrics.evaluate(y, p, groups, groups % 2).summary()
    again = metrics.evaluate(y[order], p[order], groups[order], groups[order] % 2).summary()
    assert again == pytest.approx(once, abs=1e-12)


@given(seed=st.integers(0, 10_000), shift=st.floats(-10, 10), scale=st.floats(0.01, 100))
def test_shift_and_scale_of_the_labels_do_not_matter(seed, shift, scale):
    rng = np.random.default_rng(seed)
    y, p = rng.normal(size=(2, 30, 2))
    groups = rng.integers(0, 4, 30)
    once = metrics.evaluate(y, p, groups, groups % 2).summary()
    again = metrics.evaluate(shift + scale * y, shift + scale * p, groups, groups % 2).summary()
    assert again.pop("mae") == pytest.approx(scale * once.pop("mae"))
    assert again == pytest.approx(once, abs=1e-7)
