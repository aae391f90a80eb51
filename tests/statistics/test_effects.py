from __future__ import annotations

import numpy as np
import pytest

from pianobench import metrics, statistics
from pianobench.errors import StatisticsError
from pianobench.statistics.effects import passage_means


@pytest.fixture
def means(small):
    return passage_means(small.targets, small.predictions, small.passages)


def test_passage_means_weighted_by_clips_are_one_minus_r2(small, means):
    clips = np.bincount(small.passages)
    r2 = metrics.pooled_r2(small.targets, small.predictions).mean(axis=1)
    np.testing.assert_allclose(clips @ means / clips.sum(), 1 - r2, atol=1e-12)


def test_every_effect_size_follows_its_definition(small, means):
    a, b = means[:, 0], means[:, 3]
    found = statistics.effect_sizes(
        small.targets, small.predictions[0], small.predictions[3], small.passages, seed=1
    )
    d_av = (b - a).mean() / ((a.std(ddof=1) + b.std(ddof=1)) / 2)
    assert found.d_z.value == pytest.approx((b - a).mean() / (b - a).std(ddof=1))
    assert found.d_av.value == pytest.approx(d_av)
    assert found.hedges_g.value == pytest.approx(d_av * (1 - 3 / (4 * 11 - 1)))
    wins = [np.sign(y - x) for x in a for y in b]
    assert found.cliffs_delta.value == pytest.approx(np.mean(wins))


def test_intervals_are_percentiles_of_the_effect_on_drawn_passages(small, means):
    found = statistics.effect_sizes(
        small.targets,
        small.predictions[0],
        small.predictions[3],
        small.passages,
        seed=1,
        resamples=300,
    )
    drawn = means[statistics.resample_indices(12, 300, seed=1)]
    gains = drawn[..., 3] - drawn[..., 0]
    d_z = np.quantile(gains.mean(axis=1) / gains.std(axis=1, ddof=1), [0.025, 0.975])
    assert found.d_z[1:] == pytest.approx(d_z)
    delta = np.sign(drawn[:, None, :, 3] - drawn[:, :, None, 0]).mean(axis=(1, 2))
    assert found.cliffs_delta[1:] == pytest.approx(np.quantile(delta, [0.025, 0.975]))


def test_the_effect_of_the_second_over_the_first_has_the_other_sign(small):
    there = statistics.effect_sizes(
        small.targets, small.predictions[0], small.predictions[3], small.passages, seed=1
    )
    back = statistics.effect_sizes(
        small.targets, small.predictions[3], small.predictions[0], small.passages, seed=1
    )
    for forth, against in zip(there, back, strict=True):
        assert against.value == pytest.approx(-forth.value)
        assert (against.low, against.high) == pytest.approx((-forth.high, -forth.low))
        assert forth.low < forth.value < forth.high


def test_a_model_against_itself_has_no_effect(small):
    p = small.predictions[0]
    found = statistics.effect_sizes(small.targets, p, p, small.passages, seed=1)
    assert all(effect == (0, 0, 0) for effect in found)


def test_losses_that_differ_by_a_constant_are_refused():
    y = np.tile([[0.0], [1.0]], (6, 1))
    with pytest.raises(StatisticsError, match=r"losses of all 6 passages differ by 0\.75"):
        statistics.effect_sizes(y, y + 0.25, y + 0.5, np.arange(12) // 2, seed=1)
