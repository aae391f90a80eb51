"""Novelty: distances by hand, and that clips drawn as the training clips are not new."""

from __future__ import annotations

import numpy as np
import pytest

from pianobench.novelty import measure_novelty


def test_distances_are_root_mean_squares_in_standard_deviations() -> None:
    training = np.array([[0.0, 10.0, 1.0], [2.0, 10.0, 1.0], [4.0, 14.0, 1.0], [6.0, 14.0, 1.0]])
    new = np.array([[2.0, 14.0, 99.0], [1000.0, 10.0, 1.0]])
    found = measure_novelty(training, np.array(["a", "a", "b", "b"]), new)
    # Columns deviate by sqrt(5) and 2; the third never varies and says nothing.
    assert found.distance[0] == pytest.approx(np.sqrt((2**2 / 5 + 0) / 2))
    assert found.nearest.tolist() == [2, 3]
    # Ten standard deviations from the mean at most: 10 - 3 / sqrt(5) from the last clip.
    assert found.distance[1] == pytest.approx(np.sqrt(((10 - 3 / 5**0.5) ** 2 + 2**2) / 2))
    # From passage to passage it is sqrt((2^2/5 + 2^2) / 2) at least, from each of the four.
    assert found.percentile.tolist() == [0.0, 100.0]


def test_percentiles_of_clips_like_the_training_clips_are_uniform() -> None:
    random = np.random.default_rng(0)
    training, new = random.normal(size=(400, 3)), random.normal(size=(400, 3))
    percentile = measure_novelty(training, np.arange(400).astype(str), new).percentile
    # Smirnov's distance of two samples of 400 is below 0.138 with a probability of 0.999.
    assert np.abs(np.sort(percentile) / 100 - np.linspace(0, 1, 400)).max() < 0.138


def test_takes_of_a_passage_do_not_make_other_music_new() -> None:
    random = np.random.default_rng(1)
    music = random.normal(size=(40, 3))
    takes = np.repeat(music, 5, axis=0) + 0.01 * random.normal(size=(200, 3))
    new = random.normal(size=(100, 3))
    by_passage = measure_novelty(takes, np.repeat(np.arange(40), 5).astype(str), new).percentile
    by_clip = measure_novelty(takes, np.arange(200).astype(str), new).percentile
    assert 30 < np.median(by_passage) < 70
    assert np.median(by_clip) == 100


def test_a_single_passage_is_compared_clip_by_clip() -> None:
    training = np.array([[0.0], [1.0], [3.0]])
    found = measure_novelty(training, np.array(["a", "a", "a"]), np.array([[4.5]]))
    assert found.percentile[0] == pytest.approx(200 / 3)
