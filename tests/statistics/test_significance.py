from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from pianobench import metrics, statistics
from pianobench.errors import StatisticsError
from pianobench.statistics.significance import flip_p_values, passage_losses, sign_flips


def test_passage_losses_add_up_to_one_minus_r2(small):
    losses = passage_losses(small.targets, small.predictions, small.passages)
    expected = 1 - metrics.pooled_r2(small.targets, small.predictions)
    np.testing.assert_allclose(losses.sum(axis=0), expected, rtol=0, atol=1e-12)


def test_the_statistic_is_the_difference_in_r2(small):
    found = statistics.pair_tests(small.targets, small.predictions, small.passages, seed=1)
    r2 = metrics.pooled_r2(small.targets, small.predictions).mean(axis=1)
    np.testing.assert_allclose(found.difference, r2[:, None] - r2[None, :], rtol=0, atol=1e-12)


def test_p_values_equal_the_exact_permutation_test(small):
    losses = passage_losses(small.targets, small.predictions, small.passages).mean(axis=2)
    found = statistics.pair_tests(
        small.targets, small.predictions, small.passages, seed=1, flips=50_000
    )
    for i, j in ((0, 1), (0, 3), (2, 3)):
        exact = scipy.stats.permutation_test(
            (losses[:, j], losses[:, i]),
            lambda a, b, axis=-1: (a - b).sum(axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=np.inf,
        ).pvalue
        error = np.sqrt(exact * (1 - exact) / 50_000)
        assert found.p_value[i, j] == pytest.approx(exact, abs=4 * error + 1e-4)
        assert found.p_value[j, i] == found.p_value[i, j]


def test_flips_that_tie_with_the_data_count():
    gains = np.full((5, 1), 0.1)  # only all signs alike are as extreme: 2 of 32
    p_value = flip_p_values(gains, sign_flips(5, 100_000, seed=1))
    assert p_value[0] == pytest.approx(2 / 32, abs=0.004)


def test_every_pattern_of_signs_is_equally_likely():
    signs = sign_flips(3, 80_000, seed=1)
    patterns = np.bincount(((signs > 0) * [1, 2, 4]).sum(axis=1).astype(int), minlength=8)
    assert scipy.stats.chisquare(patterns).pvalue > 0.001


def test_dimension_tests_agree_with_pair_tests_in_one_dimension(small):
    y, p = small.targets[:, :1], small.predictions[:, :, :1]
    one = statistics.dimension_tests(y, p[0], p[2], small.passages, seed=3)
    pair = statistics.pair_tests(y, p, small.passages, seed=3)
    assert one.difference[0] == pytest.approx(pair.difference[0, 2], abs=1e-12)
    assert one.p_value[0] == pytest.approx(pair.p_value[0, 2], abs=2e-4)
    assert one.max_t[0] == one.holm[0] == one.benjamini_hochberg[0] == one.p_value[0]


def step_down_max_t(gains, signs):
    """Westfall and Young, algorithm 4.1, written as in the book."""
    scale = np.sqrt((gains**2).sum(axis=0))
    observed = np.abs(gains.sum(axis=0) / scale)
    order = np.argsort(-observed)
    exceed = np.zeros(len(order))
    for flip in signs:
        statistic = np.abs((flip[:, None] * gains).sum(axis=0) / scale)
        for place in range(len(order)):
            rest = order[place:]
            exceed[place] += statistic[rest].max() >= observed[order[place]] - 1e-9
    p = np.maximum.accumulate((exceed + 1) / (len(signs) + 1))
    return p[np.argsort(order)]


def test_max_t_follows_the_book(large):
    first, second = large.predictions[:2]
    found = statistics.dimension_tests(
        large.targets, first, second, large.passages, seed=2, flips=300
    )
    losses = passage_losses(large.targets, large.predictions, large.passages)
    gains = losses[:, 1] - losses[:, 0]
    expected = step_down_max_t(gains, sign_flips(len(gains), 300, seed=2).astype(float))
    np.testing.assert_allclose(found.max_t, expected, atol=1e-12)


def test_max_t_gains_power_over_holm_where_dimensions_are_alike(small):
    rng = np.random.default_rng(0)
    y = np.repeat(small.targets[:, :1], 10, axis=1) + 1e-3 * rng.normal(size=(120, 10))
    first = np.repeat(small.predictions[0, :, :1], 10, axis=1)
    second = np.repeat(small.predictions[3, :, :1], 10, axis=1)
    found = statistics.dimension_tests(y, first, second, small.passages, seed=1)
    assert (found.max_t < 0.5 * found.holm).all()
    assert (found.max_t >= found.p_value).all()


def test_a_model_against_its_copy_has_p_value_one(small):
    copies = np.stack([small.predictions[0], small.predictions[1], small.predictions[0]])
    found = statistics.pair_tests(small.targets, copies, small.passages, seed=1)
    assert found.difference[0, 2] == 0
    assert found.p_value[0, 2] == found.p_value[1, 1] == 1
    assert found.p_value[0, 1] == found.p_value[2, 1]
    same = statistics.dimension_tests(small.targets, *copies[[0, 2]], small.passages, seed=1)
    for adjusted in same[1:]:
        np.testing.assert_array_equal(adjusted, 1)


@given(seed=st.integers(0, 10_000), shift=st.floats(-5, 5), scale=st.floats(0.1, 10))
def test_clip_order_and_label_scale_do_not_matter(seed, shift, scale):
    rng = np.random.default_rng(seed)
    y, p = rng.normal(size=(40, 2)), rng.normal(size=(2, 40, 2))
    groups, order = np.arange(40) % 8, rng.permutation(40)
    once = statistics.pair_tests(y, p, groups, seed=1, flips=200)
    again = statistics.pair_tests(
        shift + scale * y[order], shift + scale * p[:, order], groups[order], seed=1, flips=200
    )
    np.testing.assert_allclose(again.difference, once.difference, atol=1e-8)
    np.testing.assert_allclose(again.p_value, once.p_value, atol=0.011)


def test_adding_a_weak_model_leaves_the_others_as_they_were(small):
    weak = np.concatenate([small.predictions, small.targets[None] + 3.0])
    once = statistics.pair_tests(small.targets, small.predictions, small.passages, seed=1)
    again = statistics.pair_tests(small.targets, weak, small.passages, seed=1)
    np.testing.assert_allclose(again.p_value[:4, :4], once.p_value, atol=3e-4)


def test_no_flips_are_refused(small):
    with pytest.raises(StatisticsError, match="number of sign flips is 0"):
        statistics.pair_tests(small.targets, small.predictions, small.passages, seed=1, flips=0)


def test_too_few_passages_are_refused(small):
    with pytest.raises(StatisticsError, match="4 passage groups"):
        statistics.pair_tests(small.targets, small.predictions, small.passages % 4, seed=1)
