"""Damage to what is published, each found in one line that names the file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pianobench import Corpus, Dataset
from pianobench.config import Choice
from pianobench.errors import DataError
from pianobench.fold_files import write_folds
from pianobench.leaderboard.check import Checked, check_leaderboard
from pianobench.predictions import file_digest
from pianobench.result import read_result
from pianobench.split import make_split

Check = Callable[..., Checked]
Edit = Callable[[Path, str, Any], None]
PREDICTIONS = "predictions-piece.csv"


def one_line(checked: Checked, file: Path) -> str:
    """The only finding, which has to name the file and fit a line."""
    (finding,) = checked.faults
    line = str(finding)
    assert finding.path == file
    assert line.startswith(f"{file}: ")
    assert "\n" not in line
    return line


def change_cell(path: Path, value: str) -> None:
    lines = path.read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:3], value, *cells[4:]])
    path.write_text("\n".join(lines) + "\n")


def test_what_was_written_passes(check: Check) -> None:
    checked = check()
    assert checked == Checked(2, (), {})


def test_a_changed_prediction_is_found(check: Check, row: Path) -> None:
    change_cell(row / PREDICTIONS, "0.999999")
    assert "SHA-256" in one_line(check(), row / PREDICTIONS)


def test_a_changed_prediction_is_found_where_its_digest_was_changed_too(
    check: Check, row: Path, edit: Edit
) -> None:
    change_cell(row / PREDICTIONS, "0.999999")
    digest = file_digest(row / PREDICTIONS)
    edit(row / "result.json", "protocols.piece.predictions_sha256", digest)
    line = one_line(check(), row / "result.json")
    assert "protocols.piece.scores" in line
    assert "more)" in line


def test_a_changed_metric_is_found(check: Check, row: Path, edit: Edit) -> None:
    stored = read_result(row).protocols["piece"].scores.metrics["spearman"]
    edit(row / "result.json", "protocols.piece.scores.metrics.spearman", stored + 1e-6)
    line = one_line(check(), row / "result.json")
    assert "protocols.piece.scores.metrics.spearman is stored as" in line


def test_what_another_machine_rounds_otherwise_agrees(check: Check, row: Path, edit: Edit) -> None:
    stored = read_result(row).protocols["piece"].scores.metrics["spearman"]
    edit(row / "result.json", "protocols.piece.scores.metrics.spearman", stored + 1e-12)
    assert check().faults == ()


def test_labels_that_were_swapped_are_found(check: Check, folder: Path, edit: Edit) -> None:
    (labels,) = folder.glob("labels/*.json")
    given = json.loads(labels.read_text())
    first, second = (given["clips"][i]["labels"] for i in (0, 1))
    edit(labels, "clips.0.labels", second)
    edit(labels, "clips.1.labels", first)
    assert "changed after it was written" in one_line(check(), labels)


def test_labels_that_were_swapped_with_their_digest_are_found(
    check: Check, folder: Path, published: Any
) -> None:
    from pianobench.leaderboard.labels import labels_text

    corpus = published.corpus
    other = replace(corpus, targets=corpus.targets[::-1].copy())
    (labels,) = folder.glob("labels/*.json")
    labels.write_text(labels_text(other, published.dataset.licence, published.dataset.citation))
    assert "other labels than the rows" in one_line(check(), labels)


def test_rows_on_other_labels_than_the_dataset_has_are_found(
    check: Check, published: Any, folder: Path
) -> None:
    targets = published.corpus.targets.copy()
    targets[0, 0] += 0.01
    checked = check(corpus=replace(published.corpus, targets=targets))
    found = {finding.path.name: finding.text for finding in checked.faults}
    assert len(checked.faults) == 3
    assert "other data than is here" in found["result.json"]
    (labels,) = folder.glob("labels/*.json")
    assert "not what the dataset 'demo' gives" in found[labels.name]


def test_a_fold_file_with_a_shared_passage_is_found(
    check: Check, published: Any, tmp_path: Path
) -> None:
    corpus: Corpus = published.corpus
    path = tmp_path / "piece.csv"
    split = make_split(corpus, "piece")
    of = {int(clip): fold.name for fold in split.folds for clip in fold.test}
    of[0] = next(fold.name for fold in split.folds if fold.name != of[0])
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [("clip", "fold"), *((corpus.ids[clip], of[clip]) for clip in sorted(of))]
        )

    class Folded(Dataset):
        name = "demo"
        licence, citation = published.dataset.licence, published.dataset.citation

        def fold_file(self, protocol: str) -> Path | None:
            return path if protocol == "piece" else None

    assert "passage" in one_line(check(dataset=Folded()), path)


def test_committed_folds_that_do_not_leak_pass(
    check: Check, published: Any, tmp_path: Path
) -> None:
    path = tmp_path / "piece.json"
    write_folds(path, make_split(published.corpus, "piece"), published.corpus)

    class Folded(Dataset):
        name = "demo"
        licence, citation = published.dataset.licence, published.dataset.citation

        def fold_file(self, protocol: str) -> Path | None:
            return path if protocol == "piece" else None

    assert check(dataset=Folded()).faults == ()


def test_a_rank_after_stopping_on_the_scored_fold_is_found(
    check: Check, row: Path, edit: Edit
) -> None:
    edit(row / "result.json", "config.selection", "test-fold")
    assert "claims a rank on 'piece'" in one_line(check(), row / "result.json")


def test_a_badge_of_a_rerun_without_its_record_is_found(
    check: Check, folder: Path, edit: Edit
) -> None:
    path = folder / "board.json"
    edit(path, "datasets.0.rows.0.badges", ["rescored", "rerun"])
    line = one_line(check(), path)
    assert "has the badge rerun, and there is no results/demo-midi-stats-ridge" in line


def test_a_missing_clip_is_found(check: Check, row: Path) -> None:
    path = row / PREDICTIONS
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:5] + lines[6:]) + "\n")
    line = one_line(check(), path)
    assert "1 clips are missing" in line
    assert lines[5].split(",")[0] in line


@pytest.mark.parametrize("name", ["result.json", "labels", "rerun.json"])
def test_an_unknown_schema_version_is_found(
    check: Check, folder: Path, row: Path, edit: Edit, name: str
) -> None:
    path = next(folder.glob("labels/*.json")) if name == "labels" else row / name
    if name == "rerun.json":
        path.write_text("{}")
    edit(path, "schema_version", 99)
    assert "schema version 99" in one_line(check(), path)


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("config_digest", "0" * 64, "config_digest is stored as"),
        ("name", "another", "a folder of another name"),
        ("protocols.piece.split_digest", "0" * 64, "split_digest"),
        ("protocols.piece.predictions", "../elsewhere.csv", "'../elsewhere.csv'"),
        ("protocols.piece.seeds", "many", "is damaged at protocols.piece.seeds"),
        ("data.digest", "0" * 64, "other data than is here"),
    ],
)
def test_whatever_else_is_wrong_in_a_result_is_found(
    check: Check, row: Path, edit: Edit, where: str, value: Any, message: str
) -> None:
    edit(row / "result.json", where, value)
    checked = check()
    assert [f.path for f in checked.faults] == [row / "result.json"]
    assert message in checked.faults[0].text


def test_an_unknown_protocol_is_found(check: Check, row: Path) -> None:
    path = row / "result.json"
    given = json.loads(path.read_text())
    given["protocols"]["peice"] = given["protocols"].pop("piece")
    path.write_text(json.dumps(given))
    assert "there is no protocol 'peice'" in one_line(check(), path)


def test_a_folder_without_a_result_is_found(check: Check, folder: Path) -> None:
    (folder / "results" / "empty").mkdir()
    assert "no result" in one_line(check(), folder / "results" / "empty" / "result.json")


@pytest.mark.parametrize("name", ["README.md", "board.json", "model-index.yaml"])
def test_a_table_that_was_edited_is_found(check: Check, folder: Path, name: str) -> None:
    path = folder / name
    path.write_text(path.read_text().replace("ridge", "bridge"))
    assert "is not what the results say" in one_line(check(), path)


def test_a_table_that_is_missing_is_found(check: Check, folder: Path) -> None:
    (table,) = folder.glob("*.csv")
    table.unlink()
    assert "it is missing" in one_line(check(), table)


def absent(choice: Choice) -> tuple[Dataset, Corpus]:
    raise DataError("The dataset is not here.")


def test_rows_whose_dataset_is_absent_are_unchecked_and_not_passed(folder: Path) -> None:
    checked = check_leaderboard(folder, absent, jobs=1)
    assert checked.faults == ()
    names = sorted(path.name for path in (folder / "results").iterdir())
    assert checked.unchecked == {"The dataset is not here.": names}


def test_without_the_dataset_the_labels_still_tell_a_changed_score(
    folder: Path, row: Path, edit: Edit
) -> None:
    stored = read_result(row).protocols["piece"].scores.metrics["mae"]
    edit(row / "result.json", "protocols.piece.scores.metrics.mae", stored - 0.01)
    checked = check_leaderboard(folder, absent, jobs=1)
    assert "protocols.piece.scores.metrics.mae" in one_line(checked, row / "result.json")
    assert len(checked.unchecked) == 1


def test_without_dataset_and_labels_a_changed_file_is_still_found(folder: Path, row: Path) -> None:
    next(folder.glob("labels/*.json")).unlink()
    change_cell(row / PREDICTIONS, "0.999999")
    checked = check_leaderboard(folder, absent, jobs=1)
    assert "SHA-256" in one_line(checked, row / PREDICTIONS)


def test_a_row_that_claims_another_rank_than_its_folds_earn_is_found(
    check: Check, row: Path, edit: Edit
) -> None:
    edit(row / "result.json", "protocols.work.ranked", True)
    assert "protocols.work.ranked" in one_line(check(), row / "result.json")
