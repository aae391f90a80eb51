"""How fast the resampling statistics are, against scikit-learn and scipy in the same run.

``pytest tests/benchmarks --benchmark-columns=min,median`` prints the times; the ratios are in the
extra information of each benchmark. Times depend on the machine, so none is asserted.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import r2_score

from pianobench import statistics
from pianobench.statistics.significance import passage_losses

RESAMPLES = 10_000
SIZES = [156, 91, 91, 91, 68, 68, 68, 52, 45, 39, 39, 39] + 17 * [14] + 13 * [9]


@pytest.fixture(scope="module")
def board() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets, predictions of 100 models and passages, of PercePiano's size."""
    rng = np.random.default_rng(0)
    passages = np.repeat(np.arange(42), SIZES)
    targets = rng.normal(size=(1202, 19)) + rng.normal(size=(42, 19))[passages]
    errors = rng.normal(size=(100, 1202, 19)) + rng.normal(size=(100, 42, 19))[:, passages]
    return targets, targets + 0.7 * errors, passages


def resample(targets: np.ndarray, predictions: np.ndarray, passages: np.ndarray) -> np.ndarray:
    counts = statistics.counts_of(statistics.resample_indices(42, RESAMPLES, seed=1), 42)
    return statistics.bootstrap_r2(targets, predictions, passages, counts)


def test_resamples_of_one_model_against_a_loop_of_scikit_learn(benchmark, board):
    targets, predictions, passages = board
    benchmark(resample, targets, predictions[:1], passages)
    members = [np.flatnonzero(passages == passage) for passage in range(42)]
    times = []
    for indices in statistics.resample_indices(42, 200, seed=1):
        start = time.perf_counter()
        rows = np.concatenate([members[index] for index in indices])
        r2_score(targets[rows], predictions[0][rows])
        times.append(time.perf_counter() - start)
    # The best of both: what else the machine does is no part of either.
    ratio = RESAMPLES * min(times) / benchmark.stats["min"]
    benchmark.extra_info["times faster than a loop of r2_score"] = round(ratio)
    assert ratio >= 500


def test_bootstrap_of_one_model_against_scipy(benchmark, board):
    targets, predictions, passages = board
    benchmark(statistics.bootstrap_interval, targets, predictions[:1], passages, 1, RESAMPLES)
    y = targets - targets.mean(axis=0)
    errors = (predictions[0] - targets) ** 2
    clips = np.hstack([np.ones((len(y), 1)), y, y**2, errors])
    sums = np.array([clips[passages == passage].sum(axis=0) for passage in range(42)])

    def mean_r2(positions: np.ndarray, axis: int = -1) -> np.ndarray:
        n, s, q, e = np.split(sums[positions].sum(axis=-2), [1, 20, 39], axis=-1)
        return (1 - e / (q - s**2 / n)).mean(axis=-1)

    start = time.perf_counter()
    scipy.stats.bootstrap((np.arange(42),), mean_r2, n_resamples=RESAMPLES, batch=500, rng=1)
    ratio = (time.perf_counter() - start) / benchmark.stats["median"]
    benchmark.extra_info["times faster than scipy on the same sums"] = round(ratio)


def test_bootstrap_of_a_hundred_models(benchmark, board):
    targets, predictions, passages = board
    benchmark(statistics.bootstrap_interval, targets, predictions, passages, 1, RESAMPLES)


def test_all_pairs_of_a_hundred_models_against_scipy(benchmark, board):
    targets, predictions, passages = board
    benchmark(statistics.pair_tests, targets, predictions, passages, 1, RESAMPLES)
    losses = passage_losses(targets, predictions[:2], passages).mean(axis=2)
    start = time.perf_counter()
    scipy.stats.permutation_test(
        (losses[:, 0], losses[:, 1]),
        lambda a, b, axis=-1: (a - b).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=1,
    )
    ratio = (time.perf_counter() - start) * 4_950 / benchmark.stats["median"]
    benchmark.extra_info["times faster than 4,950 tests by scipy"] = round(ratio)


def test_two_way_jackknife_of_a_hundred_models(benchmark, board):
    targets, predictions, passages = board
    performers = np.random.default_rng(1).integers(0, 20, len(passages))
    benchmark(statistics.two_way_jackknife_t, targets, predictions, passages, performers)


def test_rank_intervals_of_a_hundred_models(benchmark, board):
    distribution = statistics.bootstrap_interval(*board, 1, RESAMPLES).distribution
    benchmark(statistics.rank_intervals, distribution)
