"""Rank correlations, against scipy, statsmodels and every permutation counted out."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from pianobench.errors import StatisticsError
from pianobench.statistics import (
    rank_correlation,
    rank_correlation_interval,
    rank_correlation_tests,
)


@pytest.fixture
def pieces() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns, a label with ties, and the composers of 40 pieces."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 6, size=40).astype(float)
    columns = rng.normal(size=(40, 4)) + label[:, None] * np.array([1.0, -0.3, 0.0, 0.1])
    return columns, label, rng.integers(0, 4, size=40)


def test_correlations_are_scipys_ties_included(pieces) -> None:
    columns, label, _ = pieces
    expected = [spearmanr(column, label).statistic for column in columns.T]
    np.testing.assert_allclose(rank_correlation(columns, label), expected, rtol=1e-12)


def test_the_control_is_the_partial_correlation_of_ranks(pieces) -> None:
    import statsmodels.api as sm

    columns, label, composers = pieces
    dummies = (composers[:, None] == np.unique(composers)).astype(float)
    y = sm.OLS(rankdata(label), dummies).fit().resid
    x = [sm.OLS(rankdata(column), dummies).fit().resid for column in columns.T]
    expected = [np.corrcoef(each, y)[0, 1] for each in x]
    np.testing.assert_allclose(rank_correlation(columns, label, composers), expected, rtol=1e-9)


def test_a_column_that_is_the_composers_alone_is_of_no_use_within_them(pieces) -> None:
    _, label, composers = pieces
    assert rank_correlation(composers[:, None].astype(float), label, composers)[0] == 0
    with pytest.raises(StatisticsError, match="does not vary within strata"):
        rank_correlation(composers[:, None].astype(float), composers.astype(float), composers)


def test_p_values_approach_those_of_all_permutations() -> None:
    rng = np.random.default_rng(1)
    label = np.array([1.0, 2, 2, 4, 5, 6])
    columns = rng.normal(size=(6, 3)) + label[:, None] * np.array([0.8, 0.3, 0.0])
    observed = np.abs(rank_correlation(columns, label))
    every = np.array([np.abs(rank_correlation(columns, np.array(p))) for p in permutations(label)])
    single = (every >= observed - 1e-9).mean(axis=0)
    order = np.argsort(-observed)
    step_down = np.empty(3)
    highest = 0.0
    for place, column in enumerate(order):
        remaining = every[:, order[place:]].max(axis=1)
        highest = max(highest, (remaining >= observed[column] - 1e-9).mean())
        step_down[column] = highest
    found = rank_correlation_tests(columns, label, seed=2, permutations=20_000)
    np.testing.assert_allclose(found.p_value, single, atol=0.015)
    np.testing.assert_allclose(found.max_t, step_down, atol=0.015)
    assert (found.max_t >= found.p_value).all()


def test_within_strata_only_their_own_labels_are_exchanged() -> None:
    strata = np.repeat(np.arange(10), 2)
    label = np.tile([0.0, 1.0], 10) + 10 * strata
    # Rising within every pair: one of 2^10 exchanges is as extreme, and its mirror image.
    found = rank_correlation_tests(label[:, None], label, strata, seed=3, permutations=40_000)
    assert found.p_value[0] == pytest.approx(2 / 2**10, abs=0.0007)


def test_tests_of_columns_that_mean_nothing_keep_their_level() -> None:
    rng = np.random.default_rng(4)
    found = [
        rank_correlation_tests(
            rng.normal(size=(20, 5)), rng.normal(size=20), seed=seed, permutations=200
        ).max_t.min()
        for seed in range(400)
    ]
    assert 0.03 <= np.mean(np.array(found) <= 0.05) <= 0.075


def test_the_interval_is_the_jackknife_counted_out(pieces) -> None:
    columns, label, _ = pieces
    found = rank_correlation_interval(columns, label)
    kept = ~np.eye(40, dtype=bool)
    z = np.arctanh(
        [[spearmanr(column[keep], label[keep]).statistic for column in columns.T] for keep in kept]
    )
    np.testing.assert_allclose(found.standard_error, np.sqrt(39 * z.var(axis=0)), rtol=1e-9)
    np.testing.assert_allclose(found.estimate, rank_correlation(columns, label), rtol=1e-9)
    assert ((found.low < found.estimate) & (found.estimate < found.high)).all()


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(8):
        label = rng.normal(size=80)
        columns = 0.6 * label[:, None] + 0.8 * rng.normal(size=(80, 100))
        # Spearman's rho of a normal pair: 6 / pi * arcsin(r / 2).
        truth = 6 / np.pi * np.arcsin(0.6 / 2)
        found = rank_correlation_interval(columns, label)
        covered += int(((found.low <= truth) & (truth <= found.high)).sum())
    assert 0.91 < covered / 800 < 0.98


def test_many_pieces_are_left_out_in_groups(pieces) -> None:
    rng = np.random.default_rng(6)
    label = rng.normal(size=900)
    columns = label[:, None] + rng.normal(size=(900, 1))
    found = rank_correlation_interval(columns, label, seed=1)
    assert found.df == 399
    # Bonett and Wright (2000): the standard error of Fisher's z of Spearman's rho.
    expected = np.sqrt((1 + found.estimate**2 / 2) / 897)
    np.testing.assert_allclose(found.standard_error, expected, rtol=0.15)


def test_arrays_that_disagree_or_are_too_few_are_refused(pieces) -> None:
    columns, label, composers = pieces
    with pytest.raises(StatisticsError, match=r"expected \[piece, column\]"):
        rank_correlation(columns, label[:5])
    with pytest.raises(StatisticsError, match="a value is not finite"):
        rank_correlation(np.full_like(columns, np.nan), label)
    with pytest.raises(StatisticsError, match="does not vary, so that"):
        rank_correlation(columns, np.ones(40))
    with pytest.raises(StatisticsError, match="39 strata for 40 pieces"):
        rank_correlation(columns, label, composers[1:])
    with pytest.raises(StatisticsError, match="4 pieces: an interval needs at least 5"):
        rank_correlation_interval(columns[:4], label[:4])
    with pytest.raises(StatisticsError, match="number of permutations is 0"):
        rank_correlation_tests(columns, label, seed=0, permutations=0)
