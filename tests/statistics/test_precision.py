from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nct, t

from pianobench import metrics
from pianobench.errors import StatisticsError
from pianobench.statistics import (
    seed_variance,
    smallest_detectable_difference,
    t_interval,
    with_seed_variance,
)


@pytest.mark.parametrize(("df", "factor"), [(41, 2.87), (70, 2.84), (19, 2.95), (21, 2.94)])
def test_factors_of_the_detectable_difference(df, factor):
    assert smallest_detectable_difference(np.array(1.0), df) == pytest.approx(factor, abs=0.005)


@pytest.mark.parametrize(("df", "power"), [(41, 0.8), (19, 0.8), (41, 0.9)])
def test_the_detectable_difference_has_the_power_of_the_noncentral_t(df, power):
    shift = float(smallest_detectable_difference(np.array(1.0), df, power))
    assert nct.sf(t.ppf(0.975, df), df, shift) == pytest.approx(power, abs=0.01)


def test_seed_variance_is_that_of_the_scores(small):
    r2 = metrics.pooled_r2(small.targets, small.predictions).mean(axis=1)
    found = seed_variance(small.targets, small.predictions)
    assert found == pytest.approx(np.var(r2, ddof=1), abs=1e-15)


def test_seeds_widen_an_interval_by_their_share():
    interval = t_interval(np.array([0.4]), np.array([0.03]), df=41)
    wide = with_seed_variance(interval, variance=0.0016, seeds=4)
    assert wide.standard_error[0] == pytest.approx(np.hypot(0.03, 0.02))
    assert wide.estimate[0] == interval.estimate[0]
    assert with_seed_variance(interval, 0.0, 3).low[0] == pytest.approx(interval.low[0])


def test_one_seed_shows_no_variance(small):
    with pytest.raises(StatisticsError, match="at least two seeds"):
        seed_variance(small.targets, small.predictions[:1])


@pytest.mark.parametrize(("variance", "seeds"), [(-1.0, 3), (0.1, 0)])
def test_impossible_seed_noise_is_refused(variance, seeds):
    with pytest.raises(StatisticsError, match=f"variance {variance} over {seeds} seeds"):
        with_seed_variance(t_interval(np.zeros(1), np.ones(1), 5), variance, seeds)


def test_power_that_is_not_a_share_is_refused():
    with pytest.raises(StatisticsError, match="power of a test is 80"):
        smallest_detectable_difference(np.array(1.0), 41, power=80)
