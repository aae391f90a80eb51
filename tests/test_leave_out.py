"""The closed form against models that were in truth fitted without the group."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import laplacian_kernel

from pianobench.errors import SplitError, StatisticsError
from pianobench.leave_out import Smoother, choose_penalty, leave_group_out

PENALTIES = (0.01, 1.0, 100.0)


def problem(width, clips=40, dimensions=3, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(clips, width))
    y = x @ rng.normal(size=(width, dimensions)) / np.sqrt(width) + rng.normal(
        size=(clips, dimensions)
    )
    groups = rng.integers(0, 6, clips).astype(str)
    weight = rng.integers(1, 9, clips) / 4
    return x, y, groups, weight


def refitted(x, y, groups, weight, penalty):
    residuals = np.empty_like(y)
    for group in np.unique(groups):
        out = groups == group
        model = Ridge(alpha=penalty).fit(x[~out], y[~out], sample_weight=weight[~out])
        residuals[out] = y[out] - model.predict(x[out])
    return residuals


@pytest.mark.parametrize("width", [1, 7, 40, 130])
def test_residuals_of_ridge_are_those_of_refitting_without_each_group(width):
    x, y, groups, weight = problem(width)
    residuals = leave_group_out(Smoother.from_features(x, weight), y, groups, PENALTIES)
    for penalty, closed in zip(PENALTIES, residuals, strict=True):
        np.testing.assert_allclose(closed, refitted(x, y, groups, weight, penalty), atol=1e-8)


def test_residuals_of_a_kernel_are_those_of_refitting_without_each_group():
    x, y, groups, weight = problem(5)
    kernel = laplacian_kernel(x)
    (closed,) = leave_group_out(Smoother.from_kernel(kernel, weight), y, groups, [0.3])
    # A large constant added to the kernel is an intercept that is next to free.
    free = kernel + 1e7
    expected = np.empty_like(y)
    for group in np.unique(groups):
        out = groups == group
        model = KernelRidge(kernel="precomputed", alpha=0.3)
        model.fit(free[np.ix_(~out, ~out)], y[~out], sample_weight=weight[~out])
        expected[out] = y[out] - model.predict(free[np.ix_(out, ~out)])
    np.testing.assert_allclose(closed, expected, atol=1e-5)


def test_a_kernel_of_features_gives_what_the_features_give():
    x, y, groups, weight = problem(7)
    by_features = leave_group_out(Smoother.from_features(x, weight), y, groups, PENALTIES)
    by_kernel = leave_group_out(Smoother.from_kernel(x @ x.T, weight), y, groups, PENALTIES)
    np.testing.assert_allclose(by_kernel, by_features, atol=1e-9)


def test_dual_coefficients_of_features_give_the_coefficients_of_ridge():
    x, y, _, weight = problem(7)
    for offset in (0.0, 50.0):
        dual = Smoother.from_features(x + offset, weight).dual(y, 2.0)
        expected = Ridge(alpha=2.0).fit(x, y, sample_weight=weight).coef_.T
        np.testing.assert_allclose((x + offset).T @ dual, expected, atol=1e-9)


def test_features_that_depend_on_others_do_not_leak_into_the_intercept():
    x, y, groups, weight = problem(7)
    x = np.hstack([x, x[:, :3] - x[:, 3:6], np.ones((len(x), 2))])
    smoother = Smoother.from_features(x, weight)
    np.testing.assert_allclose(smoother.dual(y, 1e-6).sum(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(
        leave_group_out(smoother, y, groups, [0.5])[0],
        refitted(x, y, groups, weight, 0.5),
        atol=1e-8,
    )


def test_without_weights_every_clip_counts_the_same():
    x, y, groups, _ = problem(7)
    plain = leave_group_out(Smoother.from_features(x), y, groups, PENALTIES)
    ones = leave_group_out(Smoother.from_features(x, np.ones(len(x))), y, groups, PENALTIES)
    np.testing.assert_array_equal(plain, ones)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 30))
def test_neither_the_order_of_clips_nor_the_names_of_groups_matter(seed, width):
    x, y, groups, weight = problem(width, clips=20, seed=seed)
    order = np.random.default_rng(seed).permutation(len(x))
    renamed = np.char.add("z", groups)[order]
    if len(set(groups)) < 2:
        return
    first = leave_group_out(Smoother.from_features(x, weight), y, groups, [0.1])
    second = leave_group_out(
        Smoother.from_features(x[order], weight[order]), y[order], renamed, [0.1]
    )
    np.testing.assert_allclose(second[0], first[0][order], atol=1e-7)


def test_the_chosen_penalty_has_the_least_error_of_refitting():
    x, y, groups, weight = problem(30)
    penalties = (1.0, 10.0, 30.0, 100.0, 1000.0)
    chosen = choose_penalty(Smoother.from_features(x, weight), y, groups, penalties)
    scatter = weight @ (y - np.average(y, axis=0, weights=weight)) ** 2
    errors = [(weight @ refitted(x, y, groups, weight, p) ** 2 / scatter).mean() for p in penalties]
    assert chosen.penalty == penalties[int(np.argmin(errors))]
    assert chosen.error == pytest.approx(min(errors), abs=1e-9)
    assert not chosen.at_edge


def test_no_dimension_rules_by_its_range_and_one_that_does_not_vary_says_nothing():
    x, y, groups, weight = problem(30)
    smoother = Smoother.from_features(x, weight)
    plain = choose_penalty(smoother, y, groups, PENALTIES)
    stretched = choose_penalty(smoother, y * [1.0, 1000.0, 0.001], groups, PENALTIES)
    padded = choose_penalty(smoother, np.hstack([y, np.full((40, 1), 0.1)]), groups, PENALTIES)
    assert stretched.penalty == padded.penalty == plain.penalty
    assert stretched.error == pytest.approx(plain.error)
    assert padded.error == pytest.approx(plain.error)


def test_the_edge_of_a_grid_is_told_unless_it_holds_one_penalty():
    x, y, groups, _ = problem(3)
    noise = np.random.default_rng(1).normal(size=y.shape)
    smoother = Smoother.from_features(x)
    assert choose_penalty(smoother, noise, groups, (1e-3, 1e-2, 1e6)).at_edge
    assert not choose_penalty(smoother, noise, groups, (1.0,)).at_edge


def test_one_group_is_refused_with_the_number_of_clips():
    x, y, _, _ = problem(3)
    with pytest.raises(SplitError, match=r"all 40 of them belong to 'only'.*Choose a protocol"):
        leave_group_out(Smoother.from_features(x), y, np.full(40, "only"), PENALTIES)


def test_a_penalty_of_zero_is_refused():
    x, y, groups, _ = problem(3)
    with pytest.raises(StatisticsError, match=r"\(1.0, 0.0\); each must be above zero"):
        leave_group_out(Smoother.from_features(x), y, groups, (1.0, 0.0))


@pytest.mark.parametrize("weight", [np.zeros(40), np.full(40, np.nan), np.ones(39)])
def test_weights_that_are_no_positive_number_per_clip_are_refused(weight):
    x, _, _, _ = problem(3)
    with pytest.raises(StatisticsError, match=r"must be 40 finite numbers above zero"):
        Smoother.from_features(x, weight)
    with pytest.raises(StatisticsError, match=r"must be 40 finite numbers above zero"):
        Smoother.from_kernel(x @ x.T, weight)
