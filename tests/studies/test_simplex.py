"""Weights on the simplex against a general optimiser and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from pianobench.studies.simplex import error_moments, simplex_weights


def moments_of(seed: int, models: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(30, 1))
    errors = shared + rng.uniform(0.1, 2, models) * rng.normal(size=(30, models))
    return errors.T @ errors / 30


@pytest.mark.parametrize("models", [2, 3, 5])
def test_weights_are_those_of_a_general_optimiser(models: int) -> None:
    for seed in range(5):
        moments = moments_of(seed, models)
        found = minimize(
            lambda w, m=moments: w @ m @ w,
            np.full(models, 1 / models),
            jac=lambda w, m=moments: 2 * m @ w,
            bounds=[(0, 1)] * models,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert simplex_weights(moments) == pytest.approx(found.x, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_two_models_have_the_closed_form(seed: int) -> None:
    moments = moments_of(seed, 2)
    difference = moments[0, 0] + moments[1, 1] - 2 * moments[0, 1]
    first = np.clip((moments[1, 1] - moments[0, 1]) / difference, 0, 1)
    assert simplex_weights(moments) == pytest.approx([first, 1 - first], abs=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.floats(1e-6, 1e6))
def test_no_single_model_and_no_mean_errs_less(seed: int, models: int, scale: float) -> None:
    moments = scale * moments_of(seed, models)
    weights = simplex_weights(moments)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    mean = np.full(models, 1 / models)
    least = min(*np.diag(moments), mean @ moments @ mean) if models > 1 else moments[0, 0]
    assert weights @ moments @ weights <= least * (1 + 1e-9)


def test_models_that_agree_or_never_err_weigh_alike() -> None:
    assert simplex_weights(np.ones((3, 3))) == pytest.approx(np.full(3, 1 / 3))
    assert simplex_weights(np.zeros((2, 2))).tolist() == [0.5, 0.5]


def test_moments_count_the_bias_and_not_dimensions_without_variation() -> None:
    targets = np.array([[0.0, 5.0], [2.0, 5.0]])
    predictions = np.stack([targets + 1, targets - [[1, 1], [3, 1]]])
    moments = error_moments(predictions, targets)
    assert moments[:, :, 0].tolist() == [[1, -2], [-2, 5]]
    assert not moments[:, :, 1].any()
