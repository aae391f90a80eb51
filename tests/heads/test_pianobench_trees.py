import numpy as np
import pytest

from pianobench.errors import ResultError
from pianobench_trees import ExtraTrees, Forest

FEW = {"n_estimators": 20}


@pytest.fixture
def problem():
    random = np.random.default_rng(0)
    x = random.normal(size=(80, 5))
    y = np.column_stack([x[:, 0] > 0, x[:, 1] > 0, np.zeros(80)]).astype(float)
    return x, y, np.repeat(np.arange(8).astype(str), 10)


def test_trees_find_a_threshold_that_no_line_can_follow(problem):
    x, y, groups = problem
    predicted = ExtraTrees(n_estimators=100, max_features=1).fit(x, y, groups, 0).predict(x)
    assert np.abs(predicted[:, 0] - y[:, 0]).mean() < 0.1
    np.testing.assert_array_equal(predicted[:, 2], 0)


def test_predictions_never_leave_the_range_of_the_labels(problem):
    x, y, groups = problem
    predicted = ExtraTrees(**FEW).fit(x, y, groups, 0).predict(100 * x)
    assert predicted.min() >= 0
    assert predicted.max() <= 1


def test_a_forest_of_stumps_predicts_the_weighted_mean(problem):
    x, y, groups = problem
    weight = np.linspace(1, 3, 80)
    predicted = ExtraTrees(**FEW, min_samples_leaf=80).fit(x, y, groups, 0, weight).predict(x[:2])
    np.testing.assert_allclose(predicted, np.tile(np.average(y, axis=0, weights=weight), (2, 1)))


def test_a_seed_decides_the_forest(problem):
    x, y, groups = problem
    one, again, other = (ExtraTrees(**FEW).fit(x, y, groups, seed).predict(x) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.01


def test_a_single_dimension_keeps_its_axis(problem):
    x, y, groups = problem
    assert ExtraTrees(**FEW).fit(x, y[:, :1], groups, 0).predict(x).shape == (80, 1)


@pytest.mark.parametrize("dimensions", [1, 3])
def test_the_arrays_predict_what_scikit_learn_predicts_to_the_bit(problem, dimensions):
    from sklearn.ensemble import ExtraTreesRegressor

    x, y, groups = problem
    y = y[:, :dimensions] + 0.1 * x[:, :dimensions]
    labels = y[:, 0] if dimensions == 1 else y
    given = {"min_samples_leaf": 2, "max_features": 0.33, "random_state": 3}
    oracle = ExtraTreesRegressor(20, **given).fit(x, labels)
    new = np.random.default_rng(1).normal(size=(50, 5))
    predicted = ExtraTrees(**FEW).fit(x, y, groups, 3).predict(new)
    np.testing.assert_array_equal(predicted, oracle.predict(new).reshape(50, dimensions))


STUMP = {
    "roots": np.array([0]),
    "feature": np.array([0, 0, 0]),
    "threshold": np.zeros(3),
    "below": np.array([1, 1, 2]),
    "above": np.array([2, 1, 2]),
    "value": np.array([[0.0], [1.0], [2.0]]),
}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"below": np.array([1, 0, 2])}, "followed by an earlier one"),
        ({"above": np.array([3, 1, 2])}, "followed by an earlier one, or by none"),
        ({"above": np.array([2, 1])}, "next nodes for every node"),
        ({"value": np.zeros((2, 1))}, "one row of values"),
        ({"roots": np.array([-1])}, "a root or a feature .* does not exist"),
        ({"feature": np.array([-1, 0, 0])}, "a root or a feature .* does not exist"),
        ({"roots": np.array([], dtype=int)}, "one or more trees"),
    ],
)
def test_arrays_that_are_no_forest_are_refused(changed, why):
    x = np.array([[-1.0], [1.0]])
    np.testing.assert_array_equal(Forest(**STUMP).predict(x), [[1], [2]])
    with pytest.raises(ValueError, match=why):
        Forest(**STUMP | changed)


def test_trees_of_other_features_are_refused():
    forest = Forest(**STUMP | {"feature": np.array([4, 0, 0])})
    with pytest.raises(ResultError, match="ask about feature 4, and clips have 2"):
        forest.predict(np.zeros((1, 2)))
