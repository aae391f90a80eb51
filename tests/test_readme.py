"""Every command and every program that the documents show is run here."""

from __future__ import annotations

import ast
import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pianobench import NetworkHead, write_notes
from pianobench.array_files import read_arrays
from pianobench.cli import main
from pianobench.plugins import Registry
from pianobench.probes import probe_notes

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# Installing is what the gate does before it runs this test.
SET_UP = ("python", ".venv/")


def blocks(page: Path, language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.M | re.S)
    return [content for of, content in fenced if of == language]


def shown_commands() -> list[str]:
    return [
        line
        for page in PAGES
        for block in blocks(page, "")
        for line in block.splitlines()
        if line.strip() and not line.startswith(SET_UP)
    ]


def type_in(command: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_every_command_shown_is_one_that_this_file_runs() -> None:
    on_data = {*DATA_COMMANDS, *SLOW_DATA_COMMANDS, *PUBLISHED_COMMANDS}
    on_notes = {*STUDY_COMMANDS, *SYMBOLIC_COMMANDS, *FUSION_COMMANDS}
    here = {*DEMO_COMMANDS, *SWEEP_COMMANDS, *TRAINING_COMMANDS, *on_notes, *on_data}
    here |= {*INSTRUMENT_COMMANDS, *TRANSFER_COMMANDS, *RERUN_COMMANDS}
    here |= {*APPLYING_COMMANDS, *PREDICT_COMMANDS}
    assert set(shown_commands()) == here | ENCODER_COMMANDS


DEMO_COMMANDS = [
    "bench check my-model --plugin my_model.py",
    "bench run --plugin my_model.py --dataset demo --encoder my-model --head ridge",
]
SWEEP_COMMANDS = [
    "bench sweep --dataset demo --encoder midi-stats --head ridge --head kernel-ridge --choose",
    "bench sweep my_grid.toml --dry-run",
    "bench sweep my_grid.toml",
]
DATA_COMMANDS = [
    "bench fetch percepiano",
    "bench audit percepiano piece",
    "bench fetch asap",
    "bench info asap",
    "bench audit asap",
    "bench run --dataset percepiano --encoder midi-stats --head kernel-ridge",
]
SLOW_DATA_COMMANDS = ["bench run --encoder mel --head ridge"]
# Of docs/encoders.md and docs/poolings.md: test_encoder_commands.py runs them, where the models
# lie that some need.
ENCODER_COMMANDS = {
    "bench run --encoder muq --layers 9-12",
    "bench run --dataset demo --encoder mert",
    "bench run --dataset demo --encoder hf:facebook/wav2vec2-base",
    "bench run --dataset demo --encoder mel --pooling attention --head mlp",
    "bench run --dataset demo --encoder mert --layers all --merge weighted",
    "bench sweep layers-muq --dry-run",
    "bench check muq",
    "bench store",
}
PUBLISHED_COMMANDS = [
    "bench rescore results/NAME",
    "bench compare results/NAME results/OTHER",
    "bench power results/NAME results/OTHER",
    "bench submit results/NAME",
    "bench leaderboard",
    "bench leaderboard --check",
    "bench plot forest.svg",
    "bench plot heat.svg --chart heat-map",
    "bench plot verdicts.pdf --chart verdicts",
    "bench plot pair.svg --chart dimensions --row NAME --row OTHER",
]
RERUN_COMMANDS = ["bench rerun results/NAME --cache fresh"]
# Of docs/published-split.md, in the order in which each needs the ones before it.
TRAINING_COMMANDS = [
    "bench run --dataset demo --encoder midi-stats --head mlp --loss ccc --keep-models",
    "bench plot curves.svg --curves results/NAME",
]
INSTRUMENT_COMMANDS = [
    "bench run --dataset demo --encoder mel --renderer tone:0.2,tone:0.6",
    "bench run --dataset demo --encoder mel --renderer tone:0.2,tone:0.6 --test-renderer tone:0.9",
]
TRANSFER_COMMANDS = ["bench study transfer --dataset demo --renderer tone:0.2,tone:0.6,tone:0.9"]
STUDY_COMMANDS = [
    "bench study published-split --encoder midi-stats --head kernel-ridge",
    "bench study published-split --encoder score-stats --head kernel-ridge"
    " --beside studies/MIDI-STATS",
    "bench study published-split --beside studies/SCORE-STATS --beside studies/MIDI-STATS",
]
# Of docs/fusion.md; the last one fuses what the others ran.
FUSION_COMMANDS = [
    "bench run --encoder midi-stats --head kernel-ridge",
    "bench run --encoder mel --head kernel-ridge",
    "bench study fusion results/MIDI-STATS results/MEL",
]
# Of docs/consistency.md and docs/difficulty.md.
APPLYING_COMMANDS = [
    "bench study consistency --dataset asap --encoder midi-stats",
    "bench study difficulty --dataset asap --encoder midi-stats",
]
PREDICT_COMMANDS = [
    "bench fit --dataset demo --encoder midi-stats --head kernel-ridge",
    "bench predict models/NAME my_takes/slow.mid",
    "bench predict models/NAME my_takes --csv",
    "bench study zero-shot models/NAME my_takes --skip",
]
SYMBOLIC_COMMANDS = ["bench run --encoder score-stats", "bench run --encoder han"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to type in, with the README's encoder beside it."""
    monkeypatch.chdir(tmp_path)
    (program,) = blocks(ROOT / "README.md", "python")
    (tmp_path / "my_model.py").write_text(program)
    return tmp_path


def test_the_encoder_of_the_readme_passes_its_check_and_runs(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in DEMO_COMMANDS:
        assert type_in(command, monkeypatch) == 0
    found = [json.loads(path.read_text()) for path in place.glob("results/*/result.json")]
    assert "my-model" in {result["config"]["encoder"]["name"] for result in found}


def test_the_commands_of_a_rerun_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = "bench run --dataset demo --encoder midi-stats --head kernel-ridge --protocols piece"
    assert type_in(run, monkeypatch) == 0
    (result,) = place.glob("results/demo-midi-stats-kernel-ridge-*")
    for command in RERUN_COMMANDS:
        assert type_in(command.replace("NAME", result.name), monkeypatch) == 0
    assert (result / "rerun.json").is_file()


@pytest.mark.slow
def test_the_commands_and_the_program_on_training_run(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    run, plot = TRAINING_COMMANDS
    assert type_in(run, monkeypatch) == 0
    (result,) = place.glob("results/demo-midi-stats-mlp-*")
    assert type_in(plot.replace("NAME", result.name), monkeypatch) == 0
    assert (place / "curves.svg").stat().st_size > 0
    assert type_in(f"bench submit {result}", monkeypatch) == 0
    (submitted,) = place.glob("leaderboard/results/*")
    assert sorted(path.name for path in submitted.iterdir()) == [
        "curves-piece.csv",
        "predictions-piece.csv",
        "result.json",
    ]
    path = next(result.glob("models/piece/*.safetensors"))
    stored = json.loads((result / "result.json").read_text())
    head = Registry().create(NetworkHead, "head", "mlp", stored["config"]["head"]["options"])
    width = read_arrays(path).arrays["inputs.mean"].size
    names = {"path": path, "head": head, "features": np.zeros((2, width))}
    (program,) = blocks(ROOT / "docs" / "training.md", "python")
    exec(program, names)
    assert names["labels"].shape == (2, len(stored["data"]["dimensions"]))


@pytest.mark.slow
def test_the_commands_on_several_instruments_run(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in INSTRUMENT_COMMANDS:
        # As JSON, a run adds no baselines, which other tests run.
        assert type_in(f"{command} --protocols piece --json", monkeypatch) == 0
    results = [json.loads(p.read_text()) for p in place.glob("results/demo-mel-*/result.json")]
    assert len(results) == 2
    for command in TRANSFER_COMMANDS:
        assert type_in(command, monkeypatch) == 0
    (study,) = place.glob("studies/transfer-demo-mel-3-instruments-ridge-*")
    assert (study / "report.html").read_text().count("<svg") == 1
    # What the study says of two instruments and a third is what the run on them stored.
    (run,) = (r for r in results if "test_renderer" in r["config"])
    found = json.loads((study / "study.json").read_text())
    (row,) = (r for r in found["rows"] if r["trained_on"] == ["tone:0.2", "tone:0.6"])
    scores = run["protocols"]["piece"]["scores"]
    assert row["r2"]["tone:0.9"]["value"] == pytest.approx(scores["metrics"]["r2"], abs=1e-5)
    (interval,) = (each for each in scores["intervals"] if each["method"] == "jackknife-t")
    assert row["r2"]["tone:0.9"]["low"] == pytest.approx(interval["low"], abs=1e-5)


def test_a_model_is_fitted_and_applied_as_shown(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "my_takes").mkdir()
    write_notes(place / "my_takes" / "slow.mid", probe_notes(8))
    for command in PREDICT_COMMANDS:
        name = next((path.name for path in place.glob("models/*")), "")
        assert type_in(command.replace("NAME", name), monkeypatch) == 0, command
    (page,) = place.glob("studies/*/report.html")
    assert "slow.mid" in page.read_text()


def test_the_sweeps_of_the_documents_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (grid,) = blocks(ROOT / "docs" / "sweeps.md", "toml")
    (place / "my_grid.toml").write_text(grid)
    for command in SWEEP_COMMANDS:
        assert type_in(command, monkeypatch) == 0
    for name in ("grid-*-piece-nested", "my_grid-*-piece"):
        (answer,) = place.glob(f"results/sweeps/{name}/sweep.json")
        assert json.loads(answer.read_text())["missing"] == []


def test_the_studies_that_apply_a_model_run(
    place: Path, asap_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fitted on demo and applied to an invented ASAP: as shown, they read thousands of files.
    small = f" --head ridge --train demo --jobs 1 --data-root {asap_root}"
    for command in APPLYING_COMMANDS:
        assert type_in(command + small, monkeypatch) == 0
    assert len(list(place.glob("studies/*/report.html"))) == 2


def test_the_class_body_of_the_readme_is_short() -> None:
    (program,) = blocks(ROOT / "README.md", "python")
    (encoder,) = [
        statement
        for statement in ast.parse(program).body
        if isinstance(statement, ast.ClassDef)
        and [ast.unparse(base) for base in statement.bases] == ["AudioEncoder"]
    ]
    body = program.splitlines()[encoder.lineno : encoder.end_lineno]
    assert 0 < len([line for line in body if line.strip()]) <= 15


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("command", DATA_COMMANDS)
def test_the_commands_on_real_data_run(
    command: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert type_in(command, monkeypatch) == 0


@pytest.mark.data
@pytest.mark.slow
def test_the_commands_on_notes_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("parangonar")
    pytest.importorskip("torch")
    # One draw, and one epoch of the network: as shown, they train for hours.
    short = " --draws 1 --encoder han --head han --set head.epochs=1"
    for command, less in zip(STUDY_COMMANDS, (" --draws 1", " --draws 1", short), strict=True):
        done = {path.name for path in place.glob("studies/*")}
        for folder in done:
            name = "SCORE-STATS" if "score-stats" in folder else "MIDI-STATS"
            command = command.replace(name, folder)
        assert type_in(command + less, monkeypatch) == 0, command
    assert len(list(place.glob("studies/*/study.json"))) == 3
    # Here, since all clips are aligned and encoded by now.
    quick = " --protocols piece --head han --set head.epochs=1"
    for command, less in zip(SYMBOLIC_COMMANDS, (" --protocols piece", quick), strict=True):
        assert type_in(command + less, monkeypatch) == 0, command
    encoders = {path.name.split("-")[1] for path in place.glob("results/*")}
    assert encoders == {"midi", "score", "han"}


@pytest.mark.slow
def test_the_commands_on_fusion_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("pianobench.studies.fusion_gate._SEEDS", (0,))
    *runs, study = FUSION_COMMANDS
    for command in runs:
        # The demo corpus instead of PercePiano, which takes minutes to render.
        assert type_in(f"{command} --dataset demo --protocols piece --jobs 1", monkeypatch) == 0
    for name, encoder in (("MIDI-STATS", "midi-stats"), ("MEL", "mel")):
        (result,) = place.glob(f"results/demo-{encoder}-*kernel-ridge-*")
        study = study.replace(name, result.name)
    assert type_in(f"{study} --jobs 1", monkeypatch) == 0
    (folder,) = place.glob("studies/fusion-demo-piece-midi-stats-mel-*")
    assert {"study.json", "gains.svg", "errors.svg", "report.html"} <= {
        path.name for path in folder.iterdir()
    }


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("command", SLOW_DATA_COMMANDS)
def test_the_commands_that_render_run(
    command: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("fluidsynth", exc_type=ImportError)
    assert type_in(command, monkeypatch) == 0


def test_the_published_tables_are_those_of_the_published_rows(tmp_path: Path) -> None:
    from pianobench.leaderboard import write_leaderboard

    shutil.copytree(ROOT / "leaderboard", tmp_path / "leaderboard")
    for path in write_leaderboard(tmp_path / "leaderboard"):
        assert path.read_bytes() == (ROOT / "leaderboard" / path.name).read_bytes()


@pytest.mark.data
@pytest.mark.slow
def test_the_commands_on_stored_results_run_and_every_published_row_agrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "leaderboard", tmp_path / "leaderboard")
    shutil.copytree(ROOT / "leaderboard" / "results", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    (name,) = [path.name for path in (tmp_path / "results").glob("*-midi-stats-kernel-ridge-*")]
    (other,) = [path.name for path in (tmp_path / "results").glob("*-midi-stats-ridge-*")]
    for command in PUBLISHED_COMMANDS:
        typed = command.replace("NAME", name).replace("OTHER", other)
        assert type_in(typed, monkeypatch) == 0, typed


def test_the_table_of_the_readme_holds_published_numbers() -> None:
    (published,) = (ROOT / "leaderboard").glob("percepiano-*.csv")
    shown = re.findall(
        r"^\| (\S+) \| ([^|]+?) \| (\S+) \| ?([^|]*) \| (\S+) \[(\S+), (\S+)\]"
        r" \| (\S+) \| (\S+) \| (\S+) \|$",
        (ROOT / "README.md").read_text(),
        re.M,
    )
    with published.open(newline="") as file:
        rows = {
            (
                row["encoder"],
                row["input"],
                row["head"],
                row["options"],
                *(f"{float(row[column]):.3f}" if row[column] else "-" for column in COLUMNS),
            )
            for row in csv.DictReader(file)
        }
    assert len(shown) >= 5
    assert set(shown) <= rows


COLUMNS = ("piece", "low", "high", "unseen", "work", "excerpt")


def test_the_readme_shows_the_command_that_the_gate_runs() -> None:
    gate = (ROOT / ".ci" / "run").read_text()
    install, tests = re.findall(
        r"\.venv/bin/(pip install -c .*?) && \.venv/bin/(pytest.*)",
        (ROOT / "README.md").read_text(),
    )[0]
    assert install.replace("pip install", "pip install --quiet") in gate
    assert f"\n{tests}\n" in gate


def test_help_is_printed_by_the_installed_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pianobench", "--help"], capture_output=True, text=True, check=True
    )
    for command in ("audit", "check", "fetch", "info", "leaderboard", "list", "rescore", "run"):
        assert command in done.stdout
