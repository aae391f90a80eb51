from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import r2_score

from pianobench import statistics
from pianobench.errors import StatisticsError


def sklearn_loop(sample, indices):
    """Mean R2 [resample, model] from the clips of the drawn passages."""
    names = np.unique(sample.passages)
    members = [np.flatnonzero(sample.passages == name) for name in names]
    rows = [np.concatenate([members[i] for i in drawn]) for drawn in indices]
    return np.array([[r2_score(sample.targets[r], p[r]) for p in sample.predictions] for r in rows])


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-6)])
@pytest.mark.parametrize("name", ["small", "large"])
def test_resamples_equal_a_loop_of_scikit_learn(name, dtype, tolerance, request):
    sample = request.getfixturevalue(name)
    groups = len(np.unique(sample.passages))
    indices = statistics.resample_indices(groups, 60, seed=3)
    counts = statistics.counts_of(indices, groups, dtype)
    found = statistics.bootstrap_r2(sample.targets, sample.predictions, sample.passages, counts)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, sklearn_loop(sample, indices), rtol=0, atol=tolerance)


def scipy_bootstrap(sample, model, method, seed, resamples=600):
    """Resample positions of passages with scipy, R2 from the rows of the drawn passages."""
    names = np.unique(sample.passages)
    y = sample.targets - sample.targets.mean(axis=0)
    e = (sample.predictions[model] - sample.targets) ** 2
    sums = np.array(
        [
            np.concatenate([[len(y[g])], y[g].sum(0), (y[g] ** 2).sum(0), e[g].sum(0)])
            for g in (sample.passages == name for name in names)
        ]
    )

    def statistic(positions, axis=-1):
        total = sums[positions.astype(int)].sum(axis=-2)
        n, s, q, r = np.split(total, [1, 1 + y.shape[1], 1 + 2 * y.shape[1]], axis=-1)
        return (1 - r / (q - s**2 / n)).mean(axis=-1)

    return scipy.stats.bootstrap(
        (np.arange(len(names)),),
        statistic,
        n_resamples=resamples,
        vectorized=True,
        method=method,
        rng=np.random.default_rng(seed),
    )


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_intervals_equal_scipy_from_the_same_generator(small, method):
    found = statistics.bootstrap_interval(
        small.targets, small.predictions, small.passages, seed=7, resamples=600
    )
    for model in range(4):
        expected = scipy_bootstrap(small, model, method, seed=7)
        np.testing.assert_allclose(
            found.distribution[:, model], expected.bootstrap_distribution, atol=1e-6
        )
        bounds = getattr(found, method.lower())
        ends = (bounds.low[model], bounds.high[model])
        np.testing.assert_allclose(ends, expected.confidence_interval, atol=2e-4)


def test_the_point_is_the_metric_itself(small):
    found = statistics.bootstrap_interval(
        small.targets, small.predictions, small.passages, seed=7, resamples=100
    )
    expected = [r2_score(small.targets, p) for p in small.predictions]
    np.testing.assert_allclose(found.estimate, expected, rtol=0, atol=1e-12)


def test_one_model_gets_the_same_interval_alone_and_among_others(small):
    together = statistics.bootstrap_interval(
        small.targets, small.predictions, small.passages, seed=7, resamples=400
    )
    alone = statistics.bootstrap_interval(
        small.targets, small.predictions[2:3], small.passages, seed=7, resamples=400
    )
    assert together.bca.low[2] == pytest.approx(alone.bca.low[0], abs=1e-6)
    assert together.bca.high[2] == pytest.approx(alone.bca.high[0], abs=1e-6)


def test_names_of_passages_do_not_matter(small):
    names = np.array([f"p{g:02d}" for g in small.passages])
    a = statistics.bootstrap_interval(small.targets, small.predictions, names, 7, 200)
    b = statistics.bootstrap_interval(small.targets, small.predictions, small.passages, 7, 200)
    np.testing.assert_array_equal(a.distribution, b.distribution)


def test_counts_say_how_often_a_passage_was_drawn():
    counts = statistics.counts_of(np.array([[0, 0, 2], [1, 1, 1]]), 3)
    np.testing.assert_array_equal(counts, [[2, 0, 1], [0, 3, 0]])
    assert counts.dtype == np.float32


def test_bca_with_no_acceleration_and_no_bias_is_the_percentile_interval():
    distribution = np.linspace(-1, 1, 10_001)[:, None]
    left_out = np.array([-1.0, 1.0, -2.0, 2.0])[:, None]
    bca = statistics.bca_interval(distribution, np.zeros(1), left_out)
    percentile = statistics.percentile_interval(distribution)
    np.testing.assert_allclose(bca, percentile, atol=1e-3)


def test_four_works_are_too_few(small):
    with pytest.raises(StatisticsError, match="4 passage groups among 120 clips"):
        statistics.bootstrap_interval(small.targets, small.predictions, small.passages % 4, seed=1)


def test_a_missing_model_axis_is_refused_with_advice(small):
    with pytest.raises(StatisticsError, match=r"pass predictions\[None\]"):
        statistics.bootstrap_interval(
            small.targets, small.predictions[0], small.passages, seed=1, resamples=10
        )


def test_counts_of_other_passages_are_refused(small):
    with pytest.raises(StatisticsError, match="counts have 3 columns, but there are 12 passages"):
        statistics.bootstrap_r2(
            small.targets, small.predictions, small.passages, np.ones((5, 3), dtype=np.float32)
        )


def test_a_resample_without_variation_is_refused(small):
    counts = np.zeros((2, 120), dtype=np.float32)
    counts[:, 4] = 120
    with pytest.raises(StatisticsError, match="targets of a dimension are constant"):
        statistics.bootstrap_r2(small.targets, small.predictions, np.arange(120), counts)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_that_is_not_a_share_is_refused(level):
    draws = np.random.default_rng(0).normal(size=(50, 1))
    with pytest.raises(StatisticsError, match="level of an interval is"):
        statistics.percentile_interval(draws, level)
    with pytest.raises(StatisticsError, match="level of an interval is"):
        statistics.bca_interval(draws, np.zeros(1), np.ones((5, 1)), level)


def test_bca_is_refused_where_all_resamples_lie_on_one_side():
    with pytest.raises(StatisticsError, match=r"model \[1\] lie on one side"):
        statistics.bca_interval(
            np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0.5, 2.0]), np.ones((5, 2))
        )


def test_no_resamples_are_refused():
    with pytest.raises(StatisticsError, match="number of resamples is 0"):
        statistics.resample_indices(5, 0, seed=1)
