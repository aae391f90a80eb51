"""`bench fit` and `bench predict`: what is printed, and what bad files cost."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pianobench.cli import bench
from pianobench.errors import DataError, UsageError

FIT = "fit --dataset demo --encoder midi-stats --head ridge --jobs 1"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def type_in(command: str, *, fails: bool = False) -> Result:
    done = CliRunner().invoke(bench, command.split())
    if done.exception is not None and not fails:
        raise done.exception
    return done


def test_a_model_is_fitted_and_applied(place: Path, own_cache: Path) -> None:
    fitted = type_in(FIT)
    assert "ridge, fitted on 120 clips of demo, midi-stats" in fitted.output
    assert "have not seen, R2 is 0." in fitted.output
    (model,) = (place / "models").iterdir()
    assert f"This model: {Path('models') / model.name}" in fitted.output
    files = own_cache / "generated" / "demo" / "v1"
    one, other = sorted(files.glob("*.mid"))[:2]
    shown = type_in(f"predict {model} {one} {other}").output.splitlines()
    assert shown[0].split() == ["file", one.name, other.name]
    assert [line.split()[0] for line in shown[2:]][-2:] == ["tempo", "novelty"]
    rows = list(csv.DictReader(io.StringIO(type_in(f"predict {model} {files} --csv").stdout)))
    assert len(rows) == 120
    said = json.loads(type_in(f"predict {model} {one} --json").stdout)["files"][0]
    assert float(rows[0]["tempo"]) == pytest.approx(said["predictions"]["tempo"], abs=1e-6)
    assert rows[0]["file"] == said["file"] == str(one)

    (place / "torn.mid").write_bytes(b"MThd")
    partly = type_in(f"predict {model} torn.mid {one} --json", fails=True)
    assert isinstance(partly.exception, DataError)
    assert str(partly.exception).startswith("1 of 2 files are not predicted")
    found = json.loads(partly.stdout)
    assert found["files"] == [said]
    assert found["failed"]["torn.mid"].startswith("Cannot read the MIDI file torn.mid")
    assert "torn.mid is not predicted. Cannot read" in partly.stderr
    with pytest.raises(UsageError, match="exclude each other"):
        type_in(f"predict {model} {one} --csv --json")
    record = json.loads(type_in(f"{FIT} --json").stdout)
    assert record["name"] == model.name
