"""`bench study`: what is printed and written, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pianobench.cli import bench
from pianobench.errors import UsageError

COMMAND = "study published-split --dataset demo --encoder midi-stats --head ridge --jobs 1"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def type_in(command: str) -> Result:
    return CliRunner(catch_exceptions=False).invoke(bench, command.split())


def test_the_study_prints_every_draw_and_draws_them(place: Path) -> None:
    pytest.importorskip("matplotlib")
    done = type_in(f"{COMMAND} --draws 3 --seed 4 --mark 0.397")
    assert done.exit_code == 0
    rows = [line.split() for line in done.output.splitlines() if line[:1].isdigit()]
    assert [row[:3] for row in rows] == [["4", "18", "0%"], ["5", "18", "0%"], ["6", "18", "0%"]]
    assert "draws below 0.397" in done.output
    assert "never ranked" in done.output
    (folder,) = (place / "studies").iterdir()
    assert f"This study: {Path('studies') / folder.name}" in done.output
    assert "<!--  0.397 -->" in (folder / "draws.svg").read_text()
    stored = json.loads((folder / "study.json").read_text())
    assert stored["ranked"] is False
    assert [draw["seed"] for draw in stored["draws"]] == [4, 5, 6]


def test_marks_are_those_of_the_leaderboard_for_the_dataset(place: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = [
        {"dataset": "demo", "row": "a", "r2": 0.5, "source": "s", "study": "published-split"},
        {"dataset": "demo", "row": "b", "r2": 0.6, "source": "s"},
        {"dataset": "percepiano", "row": "c", "r2": 0.7, "source": "s", "study": "published-split"},
    ]
    (place / "leaderboard").mkdir()
    (place / "leaderboard" / "reported.json").write_text(json.dumps(rows))
    found = json.loads(type_in(f"{COMMAND} --draws 1 --json").stdout)
    marks = found["distributions"]["r2_of_mean"]["marks"]
    assert [mark["value"] for mark in marks] == [0.5]


def test_studies_of_the_same_draws_are_compared_and_others_refused(place: Path) -> None:
    pytest.importorskip("matplotlib")
    type_in(f"{COMMAND} --draws 2")
    (beside,) = (place / "studies").iterdir()
    mean = COMMAND.replace("ridge", "mean")
    done = type_in(f"{mean} --draws 2 --beside {beside}")
    assert "midi-stats, ridge, on the same draws: +" in done.output
    assert "higher in 2 of 2" in done.output
    with pytest.raises(UsageError, match="draw by draw"):
        type_in(f"{mean} --draws 1 --beside {beside}")
    # What was computed is kept.
    assert len(list((place / "studies").glob("*/study.json"))) == 2


def test_the_published_reported_rows_are_marks() -> None:
    from pianobench.leaderboard.reported import read_reported

    rows = read_reported(Path(__file__).parents[2] / "leaderboard" / "reported.json")
    marks = {row.r2 for row in rows if row.study == "published-split"}
    assert marks == {0.397, 0.347}
