"""The ridge head against scikit-learn's, fitted and selected by brute force."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import linear_model
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pianobench.errors import SplitError
from pianobench_ridge import Ridge


def problem(width, clips=60, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(clips, width)) * rng.uniform(0.1, 90, width) + rng.normal(size=width)
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    y = standard @ rng.normal(size=(width, 4)) / np.sqrt(width) + rng.normal(size=(clips, 4))
    return x, y, rng.integers(0, 7, clips).astype(str), rng.integers(1, 10, clips) / 5


@pytest.mark.parametrize("width", [6, 200])
def test_predictions_are_those_of_scikit_learn_at_the_chosen_penalty(width):
    x, y, groups, weight = problem(width)
    fitted = Ridge().fit(x[:50], y[:50], groups[:50], seed=0, sample_weight=weight[:50])
    oracle = make_pipeline(
        StandardScaler(), linear_model.Ridge(alpha=width * fitted.selected["penalty"])
    )
    oracle.fit(x[:50], y[:50], ridge__sample_weight=weight[:50])
    np.testing.assert_allclose(fitted.predict(x[50:]), oracle.predict(x[50:]), atol=1e-8)


@pytest.mark.parametrize("width", [6, 200])
def test_the_penalty_is_the_one_that_brute_force_selects(width):
    x, y, groups, _ = problem(width)
    standard = StandardScaler().fit_transform(x)
    head = Ridge()
    errors = []
    for penalty in head.penalties:
        model = linear_model.Ridge(alpha=width * penalty)
        predicted = cross_val_predict(model, standard, y, groups=groups, cv=LeaveOneGroupOut())
        errors.append((((y - predicted) ** 2).sum(axis=0) / y.var(axis=0)).mean() / len(y))
    selected = head.fit(x, y, groups, seed=0).selected
    assert selected["penalty"] == pytest.approx(head.penalties[int(np.argmin(errors))])
    assert selected["inner_r2"] == pytest.approx(1 - min(errors), abs=1e-8)


@settings(deadline=None, max_examples=20)
@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3))
def test_the_units_of_the_features_do_not_matter(scale, shift):
    x, y, groups, weight = problem(5)
    plain = Ridge().fit(x, y, groups, seed=0, sample_weight=weight).predict(x)
    other = Ridge().fit(scale * x + shift, y, groups, seed=0, sample_weight=weight)
    np.testing.assert_allclose(other.predict(scale * x + shift), plain, atol=1e-6)


def test_a_constant_feature_changes_nothing_even_where_it_varies_later():
    x, y, groups, _ = problem(5)
    padded = np.hstack([x, np.full((60, 1), 0.1), np.zeros((60, 1))])
    fitted = Ridge().fit(padded, y, groups, seed=0)
    later = padded + np.array([0.0] * 5 + [99.0, -99.0])
    np.testing.assert_allclose(
        fitted.predict(later), Ridge().fit(x, y, groups, seed=0).predict(x), atol=1e-9
    )


def test_without_a_feature_that_varies_it_predicts_the_weighted_mean():
    _, y, groups, weight = problem(5)
    fitted = Ridge().fit(np.ones((60, 3)), y, groups, seed=0, sample_weight=weight)
    mean = np.average(y, axis=0, weights=weight)
    np.testing.assert_allclose(fitted.predict(np.zeros((2, 3))), [mean, mean], atol=1e-12)


def test_features_that_repeat_others_do_not_spoil_the_fit():
    x, y, groups, weight = problem(5)
    twice = np.hstack([x, x])
    once = Ridge(penalties=(0.2,)).fit(x, y, groups, seed=0, sample_weight=weight)
    both = Ridge(penalties=(0.2,)).fit(twice, y, groups, seed=0, sample_weight=weight)
    np.testing.assert_allclose(both.predict(twice), once.predict(x), atol=1e-9)


def test_a_clean_linear_relation_is_found():
    x, _, groups, _ = problem(5)
    y = 0.3 + x @ np.arange(10.0).reshape(5, 2) / 100
    fitted = Ridge(penalties=(1e-9,)).fit(x, y, groups, seed=0)
    np.testing.assert_allclose(fitted.predict(x), y, atol=1e-5)


def test_labels_without_relation_take_the_greatest_penalty_and_the_record_says_so():
    x, y, groups, _ = problem(5)
    noise = np.random.default_rng(3).normal(size=y.shape)
    selected = Ridge(penalties=(1e-3, 1e-2, 1e3)).fit(x, noise, groups, seed=0).selected
    assert selected["penalty"] == pytest.approx(1e3)
    assert selected["penalty_at_edge"] is True


def test_a_fitted_head_travels_and_cannot_be_changed():
    x, y, groups, _ = problem(5)
    fitted = Ridge().fit(x, y, groups, seed=0)
    copy = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copy.predict(x), fitted.predict(x))
    with pytest.raises(dataclasses.FrozenInstanceError):
        fitted.intercept = np.zeros(4)


def test_one_group_is_refused():
    x, y, _, _ = problem(5)
    with pytest.raises(SplitError, match="all 60 of them belong to 'p'"):
        Ridge().fit(x, y, np.full(60, "p"), seed=0)
