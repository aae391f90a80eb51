"""The kernel ridge head against scikit-learn's, fitted and selected by brute force."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import norm, rankdata
from sklearn import kernel_ridge
from sklearn.metrics.pairwise import laplacian_kernel, rbf_kernel

from pianobench.errors import SplitError
from pianobench_kernel import KernelRidge, rank_normal

_FREE = 1e7  # added to a kernel, an intercept that is next to free


def problem(clips=60, width=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(clips, width))
    y = np.sin(2 * x[:, :2]) + 0.3 * rng.normal(size=(clips, 2))
    return x, y, rng.integers(0, 7, clips).astype(str), rng.integers(1, 10, clips) / 5


def by_ranks(x):
    return norm.ppf((rankdata(x, axis=0) - 0.5) / len(x)).clip(-3, 3)


def similarity(kernel, x, bandwidth):
    gamma = 1 / (x.shape[1] * bandwidth)
    return (laplacian_kernel if kernel == "laplacian" else rbf_kernel)(x, gamma=gamma)


@pytest.mark.parametrize("kernel", ["laplacian", "rbf"])
def test_predictions_are_those_of_scikit_learn(kernel):
    x, y, groups, weight = problem()
    head = KernelRidge(kernel=kernel, bandwidths=(2.0,), penalties=(0.3,))
    fitted = head.fit(x, y, groups, seed=0, sample_weight=weight)
    gram = similarity(kernel, by_ranks(x), 2.0) + _FREE
    oracle = kernel_ridge.KernelRidge(kernel="precomputed", alpha=0.3)
    oracle.fit(gram, y, sample_weight=weight)
    np.testing.assert_allclose(fitted.predict(x), oracle.predict(gram), atol=1e-5)


def test_kernel_bandwidth_and_penalty_are_those_that_brute_force_selects():
    x, y, groups, weight = problem()
    head = KernelRidge(bandwidths=(0.3, 1.0, 4.0), penalties=(0.01, 0.1, 1.0))
    rows = by_ranks(x)
    errors = {}
    for kernel in ("laplacian", "rbf"):
        for bandwidth in head.bandwidths:
            gram = similarity(kernel, rows, bandwidth) + _FREE
            for penalty in head.penalties:
                residual = np.empty_like(y)
                for group in np.unique(groups):
                    out = groups == group
                    model = kernel_ridge.KernelRidge(kernel="precomputed", alpha=penalty)
                    model.fit(gram[np.ix_(~out, ~out)], y[~out], sample_weight=weight[~out])
                    residual[out] = y[out] - model.predict(gram[np.ix_(out, ~out)])
                scatter = weight @ (y - np.average(y, axis=0, weights=weight)) ** 2
                error = (weight @ residual**2 / scatter).mean()
                errors[kernel, bandwidth, penalty] = error
    selected = head.fit(x, y, groups, seed=0, sample_weight=weight).selected
    best = min(errors, key=errors.__getitem__)
    assert (selected["kernel"], selected["bandwidth"], selected["penalty"]) == best
    assert selected["inner_r2"] == pytest.approx(1 - errors[best], abs=1e-5)
    assert selected["penalty_at_edge"] is (best[2] != 0.1)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000))
def test_no_increasing_change_of_a_feature_changes_the_model(seed):
    x, y, groups, _ = problem(seed=seed)
    plain = KernelRidge(kernel="laplacian").fit(x, y, groups, seed=0)
    other = KernelRidge(kernel="laplacian").fit(np.exp(x), y, groups, seed=0)
    np.testing.assert_allclose(other.predict(np.exp(x)), plain.predict(x), atol=1e-12)


@given(
    known=arrays.arrays(np.float64, 12, elements=st.integers(-3, 3)),
    new=arrays.arrays(np.float64, 9, elements=st.floats(-5, 5)),
)
def test_rank_normal_values_are_ordered_bounded_and_those_of_middle_ranks(known, new):
    reference = np.sort(known)[:, None]
    np.testing.assert_allclose(
        rank_normal(reference, known[:, None]), by_ranks(known[:, None]), atol=1e-12
    )
    values = rank_normal(reference, np.sort(new)[:, None])[:, 0]
    assert (np.diff(values) >= 0).all()
    assert (np.abs(values) <= 3).all()


def test_the_training_part_alone_sets_the_ranks():
    x, y, groups, _ = problem()
    fitted = KernelRidge(kernel="laplacian").fit(x, y, groups, seed=0)
    alone = fitted.predict(x[:1])
    with_outliers = fitted.predict(np.vstack([x[:1], np.full((5, 5), 1e6)]))
    np.testing.assert_allclose(with_outliers[:1], alone, atol=1e-12)


def test_a_constant_feature_changes_nothing_even_where_it_varies_later():
    x, y, groups, _ = problem()
    padded = np.hstack([x, np.full((60, 1), 0.1), np.zeros((60, 1))])
    fitted = KernelRidge().fit(padded, y, groups, seed=0)
    later = padded + np.array([0.0] * 5 + [99.0, -99.0])
    expected = KernelRidge().fit(x, y, groups, seed=0).predict(x)
    np.testing.assert_allclose(fitted.predict(later), expected, atol=1e-10)


def test_without_a_feature_that_varies_it_predicts_the_weighted_mean():
    _, y, groups, weight = problem()
    fitted = KernelRidge().fit(np.ones((60, 3)), y, groups, seed=0, sample_weight=weight)
    mean = np.average(y, axis=0, weights=weight)
    np.testing.assert_allclose(fitted.predict(np.zeros((2, 3))), [mean, mean], atol=1e-12)


def test_a_clip_far_from_all_others_is_predicted_within_reason():
    x, y, groups, _ = problem()
    fitted = KernelRidge().fit(x, y, groups, seed=0)
    far = fitted.predict(np.full((1, 5), 1e9))
    assert (far > y.min(axis=0) - np.ptp(y, axis=0)).all()
    assert (far < y.max(axis=0) + np.ptp(y, axis=0)).all()


def test_two_groups_and_one_dimension_suffice_and_one_group_is_refused():
    x, y, _, _ = problem()
    fitted = KernelRidge().fit(x, y[:, :1], np.repeat(["a", "b"], 30), seed=0)
    assert fitted.predict(x[:4]).shape == (4, 1)
    with pytest.raises(SplitError, match="all 60 of them belong to 'p'"):
        KernelRidge().fit(x, y, np.full(60, "p"), seed=0)


def test_a_fitted_head_travels_and_cannot_be_changed():
    x, y, groups, _ = problem()
    fitted = KernelRidge().fit(x, y, groups, seed=0)
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict(x), fitted.predict(x))
    with pytest.raises(dataclasses.FrozenInstanceError):
        fitted.reach = 2.0
