from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import r2_score

from pianobench import statistics
from pianobench.errors import StatisticsError


@pytest.fixture(scope="module")
def found(small):
    return statistics.as_published(
        small.targets, small.predictions[0], small.predictions[3], seed=1, resamples=2_500
    )


@pytest.fixture(scope="module")
def losses(small):
    return ((small.predictions[[0, 3]] - small.targets) ** 2).mean(axis=2)


def test_the_paired_t_test_is_scipys(found, losses):
    expected = scipy.stats.ttest_rel(losses[1], losses[0])
    assert found.paired_t.statistic == pytest.approx(expected.statistic)
    assert found.paired_t.p_value == pytest.approx(expected.pvalue)


def test_the_wilcoxon_test_is_scipys(found, losses):
    expected = scipy.stats.wilcoxon(losses[1], losses[0], method="approx")
    assert found.wilcoxon[:2] == pytest.approx((expected.statistic, expected.pvalue))


def test_d_av_is_over_the_average_deviation(found, losses):
    expected = (losses[1] - losses[0]).mean() / losses.std(axis=1, ddof=1).mean()
    assert found.d_av == pytest.approx(expected)


def test_the_interval_is_scipys_bootstrap_of_clips(small, found):
    def r2(rows):
        rows = rows.astype(int)
        return r2_score(small.targets[rows], small.predictions[0][rows])

    expected = scipy.stats.bootstrap(
        (np.arange(120),), r2, n_resamples=2_500, vectorized=False, method="percentile", rng=5
    ).confidence_interval
    assert found.interval.low[0] == pytest.approx(expected.low, abs=0.01)
    assert found.interval.high[0] == pytest.approx(expected.high, abs=0.01)
    assert found.interval.low.shape == (3,)


def test_every_statistic_carries_its_measured_error_rate(found):
    for measured in (found.paired_t.measured, found.wilcoxon.measured, found.interval_measured):
        assert 0.15 < measured.passages < 1
        assert 0.15 < measured.performers < 1


def test_a_model_against_itself_is_refused(small):
    p = small.predictions[0]
    with pytest.raises(StatisticsError, match=r"losses differ by 0\.0 on all 120 clips"):
        statistics.as_published(small.targets, p, p, seed=1)
