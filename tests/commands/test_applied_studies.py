"""`bench study consistency` and `difficulty`: what is printed and written, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pianobench.cli import bench
from pianobench.commands.study.applied import difficulty
from pianobench.written_difficulty import PROXIES

MODEL = "--encoder midi-stats --head ridge --train demo --jobs 1 --data-root data"


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture(autouse=True)
def place(asap_root: Path, features: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(asap_root.parent)
    monkeypatch.setenv("PIANOBENCH_CACHE", str(features))
    return asap_root.parent


def type_in(command: str) -> Result:
    return CliRunner(catch_exceptions=False).invoke(bench, command.split())


def test_a_study_leaves_its_record_predictions_picture_and_report(place: Path) -> None:
    pytest.importorskip("matplotlib")
    done = type_in(f"study consistency {MODEL}")
    assert done.exit_code == 0
    (folder,) = (place / "studies").iterdir()
    assert {path.name for path in folder.iterdir()} == {
        *("study.json", "predictions.csv", "spread.svg", "report.html")
    }
    assert done.output.endswith(f"This study: {Path('studies') / folder.name / 'report.html'}\n")
    rows = [line.split()[0] for line in done.output.splitlines() if "[" in line]
    assert rows[:6] == [
        *("timing", "articulation_length", "pedal_amount", "loudness", "dynamic_range", "tempo")
    ]


def test_json_is_the_stored_record(place: Path) -> None:
    done = type_in(f"study difficulty --proxy span --json {MODEL}")
    (folder,) = (place / "studies").iterdir()
    assert json.loads(done.stdout) == json.loads((folder / "study.json").read_text())
    assert json.loads(done.stdout)["proxy"] == "span"


def test_what_is_left_out_is_told(place: Path) -> None:
    (place / "data" / "asap" / "Bach" / "Fugue_1" / "Ada01.mid").unlink()
    done = type_in(f"study difficulty --dataset asap --set dataset.unusable=skip {MODEL}")
    assert "left out because the performance is missing: 1 (Bach/Fugue_1/Ada01)." in done.output


def test_without_matplotlib_the_report_has_no_picture(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = type_in(f"study consistency {MODEL}")
    assert "No picture is drawn beside the study" in done.stderr
    (folder,) = (place / "studies").iterdir()
    assert "<svg" not in (folder / "report.html").read_text()


def test_the_proxies_that_can_be_asked_for_are_those_there_are() -> None:
    (option,) = [option for option in difficulty.params if option.name == "proxy"]
    assert tuple(option.type.choices) == tuple(PROXIES)
