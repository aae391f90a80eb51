from __future__ import annotations

import numpy as np
import pytest

from pianobench.errors import StatisticsError
from pianobench.statistics.crossed import crossed_effects, draws, equally_good


@pytest.fixture(scope="module")
def effects(make_sample):
    sample = make_sample([40, 30, 20, *([10] * 20)], dimensions=2, models=2, seed=3)
    return crossed_effects(
        sample.targets, sample.predictions, sample.passages, sample.performers, sample.fixed
    )


def test_the_parts_are_covariances(effects):
    for covariance in effects.covariances:
        np.testing.assert_allclose(covariance, covariance.T, atol=1e-15)
        assert np.linalg.eigvalsh(covariance).min() > -1e-12


def test_a_fit_to_simulated_data_returns_passages_and_performers(effects):
    passages, performers, _, _ = effects.members
    found = []
    for targets, predictions in draws(effects, 150, np.random.default_rng(0)):
        again = crossed_effects(targets, predictions, passages, performers, ~effects.drawn)
        found.append([np.diag(covariance) for covariance in again.covariances[:2]])
    error = np.std(found, axis=0) / np.sqrt(150)
    expected = np.array([np.diag(covariance) for covariance in effects.covariances])
    # Making small estimates positive semidefinite moves them upwards a little.
    tolerance = 4 * error + 0.03 * expected.sum(axis=0)
    assert (np.abs(np.mean(found, axis=0) - expected[:2]) < tolerance).all()


def test_simulated_clips_have_the_variance_of_the_sum(effects):
    drawn = np.array([y for y, _ in draws(effects, 800, np.random.default_rng(0))])
    human = drawn[:, effects.drawn]
    expected = effects.covariances.sum(axis=0)[[0, 1], [0, 1]]
    np.testing.assert_allclose(human.var(axis=0).mean(axis=0), expected, rtol=0.05)


def test_fixed_performers_keep_their_mean(effects):
    drawn = np.array([y for y, _ in draws(effects, 800, np.random.default_rng(0))])
    machine = ~effects.drawn
    found = drawn[:, machine].mean(axis=(0, 1))
    np.testing.assert_allclose(found, effects.mean[machine].mean(axis=0)[:2], atol=0.01)


def test_models_made_equally_good_are_exchangeable(effects):
    balanced = equally_good(effects)
    swap = [0, 1, 4, 5, 2, 3]
    np.testing.assert_array_equal(balanced.mean, balanced.mean[:, swap])
    np.testing.assert_allclose(
        balanced.covariances, balanced.covariances[:, swap][:, :, swap], atol=1e-15
    )


def test_a_design_without_repetition_is_refused(small):
    alone = np.arange(120)
    with pytest.raises(StatisticsError, match="no two of 120 clips share"):
        crossed_effects(small.targets, small.predictions, alone, alone, np.zeros(120, dtype=bool))
