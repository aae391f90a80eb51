"""Ranks and verdicts of rows, against the same statistics computed one pair at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pianobench import Corpus, statistics
from pianobench.evaluate import OutOfFold
from pianobench.leaderboard import measures as measuring
from pianobench.leaderboard.measures import Measures, Source, measure
from pianobench.leaderboard.standings import find_standings
from pianobench.metrics import pooled_r2
from pianobench.predictions import file_digest, write_predictions
from pianobench.scopes import quantities_of

NOISE = (0.005, 0.0051, 0.04, 0.03, 0.05)
SEEDS = (1, 1, 3, 1, 1)


class Given:
    """Predictions of five rows, the best first, as they are written."""

    def __init__(self, corpus: Corpus, folder: Path) -> None:
        rng = np.random.default_rng(3)
        self.corpus = corpus
        self.by_seed, self.sources = [], []
        for number, (noise, seeds) in enumerate(zip(NOISE, SEEDS, strict=True)):
            shape = (seeds, *corpus.targets.shape)
            values = np.round(corpus.targets + noise * rng.normal(size=shape), 6)
            self.by_seed.append(values)
            path = folder / f"{number}.csv"
            folds = np.full(len(corpus.clips), "1")
            write_predictions(path, corpus, OutOfFold(tuple(range(seeds)), values, folds, ()))
            r2 = float(pooled_r2(corpus.targets, values.mean(axis=0)).mean())
            self.sources.append(Source(path, file_digest(path), r2))
        self.sources.sort(key=lambda source: -source.r2)
        self.by_seed = [self.by_seed[int(source.path.stem)] for source in self.sources]
        self.predictions = np.stack([values.mean(axis=0) for values in self.by_seed])
        self.weights = quantities_of(corpus.dimensions).weights

    def measured(self) -> Measures:
        return measure(self.corpus, self.sources, self.weights, jobs=1)

    def noise(self) -> np.ndarray:
        return np.array(
            [
                statistics.seed_variance(self.corpus.targets, values) / len(values)
                if len(values) > 1
                else 0.0
                for values in self.by_seed
            ]
        )


@pytest.fixture
def given(corpus: Corpus, tmp_path: Path) -> Given:
    return Given(corpus, tmp_path)


def test_chunks_do_not_show(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = given.measured()
    monkeypatch.setattr(measuring, "_CHUNK", 2)
    parts = given.measured()
    np.testing.assert_allclose(parts.distribution, whole.distribution, rtol=0, atol=1e-12)
    np.testing.assert_allclose(parts.c.low, whole.c.low, rtol=0, atol=1e-12)
    assert parts.g is not None
    assert whole.g is not None
    np.testing.assert_allclose(parts.g.high, whole.g.high, rtol=0, atol=1e-12)
    assert find_standings(parts) == find_standings(whole)


def test_intervals_of_quantities_are_those_of_one_row_alone(given: Given) -> None:
    found = given.measured()
    passages = given.corpus.group("passage")
    alone = statistics.passage_jackknife(
        given.corpus.targets, given.predictions[:1], passages
    ).r2_per_dimension()
    np.testing.assert_allclose(found.c.low[0, 1:], alone.low[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.c.estimate[0, 1:], alone.estimate[0], rtol=0, atol=1e-12)


def test_verdicts_against_the_best_are_those_of_the_two_way_jackknife(given: Given) -> None:
    found = find_standings(given.measured()).rows
    jackknife = statistics.two_way_jackknife(
        given.corpus.targets,
        given.predictions,
        given.corpus.group("passage"),
        given.corpus.group("performer"),
        ~given.corpus.human,
    )
    plain = jackknife.difference(0)
    noise = given.noise()
    error = np.sqrt(plain.standard_error**2 + noise + noise[0])[1:]
    expected = statistics.t_interval(plain.estimate[1:], error, plain.df)
    adjusted = statistics.holm(expected.p_value)
    equivalent = statistics.holm(statistics.tost(expected))
    assert found[0].verdict is None
    for row, standing in enumerate(found[1:]):
        assert standing.difference == pytest.approx(expected.estimate[row], abs=1e-12)
        assert standing.difference_low == pytest.approx(expected.low[row], abs=1e-9)
        assert standing.p_adjusted == pytest.approx(adjusted[row], abs=1e-9)
        assert standing.verdict == statistics.verdict(
            expected.estimate[row], adjusted[row], equivalent[row]
        )
    assert len({standing.verdict for standing in found[1:]}) == 2


def test_letters_of_pairs_are_uncorrected_verdicts(given: Given) -> None:
    verdicts = find_standings(given.measured()).verdicts
    noise = given.noise()
    words = {"worse": "w", "equivalent": "e", "not distinguished": "n"}
    assert [len(letters) for letters in verdicts] == [0, 1, 2, 3, 4]
    for row in range(1, len(NOISE)):
        for other in range(row):
            jackknife = statistics.two_way_jackknife(
                given.corpus.targets,
                given.predictions[[other, row]],
                given.corpus.group("passage"),
                given.corpus.group("performer"),
                ~given.corpus.human,
            )
            plain = jackknife.difference(0)
            error = np.sqrt(plain.standard_error[1:] ** 2 + noise[row] + noise[other])
            pair = statistics.t_interval(plain.estimate[1:], error, plain.df)
            word = statistics.verdict(
                float(pair.estimate[0]), float(pair.p_value[0]), float(statistics.tost(pair)[0])
            )
            assert verdicts[row][other] == words[word.value]
    assert {"w", "n"} <= set("".join(verdicts))


def test_groups_are_read_off_the_letters(given: Given) -> None:
    rows, verdicts = find_standings(given.measured())
    for place, standing in enumerate(rows):
        with_better = [i for i, letter in enumerate(verdicts[place]) if letter != "w"]
        later = range(place + 1, len(rows))
        with_worse = [i for i in later if verdicts[i][place] != "w"]
        group = [*with_better, place, *with_worse]
        assert standing.group_first == group[0] + 1
        assert standing.group_last == group[-1] + 1
        assert standing.group_size == len(group)


def test_ranks_and_the_best_set_are_those_of_all_rows_together(given: Given) -> None:
    rows = find_standings(given.measured()).rows
    passages = given.corpus.group("passage")
    counts = statistics.counts_of(
        statistics.resample_indices(8, measuring.RESAMPLES, measuring.SEED), 8, np.float64
    )
    ranks = statistics.rank_intervals(
        statistics.bootstrap_r2(given.corpus.targets, given.predictions, passages, counts)
    )
    assert [row.best_rank for row in rows] == ranks.best.tolist()
    assert [row.worst_rank for row in rows] == ranks.worst.tolist()
    p_values = statistics.best_p_values(
        given.corpus.targets, given.predictions, passages, seed=measuring.SEED
    )
    assert [row.may_be_best for row in rows] == (p_values > 0.05).tolist()


def test_copies_of_a_row_are_equivalent_and_share_their_rank(given: Given) -> None:
    given.sources = [given.sources[0], given.sources[0], given.sources[-1]]
    rows, verdicts = find_standings(given.measured())
    assert verdicts[1] == "e"
    assert (rows[0].best_rank, rows[1].best_rank) == (1, 1)
    assert (rows[0].worst_rank, rows[1].worst_rank) == (2, 2)
    assert rows[1].may_be_best


def test_without_performers_rows_are_compared_for_new_passages_only(given: Given) -> None:
    corpus = given.corpus
    groups = {kind: of for kind, of in corpus.groups.items() if kind != "performer"}
    given.corpus = replace(corpus, groups=groups)
    found = given.measured()
    assert found.g is None
    difference = statistics.passage_jackknife(
        corpus.targets, given.predictions, corpus.group("passage")
    ).difference(0)
    noise = given.noise()
    error = np.sqrt(difference.standard_error[-1] ** 2 + noise[0] + noise[-1])
    assert find_standings(found).rows[-1].difference_low == pytest.approx(
        statistics.t_interval(difference.estimate[-1], error, difference.df).low, abs=1e-9
    )


def test_a_row_alone_is_the_best(given: Given) -> None:
    given.sources = given.sources[:1]
    ((only,), verdicts) = find_standings(given.measured())
    assert (only.best_rank, only.worst_rank, only.may_be_best, only.group_size) == (1, 1, True, 1)
    assert verdicts == ("",)
