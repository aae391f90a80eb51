"""`bench study`: what is printed and written, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pianobench.cli import bench
from pianobench.errors import UsageError
from pianobench.studies import fusion_rules

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


def test_studies_of_the_same_draws_are_compared(place: Path) -> None:
    pytest.importorskip("matplotlib")
    type_in(f"{COMMAND} --draws 2")
    (beside,) = (place / "studies").iterdir()
    mean = COMMAND.replace("ridge", "mean")
    done = type_in(f"{mean} --draws 2 --beside {beside}")
    assert "midi-stats, ridge, on the same draws: +" in done.output
    assert "higher in 2 of 2" in done.output


def test_studies_that_cannot_be_compared_are_refused_before_anything_is_fitted(place: Path) -> None:
    type_in(f"{COMMAND} --draws 1")
    (beside,) = (place / "studies").iterdir()
    mean = COMMAND.replace("ridge", "mean")
    for others in ("--draws 2", "--draws 1 --seed 1"):
        with pytest.raises(UsageError, match=r"1 draws from seed 0, .* --draws and --seed"):
            type_in(f"{mean} {others} --beside {beside}")
    stored = json.loads((beside / "study.json").read_text())
    (beside / "study.json").write_text(json.dumps({**stored, "data_digest": "0" * 64}))
    with pytest.raises(UsageError, match="data digest 00000000, and this one of demo"):
        type_in(f"{mean} --draws 1 --beside {beside}")
    assert list((place / "studies").iterdir()) == [beside]


def test_without_matplotlib_the_study_ends_well_and_says_what_is_missing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = type_in(f"{COMMAND} --draws 1")
    assert done.exit_code == 0
    assert 'No picture is drawn beside the study. Drawing needs matplotlib: pip install "piano' in (
        done.stderr
    )
    (folder,) = (place / "studies").iterdir()
    assert (folder / "study.json").exists()
    assert not (folder / "draws.svg").exists()


def test_the_published_reported_rows_are_marks() -> None:
    from pianobench.leaderboard.reported import read_reported

    rows = read_reported(Path(__file__).parents[2] / "leaderboard" / "reported.json")
    marks = {row.r2 for row in rows if row.study == "published-split"}
    assert marks == {0.397, 0.347}


def test_a_fusion_is_printed_and_reported(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    ways = {name: fusion_rules.FUSIONS[name] for name in ("mean", "weighted")}
    monkeypatch.setattr("pianobench.studies.fusion.FUSIONS", ways)
    for head in ("ridge", "kernel-ridge"):
        type_in(f"run --dataset demo --encoder midi-stats --head {head} --protocols piece --jobs 1")
    fused = " ".join(["study fusion --jobs 1", *map(str, sorted(place.glob("results/demo-*")))])
    done = type_in(fused)
    (folder,) = (place / "studies").iterdir()
    assert done.output.startswith("Fusion of 2 models on demo, protocol piece: 120 clips, 20 pass")
    rows = [line.split() for line in done.output.splitlines()]
    stored = json.loads((folder / "study.json").read_text())
    for way in stored["fusions"]:
        shown = next(row for row in rows if row[:1] == [way["name"]])
        assert shown[1:3] == [f"{way['r2']:.3f}", f"{way['gain']['difference']:+.3f}"]
    assert f"No fusion can exceed R2 {stored['bound']:.3f} on these clips" in done.output
    assert f"This study: {Path('studies') / folder.name}" in done.output
    report = (folder / "report.html").read_text()
    assert report.count("<svg") == 2
    for caption in ("The models alone", "What fusing them gains", "R2 by dimension"):
        assert f"<caption>{caption}</caption>" in report
    assert json.loads(type_in(f"{fused} --json").stdout) == stored

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = type_in(fused)
    assert done.exit_code == 0
    assert "No report is written beside the study. Drawing needs matplotlib" in done.stderr
    assert (folder / "study.json").exists()
