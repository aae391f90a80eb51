"""Coverage and error rates; the full-size ones are marked slow and need the real labels."""

from __future__ import annotations

import numpy as np
import pytest

from pianobench import statistics
from pianobench.errors import StatisticsError
from pianobench.statistics.published import IID_INTERVAL, PAIRED_T, WILCOXON


def table(rates):
    return {(rate.method, rate.quantity): rate for rate in rates}


def test_coverage_is_a_share_with_its_monte_carlo_error(small):
    p = small.predictions
    rates = statistics.coverage_of_passages(
        small.targets, p[0], p[3], small.passages, seed=1, simulations=60, resamples=100
    )
    assert len(rates) == 12
    for rate in rates:
        assert rate.simulations == 60
        assert rate.monte_carlo_error == pytest.approx(np.sqrt(rate.value * (1 - rate.value) / 60))
    found = table(rates)
    assert found["jackknife-t", "first"].value > found["iid-percentile", "first"].value


def test_the_same_seed_gives_the_same_table(small):
    p = small.predictions
    once, again = (
        statistics.error_rate_of_passages(
            small.targets, p[0], p[3], small.passages, seed=1, simulations=50, flips=200
        )
        for _ in range(2)
    )
    assert once == again


def test_sign_flips_hold_their_level_where_models_are_exchangeable(small):
    p = small.predictions
    found = table(
        statistics.error_rate_of_passages(
            small.targets, p[0], p[3], small.passages, seed=1, simulations=1_000, flips=1_000
        )
    )
    assert found["sign-flip", "swapped"].value == pytest.approx(0.05, abs=0.025)
    assert found["paired-t", "swapped"].value > found["sign-flip", "swapped"].value


def test_crossed_simulations_return_every_row(small):
    p = small.predictions
    groups = (small.passages, small.performers, small.fixed)
    coverage = table(
        statistics.coverage_of_crossed(
            small.targets, p[0], p[3], *groups, seed=1, simulations=40, resamples=60
        )
    )
    assert len(coverage) == 18
    wide = coverage["two-way-jackknife-t", "difference"].value
    assert wide >= coverage["jackknife-t", "difference"].value
    errors = table(
        statistics.error_rate_of_crossed(small.targets, p[0], p[3], *groups, seed=1, simulations=40)
    )
    assert set(errors) == {
        ("two-way-t", "difference"),
        ("two-way-t, Holm", "any dimension"),
        ("paired-t", "difference"),
        ("wilcoxon", "difference"),
    }


def test_a_model_without_error_cannot_be_levelled(small):
    with pytest.raises(StatisticsError, match=r"predicts dimension \[0, 1, 2\] without error"):
        statistics.error_rate_of_passages(
            small.targets, small.predictions[0], small.targets, small.passages, seed=1
        )


@pytest.mark.data
@pytest.mark.slow
def test_intervals_cover_when_passages_are_new(percepiano):
    found = table(
        statistics.coverage_of_passages(
            percepiano.targets,
            *percepiano.predictions,
            percepiano.passages,
            seed=1,
            simulations=2_000,
            resamples=400,
        )
    )
    for quantity in ("first", "second", "difference"):
        assert 0.92 <= found["jackknife-t", quantity].value <= 0.98
        assert found["iid-percentile", quantity].value <= 0.82
    missed = 1 - min(found["iid-percentile", q].value for q in ("first", "second"))
    assert missed == pytest.approx(IID_INTERVAL.passages, abs=0.03)


@pytest.mark.data
@pytest.mark.slow
def test_tests_hold_their_level_when_passages_are_new(percepiano):
    found = table(
        statistics.error_rate_of_passages(
            percepiano.targets, *percepiano.predictions, percepiano.passages, seed=1
        )
    )
    for population in ("swapped", "levelled"):
        assert 0.036 <= found["sign-flip", population].value <= 0.065
        assert found["paired-t", population].value > 0.15
    assert found["paired-t", "swapped"].value == pytest.approx(PAIRED_T.passages, abs=0.03)
    assert found["wilcoxon", "swapped"].value == pytest.approx(WILCOXON.passages, abs=0.03)


@pytest.mark.data
@pytest.mark.slow
def test_intervals_cover_when_performers_are_new_too(percepiano):
    found = table(
        statistics.coverage_of_crossed(
            percepiano.targets,
            *percepiano.predictions,
            percepiano.passages,
            percepiano.performers,
            percepiano.fixed,
            seed=1,
            simulations=1_500,
            resamples=200,
        )
    )
    for quantity in ("first", "second", "difference"):
        assert found["two-way-jackknife-t", quantity].value >= 0.93
        assert found["iid-percentile", quantity].value <= 0.65
        assert found["two-way-jackknife-t", f"{quantity}, unlimited"].value >= 0.93
    missed = 1 - min(found["iid-percentile", q].value for q in ("first", "second"))
    assert missed == pytest.approx(IID_INTERVAL.performers, abs=0.03)


@pytest.mark.data
@pytest.mark.slow
def test_tests_hold_their_level_when_performers_are_new_too(percepiano):
    found = table(
        statistics.error_rate_of_crossed(
            percepiano.targets,
            *percepiano.predictions,
            percepiano.passages,
            percepiano.performers,
            percepiano.fixed,
            seed=1,
        )
    )
    assert found["two-way-t", "difference"].value <= 0.065
    assert found["two-way-t, Holm", "any dimension"].value <= 0.05
    assert found["paired-t", "difference"].value == pytest.approx(PAIRED_T.performers, abs=0.03)
    assert found["wilcoxon", "difference"].value == pytest.approx(WILCOXON.performers, abs=0.03)
