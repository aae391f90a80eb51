from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t
from sklearn.metrics import r2_score
from statsmodels.stats.sandwich_covariance import cov_cluster, cov_cluster_2groups

from pianobench import statistics
from pianobench.errors import StatisticsError


def r2_without(sample, groups, chosen=None):
    """R2 [group, model, dimension] computed again without each group, by scikit-learn."""
    names = np.unique(groups if chosen is None else groups[chosen])
    kept = [(groups != name) | (False if chosen is None else ~chosen) for name in names]
    return np.array(
        [
            [
                r2_score(sample.targets[k], p[k], multioutput="raw_values")
                for p in sample.predictions
            ]
            for k in kept
        ]
    )


def spread(values):
    return (len(values) - 1) / len(values) * ((values - values.mean(axis=0)) ** 2).sum(axis=0)


@pytest.mark.parametrize("name", ["small", "large"])
def test_the_closed_form_equals_brute_force(name, request):
    sample = request.getfixturevalue(name)
    found = statistics.passage_jackknife(sample.targets, sample.predictions, sample.passages)
    expected = r2_without(sample, sample.passages)
    np.testing.assert_allclose(found.passage, expected, rtol=0, atol=1e-12)
    interval = found.r2()
    variance = spread(expected.mean(axis=-1))
    np.testing.assert_allclose(interval.standard_error**2, variance, rtol=0, atol=1e-12)
    reach = t.ppf(0.975, len(expected) - 1) * np.sqrt(variance)
    np.testing.assert_allclose(interval.high - interval.estimate, reach, atol=1e-12)
    np.testing.assert_allclose(interval.estimate - interval.low, reach, atol=1e-12)


def test_the_two_way_closed_form_equals_brute_force(small):
    found = statistics.two_way_jackknife(
        small.targets, small.predictions, small.passages, small.performers, small.fixed
    )
    drawn = ~small.fixed
    cells = small.passages * 100 + small.performers
    passage = r2_without(small, small.passages).mean(axis=-1)
    performer = r2_without(small, small.performers, drawn).mean(axis=-1)
    cell = r2_without(small, cells, drawn).mean(axis=-1)
    both = spread(passage) + spread(performer) - spread(cell)
    expected = np.maximum(both, np.maximum(spread(passage), spread(performer)))
    np.testing.assert_allclose(found.r2().standard_error ** 2, expected, rtol=0, atol=1e-12)
    assert found.df == min(len(passage), len(performer)) - 1
    assert (both > 0).all()


def test_without_fixed_performers_all_count(small):
    found = statistics.two_way_jackknife(
        small.targets, small.predictions, small.passages, small.performers
    )
    np.testing.assert_allclose(found.performer, r2_without(small, small.performers), atol=1e-12)


def influence_of(sample):
    """What each clip adds to the difference in mean R2, a ratio of sums, to first order."""
    squares = (sample.targets - sample.targets.mean(axis=0)) ** 2 / sample.targets.var(axis=0)
    errors = (sample.predictions - sample.targets) ** 2 / sample.targets.var(axis=0)
    gains = errors[1] - errors[0]
    return (gains - gains.mean(axis=0) * squares).mean(axis=-1)


@pytest.fixture(scope="module")
def balanced(make_sample):
    """80 passages of equal size: there the jackknife and the sandwich estimate agree."""
    return make_sample(80 * [12], dimensions=3, models=2, seed=4)


def test_the_error_of_a_difference_agrees_with_clustered_least_squares(balanced):
    jackknife = statistics.passage_jackknife(
        balanced.targets, balanced.predictions, balanced.passages
    )
    influence = influence_of(balanced)
    fit = sm.OLS(influence, np.ones(len(influence))).fit()
    clustered = np.sqrt(cov_cluster(fit, balanced.passages)[0, 0])
    assert jackknife.difference(1).standard_error[0] == pytest.approx(clustered, rel=0.05)


def test_the_two_way_error_agrees_with_two_way_clustered_least_squares(balanced):
    found = statistics.two_way_jackknife(
        balanced.targets, balanced.predictions, balanced.passages, balanced.performers
    ).difference(1)
    influence = influence_of(balanced)
    fit = sm.OLS(influence, np.ones(len(influence))).fit()
    covariance = cov_cluster_2groups(fit, balanced.passages, balanced.performers)[0]
    assert found.standard_error[0] == pytest.approx(np.sqrt(covariance[0, 0]), rel=0.1)


