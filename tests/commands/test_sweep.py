"""`bench sweep` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pianobench.cli import bench
from pianobench.errors import PianobenchError, UnknownNameError, UsageError

GRID = """
about = "Does the head matter?"
dataset = "demo"
encoder = "midi-stats"

[vary]
head = ["ridge", "mean"]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(GRID)
    return tmp_path


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(bench, ["sweep", *arguments])


def test_a_grid_is_planned_run_and_answered(place: Path) -> None:
    planned = typed("mine.toml", "--dry-run", "--choose")
    assert planned.exit_code == 0, planned.output
    assert "2 cells: 0 stored, 2 to do, 32 models to fit" in planned.output
    assert "time to fit: not known yet for ridge, mean" in planned.output
    assert not (place / "results").exists()

    done = typed("mine.toml", "--choose", "--jobs", "1")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("Does the head matter?\n")
    assert "demo, protocol piece: 120 clips" in done.output
    assert "ridge: chosen 4 of 4 times" in done.output
    assert "optimism +0.000" in done.output
    table = next((place / "results" / "sweeps").glob("mine-*-piece-nested/table.csv"))
    header, first, _ = table.read_text().splitlines()
    assert header.startswith("head,result,seeds,r2,low,high,best_rank")
    assert first.startswith("ridge,demo-midi-stats-ridge-")

    again = typed("mine.toml", "--choose", "--json")
    answer = json.loads(again.output)
    assert [row["varied"]["head"] for row in answer["table"]["rows"]] == ["ridge", "mean"]
    assert answer["missing"] == []
    assert "stored" in typed("mine.toml", "--dry-run").output
    cells = json.loads(typed("mine.toml", "--dry-run", "--json").output)
    assert [cell["stored"] for cell in cells["cells"]] == [True, True]


def test_options_that_are_repeated_vary_and_shards_share_the_work(place: Path) -> None:
    asked = ["--dataset", "demo", "--encoder", "midi-stats", "--head", "mean", "--head", "ridge"]
    part = typed(*asked, "--shard", "2/2", "--jobs", "1")
    assert part.output == "Shard 2/2: 1 of 2 cells are in results.\n"
    assert len(list((place / "results").glob("*/result.json"))) == 1
    whole = typed(*asked, "--jobs", "1")
    assert "--choose\nmeasures by how much." in whole.output


def test_cells_that_fail_are_named_below_the_table_of_the_others(place: Path) -> None:
    (place / "plugin.py").write_text(
        "from pianobench import Head, hookimpl\n"
        "class Bad(Head):\n"
        "    name = 'bad'\n"
        "    def fit(self, x, y, groups, seed, sample_weight=None):\n"
        "        raise ZeroDivisionError('by zero')\n"
        "@hookimpl\n"
        "def bench_components():\n"
        "    return [Bad]\n"
    )
    done = typed(
        "mine.toml", "--plugin", "plugin.py", "--head", "mean", "--head", "bad", "--jobs", "1"
    )
    assert "mean" in done.output
    assert "1 cells are missing, so this is no answer yet: demo-midi-stats-bad-" in done.output
    assert isinstance(done.exception, PianobenchError)
    assert "1 cells could not be run; the others are, and are kept." in str(done.exception)
    assert "ZeroDivisionError: by zero" in str(done.exception)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([], "Nothing to sweep: name a grid"),
        (["layer-muq"], "Did you mean 'layers-muq'"),
        (["mine.toml", "--head", "mean"], "is empty: nothing varies"),
        (["mine.toml", "--shard", "3/2"], "no shard 3 of 2"),
        (["mine.toml", "--shard", "half"], "is not of the form I/N"),
        (["mine.toml", "--set", "head"], "is not of the form part.option=value"),
        (["mine.toml", "--set", "head.hiden=3"], "2 of 2 cells cannot be run, so nothing was"),
        (["mine.toml", "--layers", "0", "--layers", "13"], "layer 0 only"),
        (["mine.toml", "--protocol", "work"], "cannot be compared by 'work'"),
        (["mine.toml", "--protocols", "pieces"], "Did you mean 'piece'"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_anything_runs(
    asked: list[str], said: str, place: Path
) -> None:
    done = typed(*asked)
    assert isinstance(done.exception, UsageError | UnknownNameError)
    assert said in str(done.exception)
    assert not (place / "results").exists()
