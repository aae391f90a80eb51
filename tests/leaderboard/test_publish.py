"""The files of a leaderboard: a pure function of what lies in its folder."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pianobench import leaderboard
from pianobench.errors import ResultError
from pianobench.leaderboard import Board, assemble, read_board, write_leaderboard
from pianobench.result import read_result

Edit = Callable[[Path, str, Any], None]


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in write_leaderboard(folder, jobs=1)}


def test_the_same_inputs_give_the_same_bytes_in_whatever_order_they_are_listed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    del first["reported.json"]
    assert written(folder) == first
    listed = assemble.list_results
    monkeypatch.setattr(assemble, "list_results", lambda results: listed(results)[::-1])
    assert written(folder) == first


def test_a_board_is_read_back_from_its_json(folder: Path) -> None:
    board = read_board(folder, jobs=1)
    again = Board.model_validate_json((folder / "board.json").read_text())
    assert leaderboard.leaderboard_files(again)["board.json"] == (folder / "board.json").read_text()
    assert [row.name for row in again.datasets[0].rows] == [
        row.name for row in board.datasets[0].rows
    ]


def test_the_page_shows_rows_and_reported_numbers(folder: Path) -> None:
    page = (folder / "README.md").read_text()
    assert "midi-stats" in page
    assert "Somebody's model" in page
    assert "0.600 [0.500, 0.700]" in page
    assert "nothing is ranked" in page
    assert "Baselines that this table lacks: midi-stats with kernel-ridge" in page
    for target in [part.split(")")[0] for part in page.split("[files](")[1:]]:
        assert (folder / target / "result.json").is_file()


def test_the_csv_holds_every_digit_of_the_results(folder: Path, row: Path) -> None:
    (table,) = folder.glob("*.csv")
    with table.open(newline="") as file:
        best, other = csv.DictReader(file)
    stored = read_result(row).protocols["piece"].scores
    assert best["head"] == "ridge"
    assert float(best["piece"]) == pytest.approx(stored.metrics["r2"], abs=5e-7)
    assert float(best["low"]) == pytest.approx(stored.intervals[0].low, abs=5e-7)
    assert (best["best rank"], best["worst rank"], best["may be best"]) == ("1", "1", "yes")
    assert (other["against no. 1"], other["may be best"]) == ("worse", "no")


def test_a_folder_that_is_no_leaderboard_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="There is no leaderboard"):
        write_leaderboard(tmp_path)


def test_an_empty_leaderboard_is_written(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    names = {"README.md", "board.json", "model-index.yaml", "index.html"}
    assert set(written(tmp_path)) == names


def test_without_labels_rows_have_scores_and_no_rank(folder: Path) -> None:
    shutil.rmtree(folder / "labels")
    written(folder)
    (dataset,) = json.loads((folder / "board.json").read_text())["datasets"]
    piece = dataset["rows"][0]["scores"]["piece"]
    assert piece["standing"] is None
    assert piece["c"] is not None
    assert dataset["rows"][0]["badges"] == []
    assert dataset["protocols"][0]["limit"] == "the labels are not published here"


def test_changed_predictions_are_refused_before_anything_is_written(
    folder: Path, row: Path
) -> None:
    before = (folder / "README.md").read_bytes()
    path = row / "predictions-piece.csv"
    path.write_text(path.read_text().replace("0.5", "0.6", 1))
    with pytest.raises(ResultError, match="changed after it was written"):
        write_leaderboard(folder, jobs=1)
    assert (folder / "README.md").read_bytes() == before


def test_a_score_that_the_predictions_do_not_give_is_refused(
    folder: Path, row: Path, edit: Edit
) -> None:
    edit(row / "result.json", "protocols.piece.scores.metrics.r2", 0.99)
    with pytest.raises(ResultError, match=r"its result says 0.99"):
        write_leaderboard(folder, jobs=1)


@pytest.mark.parametrize(
    ("where", "message"),
    [("data.digest", "data digest differs"), ("protocols.piece.split_digest", "different folds")],
)
def test_rows_that_were_not_measured_alike_are_not_ranked_together(
    folder: Path, row: Path, edit: Edit, where: str, message: str
) -> None:
    edit(row / "result.json", where, "0" * 64)
    with pytest.raises(ResultError, match=message):
        write_leaderboard(folder, jobs=1)


def test_a_row_that_stopped_on_the_scored_fold_stands_nowhere(
    folder: Path, row: Path, edit: Edit
) -> None:
    edit(row / "result.json", "config.selection", "test-fold")
    edit(row / "result.json", "protocols.piece.ranked", False)
    (dataset,) = read_board(folder, jobs=1).datasets
    peeking = next(each for each in dataset.rows if each.name == row.name)
    assert dataset.rows[-1] == peeking
    assert peeking.scores["piece"].standing is None
    assert not peeking.scores["piece"].comparable
    assert dataset.protocols[0].comparable == 1


def test_cards_tell_what_results_record(folder: Path) -> None:
    (dataset,) = read_board(folder, jobs=1).datasets
    best = dataset.rows[0]
    assert (best.encoder.name, best.encoder.overlap, best.encoder.pretraining) == (
        "midi-stats",
        "none",
        "none",
    )
    assert best.input == "notes"
    assert best.cost.clips_per_s is not None
    assert best.cost.audio_s_per_s is None
    assert best.badges == ("rescored",)
    assert [category.name for category in dataset.categories][:2] == ["Technical", "Articulation"]
    dimensions = best.scores["piece"].dimensions
    assert dimensions.c_low is not None
    assert all(low < r2 for low, r2 in zip(dimensions.c_low, dimensions.r2, strict=True))


def test_results_older_than_the_record_of_it_say_unknown(folder: Path, row: Path) -> None:
    path = row / "result.json"
    given = json.loads(path.read_text())
    facts = given["components"]["encoder"]["facts"]
    for name in ("overlap", "encoding"):
        del facts[name]
    facts["pretraining"] = "a million songs"
    path.write_text(json.dumps(given))
    (dataset,) = read_board(folder, jobs=1).datasets
    older = next(each for each in dataset.rows if each.name == row.name)
    assert older.encoder.overlap == "unknown"
    assert older.encoder.parameters is None
    assert older.cost.clips_per_s is None