def test_the_shortcuts_are_the_mean_of_the_dimensions(small):
    one = statistics.jackknife_t(small.targets, small.predictions, small.passages)
    full = statistics.passage_jackknife(small.targets, small.predictions, small.passages)
    np.testing.assert_array_equal(one.estimate, full.r2_per_dimension().estimate.mean(axis=1))
    two = statistics.two_way_jackknife_t(
        small.targets, small.predictions, small.passages, small.performers, small.fixed
    )
    np.testing.assert_array_equal(two.estimate, one.estimate)
    assert (two.standard_error >= one.standard_error).all()


def test_a_difference_is_a_difference_of_columns(small):
    jackknife = statistics.passage_jackknife(small.targets, small.predictions, small.passages)
    found = jackknife.difference(1)
    r2 = jackknife.r2().estimate
    np.testing.assert_allclose(found.estimate, r2 - r2[1], atol=1e-15)
    np.testing.assert_allclose(
        jackknife.difference_per_dimension(1).estimate.mean(axis=1), found.estimate, atol=1e-15
    )


def test_a_model_against_itself_has_no_width_and_p_value_one(small):
    found = statistics.passage_jackknife(
        small.targets, small.predictions, small.passages
    ).difference(1)
    assert found.low[1] == found.high[1] == 0
    assert found.p_value[1] == 1


def test_the_p_value_is_the_level_at_which_the_interval_touches_zero(small):
    jackknife = statistics.passage_jackknife(small.targets, small.predictions, small.passages)
    p_value = float(jackknife.difference(1).p_value[0])
    touching = jackknife.difference(1, level=1 - p_value)
    assert min(abs(touching.low[0]), abs(touching.high[0])) == pytest.approx(0, abs=1e-9)


def test_a_wider_level_gives_a_wider_interval(small):
    narrow = statistics.jackknife_t(small.targets, small.predictions, small.passages, level=0.8)
    wide = statistics.jackknife_t(small.targets, small.predictions, small.passages, level=0.99)
    assert (wide.low < narrow.low).all()
    assert (wide.high > narrow.high).all()


@given(seed=st.integers(0, 10_000), shift=st.floats(-5, 5), scale=st.floats(0.1, 10))
def test_clip_order_and_label_scale_do_not_matter_and_the_point_is_inside(seed, shift, scale):
    rng = np.random.default_rng(seed)
    y, p = rng.normal(size=(40, 2)), rng.normal(size=(2, 40, 2))
    groups, order = np.arange(40) % 8, rng.permutation(40)
    once = statistics.jackknife_t(y, p, groups)
    again = statistics.jackknife_t(
        shift + scale * y[order], shift + scale * p[:, order], groups[order]
    )
    np.testing.assert_allclose(again[:4], once[:4], atol=1e-8)
    assert (once.low < once.estimate).all()
    assert (once.estimate < once.high).all()


@given(seed=st.integers(0, 10_000))
def test_a_copy_of_a_model_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    y, p = rng.normal(size=(40, 2)), rng.normal(size=(2, 40, 2))
    groups = np.arange(40) % 8
    once = statistics.passage_jackknife(y, p, groups).difference(0)
    again = statistics.passage_jackknife(y, np.concatenate([p, p]), groups).difference(0)
    np.testing.assert_allclose(again.standard_error, np.tile(once.standard_error, 2), atol=1e-14)
    assert again.p_value[2] == 1


def test_too_few_groups_are_refused_by_kind(small):
    few = small.performers % 4
    with pytest.raises(StatisticsError, match="4 performer groups among 120 clips"):
        statistics.two_way_jackknife(small.targets, small.predictions, small.passages, few)


def test_lengths_that_disagree_are_refused(small):
    with pytest.raises(StatisticsError, match=r"passage labels have shape \(119,\)"):
        statistics.jackknife_t(small.targets, small.predictions, small.passages[1:])
    with pytest.raises(StatisticsError, match="120 clips, but 120 passages, 119 performers"):
        statistics.two_way_jackknife(
            small.targets, small.predictions, small.passages, small.performers[1:]
        )


def test_variation_in_a_single_passage_is_refused(small):
    targets = np.where(small.passages[:, None] == 0, small.targets, 0.5)
    with pytest.raises(StatisticsError, match="after leaving one group out"):
        statistics.jackknife_t(targets, small.predictions, small.passages)


def test_nan_is_refused(small):
    broken = small.predictions.copy()
    broken[1, 5, 0] = np.nan
    with pytest.raises(StatisticsError, match=r"not finite, the first at \(1, 5, 0\)"):
        statistics.jackknife_t(small.targets, broken, small.passages)
