from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from pianobench.errors import StatisticsError
from pianobench.statistics import best_p_values, pair_tests, rank_intervals
from pianobench.statistics.ranks import may_be_best
from pianobench.statistics.significance import passage_losses, sign_flips


def test_rank_intervals_are_quantiles_of_ranks():
    draws = np.random.default_rng(0).normal([0.5, 0.4, 0.4, 0.0], 0.1, size=(2_000, 4))
    ranks = rankdata(-draws, axis=1)
    found = rank_intervals(draws, level=0.9)
    np.testing.assert_array_equal(found.best, np.quantile(ranks, 0.05, axis=0, method="lower"))
    np.testing.assert_array_equal(found.worst, np.quantile(ranks, 0.95, axis=0, method="higher"))


def test_copies_share_all_their_ranks():
    draws = np.random.default_rng(0).normal(size=(500, 1)).astype(np.float32)
    jitter = np.random.default_rng(1).normal(0, 1e-8, size=(500, 3)).astype(np.float32)
    found = rank_intervals(draws + jitter)
    assert found.best.tolist() == [1, 1, 1]
    assert found.worst.tolist() == [3, 3, 3]


@given(seed=st.integers(0, 10_000))
def test_the_order_of_models_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    draws, order = rng.normal(size=(50, 5)), rng.permutation(5)
    once, again = rank_intervals(draws), rank_intervals(draws[:, order])
    np.testing.assert_array_equal(again.best, once.best[order])
    np.testing.assert_array_equal(again.worst, once.worst[order])
    assert (once.best <= once.worst).all()


def test_a_clear_winner_stands_alone(small):
    y = small.targets
    noise = np.random.default_rng(0).normal(size=(3, *y.shape))
    p = y + np.array([0.02, 0.10, 0.11])[:, None, None] * noise
    found = best_p_values(y, p, small.passages, seed=1)
    assert found[0] > 0.9
    assert (found[1:] < 0.01).all()


def test_two_models_give_the_one_sided_test(small):
    p = small.predictions[[0, 2]]
    found = best_p_values(small.targets, p, small.passages, seed=1)
    two_sided = pair_tests(small.targets, p, small.passages, seed=1).p_value[0, 1]
    assert found.min() == pytest.approx(two_sided / 2, abs=0.01)
    assert found.sum() == pytest.approx(1, abs=0.01)


def test_the_best_is_never_excluded_and_copies_are_tied(small):
    p = small.predictions[[0, 1, 0, 3]]
    found = best_p_values(small.targets, p, small.passages, seed=1)
    assert found[0] == found[2] > 0.3
    assert best_p_values(small.targets, p[[0, 2]], small.passages, seed=1).tolist() == [1, 1]
    assert best_p_values(small.targets, p[:1], small.passages, seed=1).tolist() == [1]


def test_the_truly_best_is_kept_at_the_level():
    rng = np.random.default_rng(0)
    passages = np.repeat(np.arange(15), 4)
    kept = []
    for _ in range(300):
        y = rng.normal(size=(60, 2))
        p = y + 0.5 * rng.normal(size=(5, 60, 2))  # five equally good models
        kept.append(best_p_values(y, p, passages, seed=1, flips=400)[0] > 0.05)
    assert np.mean(kept) > 0.92


def test_resamples_of_one_model_alone_are_refused():
    with pytest.raises(StatisticsError, match=r"resamples have shape \(5,\)"):
        rank_intervals(np.zeros(5))


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), spread=st.sampled_from([0.02, 0.2, 2.0]))
def test_who_may_be_best_is_who_has_a_large_p_value(seed, spread):
    rng = np.random.default_rng(seed)
    y, passages = rng.normal(size=(60, 2)), np.arange(60) // 4
    scales = 0.5 + spread * rng.random(6)
    p = y + scales[:, None, None] * rng.normal(size=(6, 60, 2))
    p[1] = p[0]
    losses = passage_losses(y, p, passages).mean(axis=2)
    found = may_be_best(losses, sign_flips(15, 2_000, seed=1))
    expected = best_p_values(y, p, passages, seed=1, flips=2_000) > 0.05
    assert found.tolist() == expected.tolist()


def test_stopping_early_changes_no_answer_on_clear_cases(small):
    y = small.targets
    scales = np.array([0.02] * 30 + [3.0] * 3)[:, None, None]
    p = y + scales * np.random.default_rng(0).normal(size=(33, *y.shape))
    losses = passage_losses(y, p, small.passages).mean(axis=2)
    found = may_be_best(losses, sign_flips(len(losses), 10_000, seed=1))
    expected = best_p_values(y, p, small.passages, seed=1) > 0.05
    assert found.tolist() == expected.tolist()
    assert not found[30:].any()
