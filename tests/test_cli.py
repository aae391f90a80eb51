"""The commands as a user types them: exit codes, one clear paragraph, and the demo job."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pianobench import run as pipeline
from pianobench.cli import main
from pianobench.errors import DataError
from pianobench.plan import Plan
from pianobench.plugins import Registry
from pianobench.result import Result
from pianobench.run import Workplace


class Done(NamedTuple):
    code: int
    out: str
    err: str


Bench = Callable[..., Done]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    """Type a command; get its exit code and what it printed."""

    def typed(*words: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Done(code, *capfd.readouterr())

    return typed


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """The job of `bench run` alone, in a folder with an empty cache: results, cache, output."""
    place = tmp_path_factory.mktemp("demo")
    environment = {**os.environ, "PIANOBENCH_CACHE": str(place / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "pianobench", "run"],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return place / "results", place / "cache", done.stdout


def only_result(results: Path, encoder: str) -> Path:
    (found,) = [path for path in results.iterdir() if f"-{encoder}-" in path.name]
    return found


def test_run_alone_ends_with_a_leaderboard_that_holds_the_baseline(
    demo: tuple[Path, Path, str],
) -> None:
    results, _, output = demo
    assert "Leaderboard of demo" in output
    result = json.loads((only_result(results, "mel") / "result.json").read_text())
    assert result["protocols"]["piece"]["ranked"]
    assert result["protocols"]["piece"]["scores"]["metrics"]["r2"] > 0.3
    assert set(result["protocols"]) == {"piece", "unseen", "work"}
    assert only_result(results, "midi-stats").name in {p.name for p in results.iterdir()}


def test_rescoring_a_stored_result_agrees(bench: Bench, demo: tuple[Path, Path, str]) -> None:
    done = bench("rescore", only_result(demo[0], "mel"))
    assert done.code == 0
    assert "every number agrees" in done.out


def test_rescoring_an_edited_result_exits_1_and_names_what_disagrees(
    bench: Bench, demo: tuple[Path, Path, str], tmp_path: Path
) -> None:
    shutil.copytree(only_result(demo[0], "mel"), tmp_path / "edited")
    path = tmp_path / "edited" / "result.json"
    given = json.loads(path.read_text())
    given["protocols"]["work"]["scores"]["metrics"]["r2"] = 0.99
    path.write_text(json.dumps(given))
    done = bench("rescore", tmp_path / "edited")
    assert done.code == 1
    assert "scores.metrics.r2 is stored as 0.99" in done.out


def test_a_second_run_uses_the_cache_and_writes_identical_predictions(
    bench: Bench, demo: tuple[Path, Path, str], tmp_path: Path
) -> None:
    results, cache, _ = demo
    done = bench(
        "run", "--dataset", "demo", "--encoder", "mel", "--results", tmp_path, "--cache", cache,
        "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    first, again = only_result(results, "mel"), only_result(tmp_path, "mel")
    assert again.name == first.name
    for protocol in ("piece", "unseen", "work"):
        name = f"predictions-{protocol}.csv"
        assert (again / name).read_bytes() == (first / name).read_bytes()
    stored = json.loads((first / "result.json").read_text())["protocols"]
    assert json.loads(done.out)["protocols"] == stored


def test_submit_and_leaderboard_publish_a_result(
    bench: Bench, demo: tuple[Path, Path, str], tmp_path: Path
) -> None:
    result = only_result(demo[0], "mel")
    assert bench("submit", result, "--leaderboard", tmp_path).code == 0
    assert bench("leaderboard", "--leaderboard", tmp_path).code == 0
    assert result.name in (tmp_path / "README.md").read_text()
    (table,) = tmp_path.glob("demo-*.csv")
    assert table.read_text().count("\n") == 2


def test_a_run_killed_while_it_works_resumes_without_redoing_what_is_done(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    environment = {**os.environ, "PIANOBENCH_CACHE": str(cache)}
    command = [sys.executable, "-m", "pianobench", "run", "--dataset", "demo", "--results",
               str(tmp_path / "results"), "--protocols", "piece"]  # fmt: skip
    killed = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        while not any(cache.rglob("*.flac")) and killed.poll() is None:
            pass
    finally:
        killed.kill()
        killed.wait()
    rendered = {path: path.stat().st_mtime_ns for path in cache.rglob("*.flac")}
    assert rendered
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert all(path.stat().st_mtime_ns == when for path, when in rendered.items() if path.exists())
    assert not [path for path in rendered if not path.exists()]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--encoder", "mell"], "no encoder named 'mell'. Did you mean 'mel'"),
        (["run", "--layers", "3"], "3"),
        (["run", "--protocols", "peice"], "no protocol named 'peice'. Did you mean 'piece'"),
        (["run", "--set", "encoder.bandz=3"], "no option of encoder 'mel' named 'bandz'"),
        (["run", "--encodr", "mel"], "--encoder"),
        (["run", "--encoder", "midi-stats", "--renderer", "tone"], "reads notes"),
        (["run", "--dataset", "percepiano", "--data-root", "nowhere"], "bench fetch percepiano"),
        (["info", "mell"], "Did you mean 'mel'"),
        (["rescore", "nowhere"], "no result at nowhere"),
        (["audit", "demo", "peice"], "neither a file nor a protocol"),
        (["run", "--plugin", "nowhere.py"], "nowhere.py cannot be loaded"),
        (["run", "--config", "nowhere.toml"], "Cannot read the configuration nowhere.toml"),
    ],
)
def test_bad_input_is_one_paragraph_and_exit_code_2(
    bench: Bench, words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = bench(*words)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not any(tmp_path.glob("results/*"))


def test_a_results_folder_that_cannot_be_written_is_said_before_the_work(
    bench: Bench, tmp_path: Path, own_cache: Path
) -> None:
    (tmp_path / "results").write_text("a file")
    done = bench("run", "--dataset", "demo", "--results", tmp_path / "results")
    assert done.code == 2
    assert "Cannot write results into" in done.err
    assert not any(own_cache.rglob("*.flac"))


def test_an_encoder_in_a_single_file_runs(
    bench: Bench, demo: tuple[Path, Path, str], tmp_path: Path
) -> None:
    plugin = tmp_path / "own.py"
    plugin.write_text(
        "import numpy as np\n"
        "from pianobench import AudioEncoder, hookimpl\n\n\n"
        "class Level(AudioEncoder):\n"
        '    """Level of the waveform."""\n\n'
        '    name = "level"\n'
        "    sample_rate = 24_000\n"
        '    backend = "numpy"\n'
        '    default_head = "ridge"\n\n'
        "    def load(self, device):\n"
        "        return lambda w: [np.abs(w[:, : w.shape[1] // 240 * 240])"
        ".reshape(len(w), -1, 240).mean(2, keepdims=True)]\n\n\n"
        "@hookimpl\ndef bench_components():\n    return [Level]\n"
    )
    done = bench(
        "run", "--plugin", plugin, "--dataset", "demo", "--encoder", "level", "--protocols",
        "piece", "--results", tmp_path / "results", "--cache", demo[1],
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "level" in done.out


def test_a_baseline_that_fails_takes_nothing_from_the_run(
    bench: Bench, tmp_path: Path, demo: tuple[Path, Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out = pipeline.run

    def failing(plan: Plan, registry: Registry, place: Workplace) -> tuple[Result, Path]:
        if plan.encoder.name == "midi-stats":
            assert place.device == "cpu"
            raise DataError("Clip 'x' cannot be read.")
        return carry_out(plan, registry, place)

    monkeypatch.setattr(pipeline, "run", failing)
    results = tmp_path / "results"
    done = bench(
        "run", "--dataset", "demo", "--encoder", "mel", "--head", "ridge", "--protocols", "piece",
        "--results", results, "--cache", demo[1],
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "The baseline midi-stats with kernel-ridge is missing" in done.err
    assert "Clip 'x' cannot be read." in done.err
    assert "Leaderboard of demo" in done.out


def test_list_and_info_show_what_is_installed(bench: Bench) -> None:
    listed = bench("list")
    assert listed.code == 0
    for name in ("percepiano", "fluidsynth", "midi-stats", "kernel-ridge", "quantiles"):
        assert name in listed.out
    components = json.loads(bench("list", "--json").out)["components"]
    assert {"kind": "encoder", "name": "mel"}.items() <= next(
        c for c in components if c["name"] == "mel"
    ).items()
    shown = bench("info", "mlp")
    assert "--set head.hidden=512" in shown.out


def test_check_passes_a_sound_component(bench: Bench) -> None:
    assert bench("check", "ridge").code == 0


def test_check_exits_1_and_says_what_to_fix(bench: Bench, tmp_path: Path) -> None:
    plugin = tmp_path / "noisy.py"
    plugin.write_text(
        "import numpy as np\n"
        "from pianobench import Pooling, hookimpl\n\n\n"
        "class Noisy(Pooling):\n"
        '    """Never the same twice."""\n\n'
        '    name = "noisy"\n\n'
        "    def pool(self, frames):\n"
        "        rng = np.random.default_rng()\n"
        "        return frames.values.mean(axis=1) + rng.normal(size=1)\n\n\n"
        "@hookimpl\ndef bench_components():\n    return [Noisy]\n"
    )
    done = bench("check", "noisy", "--plugin", plugin)
    assert done.code == 1
    assert "pooled twice: they differ" in done.out


def test_audit_describes_a_dataset_and_exits_1_on_a_leak(bench: Bench) -> None:
    assert bench("audit", "demo").code == 0
    assert bench("audit", "demo", "piece").code == 0
    leaking = bench("audit", "demo", "random")
    assert leaking.code == 1
    assert json.loads(bench("audit", "demo", "random", "--json").out)["ok"] is False


def test_a_truncated_midi_is_named_and_the_others_are_kept(
    bench: Bench, tmp_path: Path, own_cache: Path
) -> None:
    assert bench("audit", "demo").code == 0
    victims = sorted(own_cache.rglob("*.mid"))
    plugin = tmp_path / "broken_set.py"
    plugin.write_text(BROKEN_SET)
    folder = tmp_path / "data" / "broken-set"
    folder.mkdir(parents=True)
    for path in victims[:24]:
        shutil.copy(path, folder / path.name)
    damaged = sorted(folder.iterdir())[3]
    damaged.write_bytes(damaged.read_bytes()[:60])
    done = bench(
        "run", "--plugin", plugin, "--dataset", "broken-set", "--data-root", tmp_path / "data",
        "--renderer", "tone", "--protocols", "piece", "--results", tmp_path / "results",
    )  # fmt: skip
    assert done.code == 2
    assert damaged.stem in done.err
    assert len(list(own_cache.rglob("*.flac"))) == 23


BROKEN_SET = '''
import numpy as np
from pianobench import Clip, Corpus, Dataset, Dimension, hookimpl


class BrokenSet(Dataset):
    """A folder of MIDI files with invented labels."""

    name = "broken-set"

    def load(self, root):
        paths = sorted(root.glob("*.mid"))
        ids = [path.stem for path in paths]
        units = tuple(str(i // 3) for i in range(len(ids)))
        return Corpus(
            name="broken-set",
            version="1",
            clips=tuple(Clip(id=i, midi=p) for i, p in zip(ids, paths)),
            dimensions=(Dimension("one"),),
            targets=np.linspace(0, 1, len(ids))[:, None],
            groups={"passage": units, "work": units, "performer": units},
            human=np.ones(len(ids), dtype=bool),
            raters=np.ones(len(ids), dtype=int),
        )


@hookimpl
def bench_components():
    return [BrokenSet]
'''
