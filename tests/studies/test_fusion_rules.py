"""Every way to fuse against an independent computation, and what no fusion may do."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from pianobench.metrics import pooled_r2
from pianobench.statistics import fusion_bound
from pianobench.studies.fusion_rules import FUSIONS

RNG = np.random.default_rng(3)
TARGETS = RNG.normal(size=(60, 3)) * [1.0, 0.2, 3.0]
PREDICTIONS = TARGETS + RNG.normal(size=(2, 60, 3)) * [[[0.5, 0.3, 2]], [[1.5, 0.1, 2]]] + 0.05
PASSAGES = np.repeat(np.arange(12), 5)
NEW = RNG.normal(size=(2, 7, 3))


def test_the_mean_learns_nothing() -> None:
    rule = FUSIONS["mean"](PREDICTIONS, TARGETS, PASSAGES)
    assert rule.fuse(NEW) == pytest.approx(NEW.mean(axis=0))
    assert rule.learned["weights"] == [0.5, 0.5]


def test_common_weights_do_best_of_a_grid_in_mean_r2() -> None:
    rule = FUSIONS["weighted"](PREDICTIONS, TARGETS, PASSAGES)
    weights = np.array(rule.learned["dimensions"])
    assert np.ptp(weights, axis=1) == pytest.approx(0)

    def r2(first: float) -> float:
        fused = first * PREDICTIONS[0] + (1 - first) * PREDICTIONS[1]
        return float(pooled_r2(TARGETS, fused).mean())

    best = max(np.linspace(0, 1, 2001), key=r2)
    assert weights[0, 0] == pytest.approx(best, abs=1e-3)
    assert rule.fuse(NEW) == pytest.approx(weights[0, 0] * NEW[0] + weights[1, 0] * NEW[1])


def test_weights_per_dimension_are_common_weights_of_each_dimension_alone() -> None:
    rule = FUSIONS["per-dimension"](PREDICTIONS, TARGETS, PASSAGES)
    for dimension in range(3):
        only = slice(dimension, dimension + 1)
        alone = FUSIONS["weighted"](PREDICTIONS[:, :, only], TARGETS[:, only], PASSAGES)
        assert rule.fuse(NEW)[:, only] == pytest.approx(alone.fuse(NEW[:, :, only]))


def test_the_stack_is_ridge_of_scikit_learn_on_all_predictions_of_a_clip() -> None:
    rule = FUSIONS["stacked"](PREDICTIONS, TARGETS, PASSAGES)
    rows = np.hstack([*PREDICTIONS])
    scaler = StandardScaler().fit(rows)
    ridge = Ridge(alpha=6 * rule.learned["penalty"]).fit(scaler.transform(rows), TARGETS)
    expected = ridge.predict(scaler.transform(np.hstack([*NEW])))
    assert rule.fuse(NEW) == pytest.approx(expected, abs=1e-10)


def test_the_stack_does_without_a_column_that_is_constant() -> None:
    predictions = PREDICTIONS.copy()
    predictions[1, :, 2] = 0.3
    rule = FUSIONS["stacked"](predictions, TARGETS, PASSAGES)
    other = NEW.copy()
    other[1, :, 2] += 5
    assert rule.fuse(other) == pytest.approx(rule.fuse(NEW))


@pytest.mark.parametrize("name", ["mean", "weighted", "per-dimension"])
def test_no_weights_that_are_the_same_for_all_clips_pass_the_bound(name: str) -> None:
    rule = FUSIONS[name](PREDICTIONS, TARGETS, PASSAGES)
    bound = fusion_bound(TARGETS, PREDICTIONS)
    assert (pooled_r2(TARGETS, rule.fuse(PREDICTIONS)) <= bound + 1e-12).all()
    inside = rule.fuse(NEW)
    assert (inside <= NEW.max(axis=0) + 1e-12).all()
    assert (inside >= NEW.min(axis=0) - 1e-12).all()
