"""Scores: equal to independent ones, with intervals where the protocol supports them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.metrics import r2_score

from pianobench import Corpus
from pianobench.evaluate import OutOfFold
from pianobench.predictions import read_predictions, write_predictions
from pianobench.score import score


def test_scores_average_seeds_first_and_match_scikit_learn(
    tmp_path: Path, corpus: Corpus, predicted: OutOfFold
) -> None:
    write_predictions(tmp_path / "p.csv", corpus, predicted)
    predictions = read_predictions(tmp_path / "p.csv", corpus)
    found = score(corpus, predictions, "piece")
    assert found.metrics["r2"] == pytest.approx(r2_score(corpus.targets, predictions.mean))
    assert found.r2_per_seed["1"] == pytest.approx(r2_score(corpus.targets, predictions.values[1]))
    human = corpus.human
    assert found.metrics["r2_human"] == pytest.approx(
        r2_score(corpus.targets[human], predictions.mean[human])
    )
    per_dimension = r2_score(corpus.targets, predictions.mean, multioutput="raw_values")
    assert list(found.dimensions["r2"].values()) == pytest.approx(list(per_dimension))


def test_every_interval_holds_the_point_it_is_of(
    tmp_path: Path, corpus: Corpus, predicted: OutOfFold
) -> None:
    write_predictions(tmp_path / "p.csv", corpus, predicted)
    found = score(corpus, read_predictions(tmp_path / "p.csv", corpus), "piece")
    assert [(i.scope, i.method) for i in found.intervals] == [
        ("C", "jackknife-t"),
        ("C", "percentile"),
        ("C", "bca"),
        ("G", "two-way jackknife-t"),
    ]
    for interval in found.intervals:
        assert interval.low < found.metrics["r2"] < interval.high


def test_a_protocol_with_few_units_gets_no_interval_and_says_so(
    tmp_path: Path, corpus: Corpus, predicted: OutOfFold
) -> None:
    write_predictions(tmp_path / "p.csv", corpus, predicted)
    found = score(corpus, read_predictions(tmp_path / "p.csv", corpus), "work")
    assert found.intervals == []
    assert any("units of 'work' are too few" in limit for limit in found.limits)
