"""From a run to a published row: submit, leaderboard, check and rerun, as they are typed."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pianobench.cli import main
from pianobench.config import RunConfig
from pianobench.places import cache_at
from pianobench.plan import plan_run
from pianobench.plugins import Registry
from pianobench.run import Workplace, run


class Said(NamedTuple):
    code: int
    out: str
    err: str


Bench = Callable[..., Said]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a result on the demo corpus."""
    place = tmp_path_factory.mktemp("finished")
    given = {"dataset": "demo", "encoder": "midi-stats", "head": "ridge", "protocols": ["piece"]}
    registry = Registry()
    plan = plan_run(RunConfig.parse(given, "test"), registry)
    with cache_at(place / "cache"):
        _, folder = run(plan, registry, Workplace(place / "results", place / "cache", jobs=1))
    return folder


@pytest.fixture
def result(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in an empty folder to type in."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(finished, Path("results") / finished.name))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    def typed(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Said(code, *capsys.readouterr())

    return typed


def test_a_row_is_submitted_written_checked_and_run_again(
    bench: Bench, result: Path, finished: Path
) -> None:
    (result / "notes.txt").write_text("mine")
    (result / "rerun.json").write_text("{}")
    done = bench("submit", result)
    assert done.code == 0, done.err
    row = Path("leaderboard/results") / result.name
    assert sorted(path.name for path in row.iterdir()) == ["predictions-piece.csv", "result.json"]
    assert Path("leaderboard/labels/demo-1.json").is_file()
    assert bench("leaderboard").code == 0
    done = bench("leaderboard", "--check", "--jobs", 1)
    assert (done.code, done.err) == (0, "")
    assert "1 rows, every number agrees" in done.out

    done = bench("rerun", row, "--jobs", 1, "--cache", "fresh")
    assert done.code == 0, done.err
    record = json.loads((row / "rerun.json").read_text())
    assert record["encoded_again"]
    assert record["protocols"]["piece"]["largest_difference"] == 0
    assert bench("leaderboard").code == 0
    assert "rerun, fingerprint matched" in Path("leaderboard/README.md").read_text()
    assert bench("leaderboard", "--check", "--jobs", 1).code == 0
    (row / "rerun.json").unlink()
    done = bench("leaderboard", "--check", "--jobs", 1)
    assert done.code == 1
    assert done.out.startswith("leaderboard/board.json: ")
    assert "has the badge rerun" in done.out
    assert "1 files are not what they should be" in done.err


def test_a_result_that_disagrees_is_not_submitted(bench: Bench, result: Path) -> None:
    path = result / "result.json"
    path.write_text(path.read_text().replace('"spearman": 0.', '"spearman": 0.1', 1))
    done = bench("submit", result)
    assert done.code == 1
    assert "disagreements, listed above" in done.err
    assert not Path("leaderboard").exists()


def test_what_is_submitted_has_to_be_a_result_that_is_elsewhere(bench: Bench, result: Path) -> None:
    done = bench("submit", "nowhere")
    assert (done.code, done.out) == (2, "")
    assert "There is no result at nowhere/result.json" in done.err
    assert bench("submit", result).code == 0
    done = bench("submit", Path("leaderboard/results") / result.name)
    assert done.code == 2
    assert "is on the leaderboard already" in done.err
    done = bench("submit", result / "result.json")
    assert done.code == 0
    assert done.out.startswith("Replaced")


def test_a_rerun_that_disagrees_leaves_no_record(bench: Bench, result: Path) -> None:
    path = result / "result.json"
    given = json.loads(path.read_text())
    given["protocols"]["piece"]["scores"]["metrics"]["r2"] += 0.02
    path.write_text(json.dumps(given))
    done = bench("rerun", result, "--jobs", 1)
    assert done.code == 1
    assert "was not reproduced" in done.err
    assert not (result / "rerun.json").exists()


def test_a_rerun_runs_nothing_that_the_user_has_not_named(bench: Bench, result: Path) -> None:
    path = result / "result.json"
    given = json.loads(path.read_text())

    def stored(**changes: object) -> None:
        config = given["config"] | changes
        digest = RunConfig.model_validate(config).digest
        path.write_text(json.dumps(given | {"config": config, "config_digest": digest}))

    Path("evil.py").write_text("import pathlib\n\npathlib.Path('ran').touch()\n")
    stored(encoder={"name": "xares", "options": {"file": "evil.py"}})
    for named in ((), ("--encoder", "xares:mine.py")):
        done = bench("rerun", result, "--jobs", 1, *named)
        assert done.code == 2
        assert "runs the code 'evil.py'" in done.err
        assert "--encoder xares:evil.py" in done.err
    assert not Path("ran").exists()
    assert bench("rerun", result, "--jobs", 1, "--encoder", "xares:evil.py").code == 2
    assert Path("ran").exists()
    renderer = {"name": "pianoteq", "options": {"program": "evil"}}
    stored(encoder={"name": "mel"}, renderer=renderer)
    done = bench("rerun", result, "--jobs", 1)
    assert done.code == 2
    assert "The renderer 'pianoteq' of" in done.err


def test_a_rerun_of_a_configuration_that_was_changed_is_refused(bench: Bench, result: Path) -> None:
    path = result / "result.json"
    given = json.loads(path.read_text())
    given["config"]["head"]["options"]["anything"] = 1
    path.write_text(json.dumps(given))
    done = bench("rerun", result, "--jobs", 1)
    assert done.code == 2
    assert "was changed: its configuration has the digest" in done.err


def test_rows_without_their_dataset_are_unchecked_with_exit_code_2(
    bench: Bench, result: Path
) -> None:
    assert bench("submit", result).code == 0
    row = Path("leaderboard/results") / result.name
    given = json.loads((row / "result.json").read_text())
    given["config"]["dataset"]["name"] = given["components"]["dataset"]["name"] = "elsewhere"
    config = RunConfig.model_validate(given["config"])
    given["config_digest"] = config.digest
    given["name"] = f"elsewhere-midi-stats-ridge-{config.digest[:8]}"
    (row / "result.json").write_text(json.dumps(given))
    row.rename(row.with_name(given["name"]))
    assert bench("leaderboard").code == 0
    done = bench("leaderboard", "--check", "--jobs", 1)
    assert done.code == 2, done.out
    assert f"unchecked, since their folds and leaks need the dataset: {given['name']}" in done.out
    assert "1 of 1 rows are unchecked" in done.err


def test_options_of_the_check_have_nothing_to_do_without_it(bench: Bench, result: Path) -> None:
    done = bench("leaderboard", "--data-root", "x")
    assert done.code == 2
    assert "--data-root has nothing to do without --check" in done.err
    done = bench("leaderboard", "--check")
    assert done.code == 2
    assert "There is no leaderboard at leaderboard" in done.err
