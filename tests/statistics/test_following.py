"""How far predictions follow what differs within groups, against regressions and simulations."""

from __future__ import annotations

import numpy as np
import pytest

from pianobench.errors import StatisticsError
from pianobench.statistics import true_deviations, within_slope


def rated(groups: int, takes: int, dimensions: int, seed: int):
    """True labels of takes by group, and ratings of 12 raters of whom 8 rate each group.

    A rater has a bias, another for every group, and errs anew for every take.
    """
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), takes)
    true = rng.normal(size=(groups, dimensions))[group] + rng.normal(size=(len(group), dimensions))
    rater, clip, values = [], [], []
    bias = rng.normal(size=(12, dimensions))
    for g in range(groups):
        for who in rng.permutation(12)[:8]:
            own = bias[who] + 2 * rng.normal(size=dimensions)
            for take in np.flatnonzero(group == g):
                rater.append(who)
                clip.append(take)
                values.append(true[take] + own + 2 * rng.normal(size=dimensions))
    return true, group, np.array(rater), np.array(clip), np.array(values)


def test_without_noise_the_slope_is_that_of_a_regression_with_group_means() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(6), [3, 4, 2, 6, 5, 3])
    y = rng.normal(size=(23, 1)) + groups[:, None]
    p = 0.4 * y + rng.normal(size=y.shape) / 3
    dummies = (groups[:, None] == np.unique(groups)).astype(float)
    slope = sm.OLS(p[:, 0], np.hstack([y, dummies])).fit().params[0]
    found = within_slope(y, p, groups)
    assert found.estimate[0] == pytest.approx(slope)
    left_out = [
        within_slope(y[groups != g], p[groups != g], groups[groups != g]).estimate[0]
        for g in range(6)
    ]
    assert found.standard_error[0] == pytest.approx(np.sqrt(5 * np.var(left_out)))


def test_halves_of_the_raters_give_the_true_variance_whatever_raters_share() -> None:
    true, groups, rater, clip, values = rated(120, 5, 4, 0)
    found = true_deviations(rater, clip, values, groups, seed=1, splits=30)
    means = true.reshape(120, 5, 4).mean(axis=1)[groups]
    expected = ((true - means) ** 2).sum(axis=0) / (120 * 4)
    np.testing.assert_allclose(found.variance, expected, atol=0.15)
    labels = np.array([values[clip == take].mean(axis=0) for take in range(600)])
    # Eight ratings of standard deviation 2 add a half to the variance of the labels.
    assert np.abs(labels.reshape(120, 5, 4).var(axis=1, ddof=1).mean(axis=0) - expected).min() > 0.3


def test_noise_of_the_labels_no_longer_flattens_the_slope() -> None:
    true, groups, rater, clip, values = rated(120, 5, 6, 2)
    labels = np.array([values[clip == take].mean(axis=0) for take in range(600)])
    deviations = true_deviations(rater, clip, values, groups, seed=3, splits=30)
    found = within_slope(labels, 0.6 * true, groups, deviations)
    assert (within_slope(labels, 0.6 * true, groups).high < 0.5).all()
    assert np.mean((found.low < 0.6) & (found.high > 0.6)) >= 5 / 6
    np.testing.assert_allclose(found.estimate, 0.6, atol=0.1)


def test_one_split_is_what_can_be_worked_out_by_hand() -> None:
    values = np.array([[1.0], [3], [2], [6], [5], [np.nan]])
    found = true_deviations(
        np.array([0, 1, 0, 1, 0, 1]), np.array([0, 0, 1, 1, 2, 2]), values, np.zeros(3), seed=0
    )
    # The third clip lacks a rating, so that two remain: 1 and 2 by the one, 3 and 6 by the other.
    np.testing.assert_allclose(found.products[:, 0], [0.75, 0.75, 0])
    np.testing.assert_allclose(found.freedom, [0.5, 0.5, 0])
    assert found.variance[0] == pytest.approx(1.5)


def test_where_labels_differ_by_noise_alone_nothing_is_claimed() -> None:
    y = np.random.default_rng(4).normal(size=(30, 1))
    groups = np.repeat(np.arange(10), 3)
    nothing = true_deviations(
        np.tile([0, 1], 30),
        np.repeat(np.arange(30), 2),
        np.tile([[1.0], [0.0]], (30, 1)),
        groups,
        0,
    )
    assert np.isnan(within_slope(y, y, groups, nothing).estimate[0])


def test_arrays_that_disagree_and_raters_that_are_alone_are_refused() -> None:
    y, groups = np.random.default_rng(6).normal(size=(12, 2)), np.repeat(np.arange(6), 2)
    with pytest.raises(StatisticsError, match="predictions have shape"):
        within_slope(y, y[:, :1], groups)
    with pytest.raises(StatisticsError, match="no group of 12 clips has two that two halves"):
        true_deviations(np.zeros(12), np.arange(12), y, groups, seed=0)
