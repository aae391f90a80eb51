"""The study of unrated recordings: its numbers by hand, and a page on which they can be heard."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pianobench.cli import bench
from pianobench.config import RunConfig
from pianobench.corpus import load_corpus
from pianobench.errors import DataError, UsageError
from pianobench.file_clips import clips_of_files
from pianobench.model_folder import KeptModel, keep_model
from pianobench.notes import read_notes, write_notes
from pianobench.places import cache_at
from pianobench.plan import plan_run
from pianobench.plugins import Registry
from pianobench.run import Workplace
from pianobench.studies.zero_shot import Found, Recordings, zero_shot
from pianobench.studies.zero_shot_report import keep_zero_shot

FEW = """
from dataclasses import replace

from pianobench import Dataset, hookimpl
from pianobench_demo import Demo


class Few(Dataset):
    name = "few"
    generated = True
    default_renderer = "tone"

    def load(self, root):
        whole = Demo().load(root).ordered()
        return replace(
            whole,
            name="few",
            clips=whole.clips[:30],
            targets=whole.targets[:30],
            groups={kind: of[:30] for kind, of in whole.groups.items()},
            human=whole.human[:30],
            raters=whole.raters[:30],
            ratings=None,
        )


@hookimpl
def bench_components():
    return [Few]
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("shared")
    (folder / "few.py").write_text(FEW)
    with cache_at(folder / "cache"):
        yield folder


@pytest.fixture(scope="module")
def registry(shared: Path) -> Registry:
    return Registry([shared / "few.py"])


def fitted(shared: Path, registry: Registry, **asked: Any) -> tuple[KeptModel, Path]:
    plan = plan_run(RunConfig.parse({"dataset": "few", "head": "ridge", **asked}, "t"), registry)
    return keep_model(plan, Workplace(shared / "models", shared / "cache", jobs=1))


@pytest.fixture(scope="module")
def model(shared: Path, registry: Registry) -> tuple[KeptModel, Path]:
    """A model of renders of the first five pieces of the demo."""
    return fitted(shared, registry, encoder={"name": "mel", "bands": 8})


@pytest.fixture(scope="module")
def takes(shared: Path, model: tuple[KeptModel, Path]) -> Path:
    """Two takes of the demo, and eight that are played slower, so that they are new takes."""
    folder = shared / "takes"
    folder.mkdir()
    clips = load_corpus(model[0].model.plan.dataset, None, shared / "cache").clips
    for clip in clips[:2]:
        shutil.copy(clip.midi, folder / clip.midi.name)
    for number, clip in enumerate(clips[2:10]):
        notes = read_notes(clip.midi)
        slower = {name: 1.4 * getattr(notes, name) for name in ("onset", "offset", "control_time")}
        write_notes(folder / f"slow #{number}.mid", replace(notes, **slower))
    return folder


@pytest.fixture
def place(shared: Path, tmp_path: Path, own_cache: Path) -> Iterator[Workplace]:
    with cache_at(shared / "cache"):
        yield Workplace(tmp_path / "studies", shared / "cache", jobs=1)


@pytest.fixture
def found(
    model: tuple[KeptModel, Path], registry: Registry, takes: Path, place: Workplace
) -> Found:
    left_out = {"take 9": "the MIDI is missing"}
    recordings = Recordings("takes", *clips_of_files([takes]), left_out)
    return zero_shot(model[0], recordings, registry, place)


def test_known_takes_are_named_and_left_out(found: Found, takes: Path) -> None:
    study = found.study
    assert study.clips == 8
    assert [Path(clip).name for clip, _ in study.known] == [
        "piece01_ada.mid",
        "piece01_bela.mid",
    ]
    assert [take for _, take in study.known] == ["piece01_ada", "piece01_bela"]
    assert found.new.tolist() == [False] * 2 + [True] * 8
    assert study.unchecked == ""
    assert study.failures == {"take 9": "the MIDI is missing"}


def test_distributions_and_extremes_are_those_of_the_predictions(
    found: Found, model: tuple[KeptModel, Path]
) -> None:
    values = found.applied.values[2:]
    training = model[0].training
    assert training.held_out is not None
    for index, record in enumerate(found.study.dimensions):
        column = values[:, index]
        assert record.predicted.mean == pytest.approx(column.mean())
        assert record.predicted.q25 == pytest.approx(np.percentile(column, 25))
        assert record.labels.sd == pytest.approx(training.targets[:, index].std())
        assert record.held_out is not None
        low, high = np.percentile(training.held_out[:, index], [5, 95])
        assert record.held_out.q05 == pytest.approx(low)
        assert record.outside == pytest.approx(np.mean((column < low) | (column > high)))
        assert [each.value for each in record.highest] == sorted(column, reverse=True)[:3]
        assert [each.value for each in record.lowest] == sorted(column)[:3]
    tempo = next(each for each in found.study.dimensions if each.name == "tempo")
    assert tempo.predicted.q50 > tempo.labels.q50
    far = np.array(found.applied.percentiles[2:])
    assert found.study.novelty.q50 == pytest.approx(np.median(far))
    assert found.study.far == np.mean(far > 95)


