"""Variance within and between groups, against formulas for balanced groups and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pianobench.errors import StatisticsError
from pianobench.statistics import variance_components


def drawn(
    sizes: list[int], dimensions: int, between: float, within: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    effect = between * rng.normal(size=(len(sizes), dimensions))
    return effect[groups] + within * rng.normal(size=(len(groups), dimensions)), groups


def test_balanced_groups_give_the_textbook_analysis_of_variance() -> None:
    y, groups = drawn([4] * 12, 3, 1.5, 0.7, 0)
    table = y.reshape(12, 4, 3)
    within = table.var(axis=1, ddof=1).mean(axis=0)
    between = table.mean(axis=1).var(axis=0, ddof=1) - within / 4
    found = variance_components(y, groups)
    np.testing.assert_allclose(found.within.estimate, within, rtol=1e-12)
    np.testing.assert_allclose(found.between.estimate, between, rtol=1e-12)
    np.testing.assert_allclose(found.share_within.estimate, within / (within + between), rtol=1e-12)
    assert (found.groups, found.values, found.singles) == (12, 48, 0)


def test_unbalanced_groups_give_the_mean_squares_of_statsmodels() -> None:
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    sizes = [1, 2, 3, 7, 2, 1, 5, 4]
    y, groups = drawn(sizes, 1, 1.0, 1.0, 1)
    fit = ols("y ~ C(g)", pd.DataFrame({"y": y[:, 0], "g": groups})).fit()
    mean_square = anova_lm(fit)["mean_sq"]
    n = np.array(sizes)
    n0 = (n.sum() - (n**2).sum() / n.sum()) / (len(n) - 1)
    found = variance_components(y, groups)
    assert found.within.estimate[0] == pytest.approx(mean_square["Residual"])
    assert found.between.estimate[0] == pytest.approx(
        (mean_square["C(g)"] - mean_square["Residual"]) / n0
    )
    assert found.singles == 2


def test_leaving_out_in_closed_form_is_leaving_out() -> None:
    y, groups = drawn([2, 3, 2, 5, 4, 2, 3, 1], 2, 1.0, 0.5, 2)
    units = np.array(["a", "b", "c", "d", "e", "e", "f", "f"])[groups]
    found = variance_components(y, groups, units)

    def brute(keep: np.ndarray) -> np.ndarray:
        part = variance_components(y[keep], groups[keep])
        return np.log(part.within.estimate)

    left_out = np.array([brute(units != unit) for unit in "abcdef"])
    error = np.sqrt(5 / 6 * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    np.testing.assert_allclose(found.within.standard_error, error, rtol=1e-9)
    assert found.within.df == 5


@pytest.mark.parametrize("what", ["within", "share_within"])
def test_intervals_cover_the_truth_about_as_often_as_they_say(what: str) -> None:
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 8, size=120).tolist()
    # Every column is a draw of its own.
    y, groups = drawn(sizes, 1500, 2.0, 1.0, 4)
    truth = {"within": 1.0, "share_within": 0.2}[what]
    found = getattr(variance_components(y, groups), what)
    covered = np.mean((found.low <= truth) & (truth <= found.high))
    assert 0.93 < covered < 0.97


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_shifting_changes_nothing_and_scaling_only_the_scale(seed: int) -> None:
    y, groups = drawn([2, 3, 2, 4, 5, 3], 2, 1.0, 1.0, seed)
    found, moved = variance_components(y, groups), variance_components(5 + 3 * y, groups)
    np.testing.assert_allclose(moved.within.estimate, 9 * found.within.estimate, rtol=1e-7)
    np.testing.assert_allclose(moved.share_within.estimate, found.share_within.estimate, rtol=1e-6)
    assert (found.share_within.low <= found.share_within.estimate).all()
    assert (found.share_within.estimate <= found.share_within.high).all()


def test_what_has_no_spread_within_groups_is_refused() -> None:
    y, groups = drawn([2] * 6, 2, 1.0, 1.0, 9)
    with pytest.raises(StatisticsError, match="at least two groups, one of them of two values"):
        variance_components(y, np.arange(12))
    with pytest.raises(StatisticsError, match=r"never differ within groups in dimensions \[1\]"):
        variance_components(np.column_stack([y[:, 0], groups]), groups)
    with pytest.raises(StatisticsError, match="is in the unit 'u' and in another"):
        variance_components(y, groups, np.array(["v"] + ["u"] * 11))
    with pytest.raises(StatisticsError, match="1 of 24 values are not finite"):
        variance_components(np.where(y == y.max(), np.nan, y), groups)
