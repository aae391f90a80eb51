"""Predictions, scores and stored results: written once, read back, recomputed, and distrusted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import r2_score

from pianobench import Corpus, Dataset
from pianobench.audit import audit
from pianobench.config import RunConfig
from pianobench.errors import ResultError
from pianobench.evaluate import OutOfFold
from pianobench.predictions import file_digest, read_predictions, write_predictions
from pianobench.rescore import rescore
from pianobench.result import (
    DataRecord,
    ProtocolRecord,
    Result,
    list_results,
    read_result,
    save,
    writing,
)
from pianobench.score import score
from pianobench.split import make_split

Floats = NDArray[np.float64]


class Small(Dataset):
    """Stands for the dataset of the corpus fixture; the harness makes its folds."""

    name = "small"


@pytest.fixture
def predicted(corpus: Corpus) -> OutOfFold:
    split = make_split(corpus, "piece")
    rng = np.random.default_rng(1)
    folds = np.full(len(corpus.clips), "", dtype=object)
    for fold in split.folds:
        folds[fold.test] = fold.name
    values = corpus.targets + 0.05 * rng.normal(size=(2, *corpus.targets.shape))
    return OutOfFold((0, 1), values, folds.astype(np.str_), ())


@pytest.fixture
def stored(tmp_path: Path, corpus: Corpus, predicted: OutOfFold) -> Path:
    config = RunConfig.parse({"dataset": "small", "encoder": "none", "seeds": [0, 1]}, "test")
    split = make_split(corpus, "piece")
    with writing(tmp_path / "results", "one") as folder:
        path = folder / "predictions-piece.csv"
        write_predictions(path, corpus, predicted)
        record = ProtocolRecord(
            unit=list(split.unit),
            folds=len(split.folds),
            split_digest=split.digest,
            ranked=True,
            flags=[],
            audit=audit(corpus, split).as_json(),
            predictions=path.name,
            predictions_sha256=file_digest(path),
            seeds=[0, 1],
            selected=[],
            scores=score(corpus, read_predictions(path, corpus), "piece"),
        )
        result = Result(
            name="one",
            pianobench="0",
            config=config,
            config_digest=config.digest,
            data=DataRecord(
                dataset="small",
                version="1",
                digest=corpus.digest,
                clips=48,
                dimensions=["timing", "touch", "tempo"],
            ),
            components={},
            protocols={"piece": record},
            environment={},
            timings_s={},
        )
        save(result, folder)
    return tmp_path / "results" / "one"


def disagreements(folder: Path, corpus: Corpus) -> list[str]:
    return rescore(folder, read_result(folder), Small(), corpus)


def edit(folder: Path, change: str, to: str) -> None:
    path = folder / "predictions-piece.csv"
    text = path.read_text()
    assert change in text
    path.write_text(text.replace(change, to, 1))


def test_predictions_read_back_as_written_to_six_decimals(
    tmp_path: Path, corpus: Corpus, predicted: OutOfFold
) -> None:
    write_predictions(tmp_path / "p.csv", corpus, predicted)
    again = read_predictions(tmp_path / "p.csv", corpus)
    np.testing.assert_array_equal(again.clips, np.arange(48))
    np.testing.assert_array_equal(again.folds, predicted.folds)
    np.testing.assert_allclose(again.values, predicted.values, atol=5.1e-7)


def test_clips_that_no_fold_scores_are_left_out_of_the_file(
    tmp_path: Path, corpus: Corpus, predicted: OutOfFold
) -> None:
    predicted.folds[5] = ""
    write_predictions(tmp_path / "p.csv", corpus, predicted)
    again = read_predictions(tmp_path / "p.csv", corpus)
    assert 5 not in again.clips
    assert len(again.clips) == 47


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


def test_a_stored_result_agrees_with_itself(stored: Path, corpus: Corpus) -> None:
    assert disagreements(stored, corpus) == []
    assert list_results(stored.parent) == [stored]


def test_a_changed_prediction_is_named(stored: Path, corpus: Corpus) -> None:
    path = stored / "predictions-piece.csv"
    lines = path.read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:3], "0.999999", *cells[4:]])
    path.write_text("\n".join(lines) + "\n")
    found = disagreements(stored, corpus)
    assert any("SHA-256 differs" in line for line in found)
    assert any("scores.metrics.r2 is stored as" in line for line in found)


def test_a_changed_metric_is_named(stored: Path, corpus: Corpus) -> None:
    path = stored / "result.json"
    given = json.loads(path.read_text())
    given["protocols"]["piece"]["scores"]["metrics"]["r2"] += 1e-6
    path.write_text(json.dumps(given))
    (line,) = disagreements(stored, corpus)
    assert "scores.metrics.r2" in line


def test_other_labels_are_named(stored: Path, corpus: Corpus) -> None:
    targets = corpus.targets.copy()
    targets[0, 0] += 0.01
    other = replace(corpus, targets=targets)
    assert any("other data" in line for line in disagreements(stored, other))


def test_a_clip_moved_to_another_fold_is_named(stored: Path, corpus: Corpus) -> None:
    path = stored / "predictions-piece.csv"
    clip = corpus.ids[0]
    own = next(line for line in path.read_text().splitlines() if line.startswith(f"{clip},"))
    fold = own.split(",")[1]
    other = "2" if fold != "2" else "3"
    path.write_text(path.read_text().replace(f"{clip},{fold},", f"{clip},{other},"))
    found = disagreements(stored, corpus)
    assert any("another fold" in line and clip in line for line in found)


def test_a_missing_clip_is_named(stored: Path, corpus: Corpus) -> None:
    path = stored / "predictions-piece.csv"
    clip = corpus.ids[7]
    kept = [line for line in path.read_text().splitlines() if not line.startswith(f"{clip},")]
    path.write_text("\n".join(kept) + "\n")
    assert any(
        "1 clips are missing" in line and clip in line for line in disagreements(stored, corpus)
    )


@pytest.mark.parametrize(
    ("change", "to", "message"),
    [
        ("p0_Score", "p0_Skore", "does not have"),
        ("timing", "timeing", "has the columns"),
        ("p0_a,", "p0_b,", "exactly once"),
    ],
)
def test_a_file_that_does_not_fit_the_corpus_is_refused(
    stored: Path, corpus: Corpus, change: str, to: str, message: str
) -> None:
    edit(stored, change, to)
    with pytest.raises(ResultError, match=message):
        disagreements(stored, corpus)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ('{"schema_version": 99}', r"schema version 99; this pianobench reads 1"),
        ('{"schema_version": 1}', r"damaged at"),
    ],
)
def test_a_damaged_result_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ResultError, match=message):
        read_result(tmp_path)


def test_a_run_that_fails_leaves_no_half_result(tmp_path: Path) -> None:
    def fail_half_way() -> None:
        with writing(tmp_path, "one") as folder:
            (folder / "result.json").write_text("{}")
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []


def test_a_results_folder_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file, not a folder")
    with pytest.raises(ResultError, match=r"Cannot write results into .*--results"):
        writing(tmp_path / "results", "one").__enter__()
