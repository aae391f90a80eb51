"""Models on disk: what comes back predicts the same, anywhere, and nothing else is taken for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pianobench import AudioEncoder, Dataset, Head
from pianobench.apply_model import apply_model
from pianobench.config import RunConfig
from pianobench.corpus import load_corpus
from pianobench.errors import ResultError, UsageError
from pianobench.fitted_model import encode_clips
from pianobench.model_folder import KeptModel, keep_model, open_model
from pianobench.places import cache_at
from pianobench.plan import Plan, plan_run
from pianobench.plugins import Registry
from pianobench.run import Workplace
from pianobench.values import Corpus

HEADS: dict[str, dict[str, Any]] = {
    "ridge": {},
    "kernel-ridge": {},
    "mean": {},
    "extra-trees": {"n_estimators": 10},
    "mlp": {"epochs": 1, "hidden": 8},
}
NO_NOTE = bytes.fromhex("4d546864000000060000000101e04d54726b0000000400ff2f00")
MEL = {"name": "mel", "bands": 8}


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture
def place(tmp_path: Path, own_cache: Path, shared_cache: Path) -> Iterator[Workplace]:
    with cache_at(shared_cache):
        yield Workplace(tmp_path / "models", shared_cache, jobs=1)


class Few(Dataset):
    """The first five pieces of the demo; nobody has it installed."""

    name: ClassVar[str] = "few"
    generated: ClassVar[bool] = True

    def load(self, root: Path) -> Corpus:
        whole = Registry().create(Dataset, "dataset", "demo").load(root).ordered()
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


def plan(head: str, **given: Any) -> Plan:
    chosen = {"name": head, **HEADS[head]}
    asked = {"dataset": "few", "encoder": "midi-stats", "head": chosen, **given}
    return plan_run(RunConfig.parse(asked, "test"), Registry(), Few())


def few(place: Workplace) -> Corpus:
    return load_corpus(Few(), None, place.cache)


def in_memory(kept: KeptModel, place: Workplace) -> np.ndarray:
    features = encode_clips(kept.model.plan, few(place), place).features
    return kept.model.predict(features)


@pytest.mark.parametrize("head", HEADS)
def test_a_kept_model_predicts_its_own_files_as_it_did_in_memory(
    head: str, place: Workplace
) -> None:
    if head == "mlp":
        pytest.importorskip("torch")
    kept, folder = keep_model(plan(head, seeds=[0, 1]), place)
    expected = in_memory(kept, place)
    found = apply_model(open_model(folder, Registry()), few(place).clips, place)
    tolerance = 1e-6 if head == "mlp" else 1e-9
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=tolerance)
    assert not found.failures
    assert open_model(folder / "model.json", Registry()).model.selected == kept.model.selected
    assert kept.record.seeds == ([0, 1] if head in ("extra-trees", "mlp") else [0])
    assert set(found.percentiles) == {0.0}


def test_another_process_predicts_the_same(place: Workplace, tmp_path: Path) -> None:
    kept, folder = keep_model(plan("kernel-ridge"), place)
    expected = in_memory(kept, place)
    assert "few" not in [found.component.name for found in Registry().all()]
    midi = few(place).clips[5].midi
    command = [sys.executable, "-m", "pianobench", "predict", str(folder), str(midi), "--json"]
    # With a cache of its own, so that it renders and encodes anew.
    command += ["--cache", str(tmp_path / "other"), "--jobs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (said,) = json.loads(done.stdout)["files"]
    np.testing.assert_allclose(list(said["predictions"].values()), expected[5], rtol=0, atol=1e-9)


def test_a_learned_pooling_on_renders_is_kept(place: Workplace) -> None:
    pytest.importorskip("torch")
    asked = plan("mlp", encoder=MEL, pooling="attention", renderer="tone")
    kept, folder = keep_model(asked, place)
    clips = few(place).clips[:6]
    found = apply_model(open_model(folder, Registry()), clips, place)
    np.testing.assert_allclose(found.values, in_memory(kept, place)[:6], rtol=0, atol=1e-6)
    assert found.notes == ()


def test_the_record_says_what_is_to_be_expected(place: Workplace) -> None:
    kept, _ = keep_model(plan("ridge"), place)
    record, corpus = kept.record, few(place)
    assert record.data.digest == corpus.digest
    assert record.components["encoder"].facts["fingerprint"]
    held_out = kept.training.held_out
    assert held_out is not None
    residual = ((corpus.targets - held_out) ** 2).sum(axis=0)
    spread = ((corpus.targets - corpus.targets.mean(axis=0)) ** 2).sum(axis=0)
    assert record.r2 == pytest.approx(np.mean(1 - residual / spread))
    # The model itself has seen every clip, so that it does better than can be expected of it.
    own = ((corpus.targets - in_memory(kept, place)) ** 2).sum(axis=0)
    assert np.mean(1 - own / spread) > record.r2


class Opaque(Head):
    name: ClassVar[str] = "opaque"


def test_a_head_that_cannot_be_kept_is_refused_before_anything_is_encoded(
    place: Workplace,
) -> None:
    opaque = replace(plan("ridge"), head=Opaque())
    with pytest.raises(UsageError, match="'opaque' cannot be kept: models are shared"):
        keep_model(opaque, replace(place, cache=place.cache / "untouched"))
    assert not (place.cache / "untouched").exists()


@pytest.fixture
def folder(place: Workplace) -> Path:
    return keep_model(plan("ridge"), place)[1]


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_folders_that_are_no_model_are_refused(folder: Path, stored: Path) -> None:
    registry = Registry()
    with pytest.raises(ResultError, match=r"no model at .* a result of `bench run` is none"):
        open_model(stored, registry)
    (folder / "training.safetensors").write_bytes(b"half")
    with pytest.raises(ResultError, match=r"training.safetensors is not the file that model.json"):
        open_model(folder, registry)
    (folder / "training.safetensors").unlink()
    with pytest.raises(ResultError, match=r"lacks training.safetensors: No such file"):
        open_model(folder, registry)
    edit(folder, files={"../../elsewhere": "0"})
    with pytest.raises(ResultError, match=r"names '../../elsewhere', which is no file beside"):
        open_model(folder, registry)
    edit(folder, seeds="many")
    with pytest.raises(ResultError, match=r"not the record of a model \(at seeds"):
        open_model(folder, registry)
    edit(folder, schema_version=9)
    with pytest.raises(ResultError, match="schema version 9; this pianobench reads 1"):
        open_model(folder, registry)
    for text in ("{", "[]"):
        (folder / "model.json").write_text(text)
        with pytest.raises(ResultError, match=r"model.json is not the record of a model"):
            open_model(folder, registry)


def test_a_program_that_a_model_names_is_refused_before_anything_runs(
    folder: Path, tmp_path: Path
) -> None:
    evil = tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    evil.chmod(0o755)
    config = json.loads((folder / "model.json").read_text())["config"]
    renderer = {"name": "pianoteq", "options": {"program": str(evil)}}
    edit(folder, config={**config, "encoder": {"name": "mel"}, "renderer": renderer})
    with pytest.raises(UsageError, match=r"The renderer 'pianoteq' of the model .* program set to"):
        open_model(folder, Registry())
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("seeds", "selected"), [([0, 1], [{}]), ([], []), ([0], [{}, {}])])
def test_a_model_for_every_seed_is_expected(
    folder: Path, seeds: list[int], selected: list[Any]
) -> None:
    edit(folder, seeds=seeds, selected=selected)
    with pytest.raises(ResultError, match=f"names {len(seeds)} seeds .* for {len(selected)}:"):
        open_model(folder, Registry())


def test_an_array_file_of_another_head_is_refused(folder: Path, place: Workplace) -> None:
    _, other = keep_model(plan("mean"), place)
    shutil.copy(other / "all-seed0.safetensors", folder)
    files = json.loads((folder / "model.json").read_text())["files"]
    theirs = json.loads((other / "model.json").read_text())["files"]
    edit(folder, files=files | {"all-seed0.safetensors": theirs["all-seed0.safetensors"]})
    with pytest.raises(ResultError, match="no LinearPredictor as it is installed here"):
        open_model(folder, Registry())


def test_another_encoder_is_refused_by_both_fingerprints(folder: Path, place: Workplace) -> None:
    facts = json.loads((folder / "model.json").read_text())["components"]
    now = facts["encoder"]["facts"]["fingerprint"]
    facts["encoder"]["facts"]["fingerprint"] = "0" * 64
    edit(folder, components=facts)
    kept = open_model(folder, Registry())
    with pytest.raises(ResultError, match=f"fingerprint {'0' * 64} .* has {now}"):
        apply_model(kept, few(place).clips[:1], place)


def test_an_audio_encoder_that_rounds_otherwise_is_the_same_one(place: Workplace) -> None:
    asked = plan("ridge", encoder=MEL, renderer="tone")
    kept, _ = keep_model(asked, place)
    encoder = kept.record.components["encoder"]
    signals = encoder.facts["signals"]
    clip = few(place).clips[:1]

    def applied(**facts: Any) -> np.ndarray:
        changed = encoder.model_copy(update={"facts": encoder.facts | facts})
        components = kept.record.components | {"encoder": changed}
        record = kept.record.model_copy(update={"components": components})
        return apply_model(replace(kept, record=record), clip, place).values

    expected = applied()
    np.testing.assert_array_equal(applied(fingerprint="rounded"), expected)
    quieter = {**signals, "click": {**signals["click"], "std": 0.98 * signals["click"]["std"]}}
    for other in (quieter, {}, None, "signals"):
        with pytest.raises(ResultError, match="fingerprint rounded"):
            applied(fingerprint="rounded", signals=other)


class Runs(AudioEncoder):
    name: ClassVar[str] = "runs"
    argument: ClassVar[str] = "file"
    runs_code: ClassVar[bool] = True
    file: str = ""


def test_code_that_a_model_names_is_not_loaded_before_the_user_names_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pianobench import plugins

    registry = Registry()
    registry._found["encoder", "runs"] = plugins.Registered(Runs, "test")
    config = json.loads((folder / "model.json").read_text())["config"]
    edit(folder, config={**config, "encoder": {"name": "runs", "options": {"file": "evil.py"}}})
    with pytest.raises(UsageError, match=r"runs the code 'evil.py'.* --encoder runs:evil.py"):
        open_model(folder, registry)
    with pytest.raises(UsageError, match=r"runs the code 'evil.py'"):
        open_model(folder, registry, encoder="runs")
    opened = open_model(folder, registry, encoder="runs:mine.py")
    assert opened.model.plan.encoder == Runs(file="mine.py")
    with pytest.raises(UsageError, match="was fitted on the encoder 'runs', not on 'mel'"):
        open_model(folder, registry, encoder="mel")


def test_files_that_an_encoder_cannot_take_cost_no_other(
    folder: Path, place: Workplace, tmp_path: Path
) -> None:
    kept = open_model(folder, Registry())
    clip = few(place).clips[0]
    recording = replace(clip, id="recording", midi=None, audio=tmp_path / "a.wav")
    torn = replace(clip, id="torn", midi=tmp_path / "torn.mid")
    (tmp_path / "torn.mid").write_bytes(b"MThd")
    mute = replace(clip, id="mute", midi=tmp_path / "mute.mid")
    (tmp_path / "mute.mid").write_bytes(NO_NOTE)
    found = apply_model(kept, [torn, clip, recording, mute], place)
    assert [each.id for each in found.clips] == [clip.id]
    assert found.values.shape == (1, 6)
    assert "reads notes. Give the performance as MIDI" in str(found.failures["recording"])
    assert str(found.failures["torn"]).startswith("Cannot read the MIDI file")
    assert "holds no note" in str(found.failures["mute"])
    nothing = apply_model(kept, [torn], place)
    assert (nothing.clips, nothing.values.shape, nothing.percentiles) == ((), (0, 6), [])


def test_a_model_of_renders_notes_that_recordings_are_something_else(
    place: Workplace, tmp_path: Path
) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", 0.1 * np.sin(np.arange(48_000) / 9), 24_000)
    broken = np.full(48_000, np.nan, dtype=np.float32)
    soundfile.write(tmp_path / "nan.wav", broken, 24_000, subtype="FLOAT")
    asked = plan("ridge", encoder=MEL, renderer="tone")
    kept, _ = keep_model(asked, place)
    clip = few(place).clips[0]
    names = ("a.wav", "nan.wav")
    sounds = [replace(clip, id=name, midi=None, audio=tmp_path / name) for name in names]
    found = apply_model(kept, [clip, *sounds], place)
    assert [each.id for each in found.clips] == [clip.id, "a.wav"]
    assert "holds a sample that is not a number" in str(found.failures["nan.wav"])
    assert found.notes[0].startswith("1 of 2 are recordings, and the model was fitted on renders")
    assert found.percentiles[1] > 90
    recorded = replace(
        kept, model=replace(kept.model, plan=replace(asked, renderers=(), test_renderers=()))
    )
    alone = apply_model(recorded, [clip, sounds[0]], place)
    assert [each.id for each in alone.clips] == ["a.wav"]
    assert "is MIDI, and the model was fitted on recordings" in str(alone.failures[clip.id])
