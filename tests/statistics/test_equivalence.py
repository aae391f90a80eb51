from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.weightstats import DescrStatsW

from pianobench.errors import StatisticsError
from pianobench.statistics import Verdict, probability_within, t_interval, tost, verdict


def test_tost_equals_statsmodels():
    for shift in (-0.02, 0.0, 0.004, 0.02):
        values = np.random.default_rng(0).normal(shift, 0.02, 40)
        interval = t_interval(
            np.array(values.mean()), np.array(values.std(ddof=1) / np.sqrt(40)), df=39
        )
        expected = DescrStatsW(values).ttost_mean(-0.01, 0.01)[0]
        assert float(tost(interval)) == pytest.approx(expected, abs=1e-12)


def test_equivalence_at_five_percent_is_a_ninety_percent_interval_inside_the_margin():
    estimate, error = np.linspace(-0.02, 0.02, 81), np.full(81, 0.003)
    interval = t_interval(estimate, error, df=41, level=0.9)
    inside = (interval.low > -0.01) & (interval.high < 0.01)
    np.testing.assert_array_equal(tost(interval) < 0.05, inside)


def test_a_model_against_itself_is_equivalent():
    assert tost(t_interval(np.zeros(1), np.zeros(1), df=10)).tolist() == [0.0]
    assert tost(t_interval(np.full(1, 0.01), np.zeros(1), df=10)).tolist() == [1.0]


def test_the_probability_is_the_share_of_resamples_inside():
    differences = np.array([[-0.02, 0.0], [0.005, 0.0], [0.0099, 0.0], [0.01, 0.02]])
    assert probability_within(differences).tolist() == [0.5, 0.75]


@pytest.mark.parametrize(
    ("difference", "p_value", "tost_p_value", "expected"),
    [
        (0.03, 0.01, 0.9, Verdict.BETTER),
        (-0.03, 0.05, 0.9, Verdict.WORSE),
        (0.004, 0.01, 0.01, Verdict.BETTER),
        (0.001, 0.6, 0.04, Verdict.EQUIVALENT),
        (0.001, 0.6, 0.30, Verdict.NOT_DISTINGUISHED),
        (0.0, 1.0, 0.0, Verdict.EQUIVALENT),
    ],
)
def test_verdicts(difference, p_value, tost_p_value, expected):
    assert verdict(difference, p_value, tost_p_value) is expected


def test_a_margin_that_is_not_positive_is_refused():
    with pytest.raises(StatisticsError, match="margin of equivalence is 0"):
        tost(t_interval(np.zeros(1), np.ones(1), df=10), margin=0)
    with pytest.raises(StatisticsError, match="margin of equivalence is -1"):
        probability_within(np.zeros((3, 1)), margin=-1)
