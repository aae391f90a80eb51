"""The record of a rerun: what earns the badge, and what does not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pianobench.errors import ResultError
from pianobench.leaderboard import write_leaderboard
from pianobench.leaderboard.check import Checked
from pianobench.leaderboard.rerun import (
    TOLERANCE,
    RerunRecord,
    badges_of_rerun,
    compare_rerun,
    faults_of_rerun,
    read_rerun,
    write_rerun,
)
from pianobench.predictions import file_digest
from pianobench.result import read_result

Edit = Callable[[Path, str, Any], None]


@pytest.fixture
def record(published: Any, row: Path, tmp_path: Path) -> RerunRecord:
    """Of a rerun that gave the same predictions."""
    again = Path(shutil.copytree(row, tmp_path / "again" / row.name))
    result = read_result(row)
    return compare_rerun(row, result, again, read_result(again), published.corpus)


def test_a_rerun_that_agrees_earns_its_badges(row: Path, record: RerunRecord) -> None:
    result = read_result(row)
    assert badges_of_rerun(row, result) == ()
    write_rerun(row, record)
    assert read_rerun(row) == record
    assert record.protocols["piece"].largest_difference == 0
    assert record.encoded_again
    assert badges_of_rerun(row, result) == ("rerun", "fingerprint matched")


def test_the_badge_is_shown_and_passes_the_check(
    folder: Path, row: Path, record: RerunRecord, check: Callable[..., Checked]
) -> None:
    write_rerun(row, record)
    write_leaderboard(folder, jobs=1)
    (dataset,) = json.loads((folder / "board.json").read_text())["datasets"]
    assert dataset["rows"][0]["badges"] == ["rescored", "rerun", "fingerprint matched"]
    assert f"results/{row.name}/rerun.json" in dataset["rows"][0]["files"]
    assert check().faults == ()


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("config_digest", "0" * 64, "another configuration"),
        ("data_digest", "0" * 64, "other data"),
        ("protocols.piece.predictions_sha256", "0" * 64, "other predictions of 'piece'"),
        ("protocols.piece.r2", 0.1, "says that the row has R2 0.1"),
        ("protocols.piece.rerun_r2", 0.1, "and 0.01 is allowed"),
        ("protocols.work.rerun_r2", float("nan"), "and 0.01 is allowed"),
        ("protocols", {}, "it has the protocols"),
    ],
)
def test_a_record_of_something_else_earns_none_and_is_found(
    row: Path,
    record: RerunRecord,
    edit: Edit,
    check: Callable[..., Checked],
    where: str,
    value: Any,
    message: str,
) -> None:
    path = write_rerun(row, record)
    edit(path, where, value)
    assert badges_of_rerun(row, read_result(row)) == ()
    (finding,) = check().faults
    assert finding.path == path
    assert message in finding.text


def test_predictions_within_the_tolerance_agree_and_their_distance_is_told(
    published: Any, row: Path, tmp_path: Path, edit: Edit
) -> None:
    again = Path(shutil.copytree(row, tmp_path / "again" / row.name))
    path = again / "predictions-piece.csv"
    lines = path.read_text().splitlines()
    clip, fold, seed, first, *rest = lines[1].split(",")
    lines[1] = ",".join([clip, fold, seed, f"{float(first) + 0.01:.6f}", *rest])
    path.write_text("\n".join(lines) + "\n")
    result = read_result(row)
    stored = result.protocols["piece"].scores.metrics["r2"]
    edit(again / "result.json", "protocols.piece.predictions_sha256", file_digest(path))
    edit(again / "result.json", "protocols.piece.scores.metrics.r2", stored - TOLERANCE / 2)
    record = compare_rerun(row, result, again, read_result(again), published.corpus)
    found = record.protocols["piece"]
    assert found.largest_difference == pytest.approx(0.01, abs=1e-9)
    assert found.rms_difference == pytest.approx(0.01 / (120 * 6) ** 0.5, rel=1e-6)
    assert faults_of_rerun(record, result) == []


def test_another_fingerprint_leaves_the_badge_of_the_rerun(row: Path, record: RerunRecord) -> None:
    write_rerun(row, record.model_copy(update={"fingerprint": "0" * 64}))
    assert badges_of_rerun(row, read_result(row)) == ("rerun",)


def test_a_record_that_is_damaged_is_refused(row: Path) -> None:
    (row / "rerun.json").write_text("{")
    with pytest.raises(ResultError, match="Cannot read the record of a rerun"):
        read_rerun(row)