def test_the_folder_holds_a_page_whose_sounds_lie_beside_it(
    found: Found, model: tuple[KeptModel, Path], place: Workplace
) -> None:
    pytest.importorskip("matplotlib")
    folder = keep_zero_shot(found, model[0], place)
    assert json.loads((folder / "study.json").read_text())["name"] == folder.name
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["known"] for row in rows[:3]] == ["piece01_ada", "piece01_bela", ""]
    tempo = np.array([float(row["tempo"]) for row in rows])
    np.testing.assert_allclose(tempo, found.applied.values[:, 5], atol=5e-7)
    page = (folder / "report.html").read_text()
    sounds = set(re.findall(r'<audio [^>]*src="([^"]+)"', page))
    assert sounds
    assert all((folder / sound).stat().st_size > 1000 for sound in sounds)
    assert page.count("<svg") == 2
    assert "slow #0.mid" in page
    assert "piece01_bela" in page


def test_recordings_are_heard_where_they_lie(
    model: tuple[KeptModel, Path], registry: Registry, place: Workplace, tmp_path: Path
) -> None:
    import soundfile

    (tmp_path / "own").mkdir()
    tone = 0.1 * np.sin(np.arange(60_000) / np.linspace(5, 9, 60_000))
    soundfile.write(tmp_path / "own" / "a #1.wav", tone, 24_000)
    recordings = Recordings("own", *clips_of_files([tmp_path / "own"]))
    found = zero_shot(model[0], recordings, registry, place)
    assert found.study.unchecked == "the clips of the recordings have no MIDI"
    page = (keep_zero_shot(found, model[0], place) / "report.html").read_text()
    assert 'src="../../own/a%20%231.wav"' in page


def test_notes_are_linked_where_nothing_is_heard_and_the_page_does_without_pictures(
    shared: Path,
    registry: Registry,
    takes: Path,
    place: Workplace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, _ = fitted(shared, registry, encoder="midi-stats")
    recordings = Recordings("takes", *clips_of_files([takes]))
    found = zero_shot(kept, recordings, registry, place)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = (keep_zero_shot(found, kept, place) / "report.html").read_text()
    assert re.search(r'<a href="[^"]*/takes/slow%20%23\d.mid">slow #\d.mid</a>', page)
    assert "There is no picture here. Drawing needs matplotlib" in page


def test_a_model_whose_dataset_is_not_here_says_that_takes_are_unchecked(
    model: tuple[KeptModel, Path], registry: Registry, takes: Path, place: Workplace
) -> None:
    kept = model[0]
    dataset = kept.record.config.dataset.model_copy(update={"name": "elsewhere"})
    config = kept.record.config.model_copy(update={"dataset": dataset})
    away = replace(kept, record=kept.record.model_copy(update={"config": config}))
    found = zero_shot(away, Recordings("takes", *clips_of_files([takes])), registry, place)
    assert found.study.clips == 10
    assert found.study.unchecked.startswith("the training clips are not here: There is no dataset")


def test_training_data_that_have_changed_are_said_to_have_and_known_takes_are_still_found(
    model: tuple[KeptModel, Path], registry: Registry, takes: Path, place: Workplace
) -> None:
    record = model[0].record
    data = record.data.model_copy(update={"digest": "0" * 64})
    changed = replace(model[0], record=record.model_copy(update={"data": data}))
    study = zero_shot(changed, Recordings("takes", *clips_of_files([takes])), registry, place).study
    assert [take for _, take in study.known] == ["piece01_ada", "piece01_bela"]
    assert study.unchecked == "the training data here are not those it was fitted on"


def type_in(*command: str) -> Result:
    return CliRunner(catch_exceptions=False).invoke(bench, list(command))


def test_the_command_skips_only_when_asked(
    model: tuple[KeptModel, Path], takes: Path, place: Workplace, shared: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    command = ["study", "zero-shot", str(model[1]), "--out", str(tmp_path / "out"), "--jobs", "1"]
    command += ["--plugin", str(shared / "few.py")]
    torn = tmp_path / "torn.mid"
    torn.write_bytes(b"MThd")
    with pytest.raises(DataError, match=r"1 of 11 recordings cannot be predicted.*torn.mid.*MIDI"):
        type_in(*command, str(takes), str(torn))
    done = type_in(*command, str(takes), str(torn), "--skip")
    (folder,) = (tmp_path / "out").iterdir()
    assert f"This study: {folder / 'report.html'}" in done.output
    assert "Nobody rated these: nothing here is a score" in done.output
    assert str(torn) in json.loads((folder / "study.json").read_text())["failures"]
    with pytest.raises(DataError, match=r"All 2 recordings .* are takes that the model was fitted"):
        type_in(*command, *(str(takes / f"piece01_{name}.mid") for name in ("ada", "bela")))
    with pytest.raises(UsageError, match="Name files or folders, or a --dataset"):
        type_in(*command)
    with pytest.raises(UsageError, match="has nothing to do without --dataset"):
        type_in(*command, str(takes), "--set", "dataset.x=1")
    said = json.loads(type_in(*command, "--dataset", "few", "--json").stdout)
    # Machine renditions agree note by note without being one take.
    assert (said["source"], said["clips"], len(said["known"])) == ("few", 5, 25)
