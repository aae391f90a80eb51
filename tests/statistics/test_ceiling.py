from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import f_oneway

from pianobench import statistics
from pianobench.errors import StatisticsError


def panel(clips=600, raters=8, noise=1.0, repeats=0, seed=0):
    """Ratings of two dimensions; reliability of the mean is 1 / (1 + noise^2 / raters)."""
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(clips), raters)
    rater = (np.tile(np.arange(raters), clips) * 7 + clip) % 40
    truth = rng.normal(size=(clips, 2))
    values = truth[clip] + noise * rng.normal(size=(len(clip), 2))
    again = rng.permutation(len(clip))[: repeats * clips]
    return (
        np.concatenate([rater, rater[again]]),
        np.concatenate([clip, clip[again]]),
        np.concatenate([values, values[again]]),
        np.arange(clips) // 10,
    )


@pytest.mark.parametrize("noise", [0.5, 1.5])
def test_split_half_recovers_a_known_reliability(noise):
    found = statistics.split_half(*panel(clips=3_000, noise=noise), seed=1, splits=20)
    expected = 1 / (1 + noise**2 / 8)
    np.testing.assert_allclose(found.per_dimension.estimate, expected, atol=0.015)
    assert found.mean.estimate == pytest.approx(found.per_dimension.estimate.mean())
    assert found.mean.low < expected < found.mean.high


def test_repeated_ratings_of_one_rater_do_not_raise_the_ceiling():
    plain = statistics.split_half(*panel(noise=2.0), seed=1, splits=40)
    rater, clip, values, passages = panel(noise=2.0, repeats=3)
    apart = statistics.split_half(rater, clip, values, passages, seed=1, splits=40)
    mixed = statistics.split_half(np.arange(len(clip)), clip, values, passages, seed=1, splits=40)
    assert apart.mean.estimate == pytest.approx(plain.mean.estimate, abs=0.03)
    assert mixed.mean.estimate > plain.mean.estimate + 0.05


def test_missing_ratings_are_left_out():
    rater, clip, values, passages = panel()
    values[np.random.default_rng(1).random(values.shape) < 0.1] = np.nan
    found = statistics.split_half(rater, clip, values, passages, seed=1, splits=20)
    assert found.mean.estimate == pytest.approx(1 / (1 + 1 / 7.2), abs=0.02)


def test_the_order_of_ratings_does_not_matter_beyond_the_draw():
    rater, clip, values, passages = panel(repeats=1)
    order = np.random.default_rng(1).permutation(len(clip))
    once = statistics.split_half(rater, clip, values, passages, seed=1, splits=5)
    again = statistics.split_half(
        rater[order], clip[order], values[order], passages, seed=1, splits=5
    )
    np.testing.assert_allclose(again.mean, once.mean, atol=1e-12)


def test_intraclass_correlations_follow_the_analysis_of_variance():
    rater, clip, values, _ = panel(clips=40, raters=5)
    found = statistics.intraclass_correlation(rater, clip, values, np.arange(40) // 4)
    for d in range(2):
        ratio = f_oneway(*(values[clip == c, d] for c in range(40))).statistic
        assert found.average.per_dimension.estimate[d] == pytest.approx(1 - 1 / ratio)
        single = (ratio - 1) / (ratio + 4)
        assert found.single.per_dimension.estimate[d] == pytest.approx(single)


def test_both_estimates_of_reliability_agree():
    ratings = panel(clips=2_000, noise=1.5)
    halves = statistics.split_half(*ratings, seed=1, splits=20)
    variance = statistics.intraclass_correlation(*ratings)
    assert halves.mean.estimate == pytest.approx(float(variance.average.mean.estimate), abs=0.01)


def test_the_interval_leaves_out_passages():
    rater, clip, values, passages = panel(clips=100, repeats=0)
    found = statistics.intraclass_correlation(rater, clip, values, passages).average.mean
    parts = []
    for passage in range(10):
        keep = passages[clip] != passage
        part = statistics.intraclass_correlation(rater[keep], clip[keep], values[keep], passages)
        parts.append(float(part.average.mean.estimate))
    assert found.standard_error**2 == pytest.approx(9 * np.var(parts))
    assert found.df == 9


def test_clips_that_nobody_rated_do_not_matter():
    rater, clip, values, passages = panel(clips=100)
    once = statistics.intraclass_correlation(rater, clip, values, passages)
    more = np.concatenate([passages, np.full(20, 99)])
    again = statistics.intraclass_correlation(rater, clip, values, more)
    np.testing.assert_allclose(again.average.mean[:4], once.average.mean[:4])


def test_one_rater_a_clip_is_refused():
    rater, clip, values, passages = panel(raters=1)
    with pytest.raises(StatisticsError, match=r"no clip has two raters, in dimension \[0, 1\]"):
        statistics.split_half(rater, clip, values, passages, seed=1, splits=2)
    with pytest.raises(StatisticsError, match=r"no clip has two raters, in dimension \[0, 1\]"):
        statistics.intraclass_correlation(rater, clip, values, passages)


def test_ratings_that_do_not_fit_are_refused():
    rater, clip, values, passages = panel(clips=100)
    with pytest.raises(StatisticsError, match="799 raters and 800 clips"):
        statistics.split_half(rater[1:], clip, values, passages, seed=1)
    with pytest.raises(StatisticsError, match="clips 0 to 99, but there are passages for 50"):
        statistics.split_half(rater, clip, values, passages[:50], seed=1)
    with pytest.raises(StatisticsError, match="number of splits is 0"):
        statistics.split_half(rater, clip, values, passages, seed=1, splits=0)
    values[:, 1] = np.nan
    with pytest.raises(StatisticsError, match=r"nobody rated dimension \[1\]"):
        statistics.split_half(rater, clip, values, passages, seed=1)


@pytest.mark.data
def test_the_ceiling_of_percepiano(percepiano):
    ratings, passages = percepiano.ratings, percepiano.passages
    apart = statistics.split_half(ratings.rater, ratings.clip, ratings.values, passages, seed=1)
    assert apart.mean.estimate == pytest.approx(0.737, abs=0.01)
    mixed = statistics.split_half(
        np.arange(len(ratings.clip)), ratings.clip, ratings.values, passages, seed=1
    )
    assert mixed.mean.estimate == pytest.approx(0.784, abs=0.01)
    variance = statistics.intraclass_correlation(
        ratings.rater, ratings.clip, ratings.values, passages
    )
    assert variance.average.mean.estimate == pytest.approx(0.742, abs=0.01)
