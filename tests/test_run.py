"""The pipeline: what is filled in, what trackers hear, and what peeking would have claimed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pianobench.baseline import missing_baselines
from pianobench.config import RunConfig
from pianobench.corpus import load_corpus
from pianobench.curves import read_curves
from pianobench.errors import AudioError, PluginError, UsageError
from pianobench.leaderboard import read_rows
from pianobench.plan import plan_run
from pianobench.plugins import Registry
from pianobench.rescore import rescore
from pianobench.result import read_result
from pianobench.run import Workplace, run

PUBLISHED = Path(__file__).parents[1] / "leaderboard" / "results"
TRACKER = """
from pianobench import hookimpl
heard = []

@hookimpl
def bench_components():
    return []

@hookimpl
def bench_run_started(config):
    heard.append(("started", config["encoder"]["name"]))

@hookimpl
def bench_run_finished(result):
    heard.append(("finished", sorted(result["protocols"])))
"""


def asked(**given: Any) -> RunConfig:
    return RunConfig.parse({"dataset": "demo", **given}, "test")


@pytest.fixture
def place(tmp_path: Path, own_cache: Path) -> Workplace:
    return Workplace(tmp_path / "results", own_cache, jobs=1)


def test_what_is_left_open_is_filled_in_from_the_components() -> None:
    config = plan_run(asked(encoder="mel"), Registry()).config
    assert config.renderer is not None
    assert config.pooling is not None
    assert config.head is not None
    assert (config.renderer.name, config.head.name) == ("tone", "ridge")
    assert config.layers == "last"
    assert config.protocols == ("piece", "unseen", "work")
    assert config.head.options["penalties"]


def test_a_filled_in_configuration_is_its_own_plan() -> None:
    registry = Registry()
    plan = plan_run(asked(encoder="mel", pooling="mean+std"), registry)
    again = plan_run(RunConfig.model_validate_json(plan.config.canonical()), registry)
    assert again.config == plan.config
    assert again.name == plan.name


def test_a_head_that_is_slow_runs_the_ranking_protocol_only() -> None:
    plan = plan_run(asked(encoder="midi-stats", head="mlp"), Registry())
    assert plan.config.protocols == ("piece",)


def test_an_encoder_of_notes_takes_no_renderer() -> None:
    assert plan_run(asked(encoder="midi-stats"), Registry()).renderer is None
    with pytest.raises(UsageError, match="reads notes"):
        plan_run(asked(encoder="midi-stats", renderer="tone"), Registry())


def test_a_device_that_would_not_be_used_is_refused(place: Workplace) -> None:
    registry = Registry()
    plan = plan_run(asked(encoder="mel"), registry)
    with pytest.raises(UsageError, match=r"'mel' runs on the CPU, so --device cuda"):
        run(plan, registry, replace(place, device="cuda"))


def test_a_dataset_without_labels_is_refused_with_the_studies_that_take_it(
    place: Workplace, asap_root: Path
) -> None:
    registry = Registry()
    plan = plan_run(asked(dataset="asap", encoder="midi-stats"), registry)
    with pytest.raises(
        UsageError, match=r"'asap' has no labels, .* `bench study consistency --dat"
    ):
        run(plan, registry, replace(place, data_root=asap_root))
    assert not list(place.results.glob("*/result.json"))


RECORDED = """
import numpy as np
import soundfile
from pianobench import Clip, Corpus, Dataset, Dimension, hookimpl


class Recorded(Dataset):
    \"\"\"Eight takes of hum.\"\"\"

    name = "recorded"
    recorded = True
    generated = True

    def load(self, root):
        root.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        for i in range(16):
            hum = 0.1 * rng.normal(size=24_000) * (1 + i % 4)
            hum[100] = np.nan if (root / "spoil").exists() and i == 5 else 0.0
            soundfile.write(root / f"{i:02}.wav", hum, 24_000, subtype="FLOAT")
        return Corpus(
            name="recorded",
            version="1",
            clips=tuple(Clip(id=f"{i:02}", audio=root / f"{i:02}.wav") for i in range(16)),
            dimensions=(Dimension("loud"),),
            targets=np.arange(16)[:, None] % 4 / 4 + rng.normal(size=(16, 1)) / 50,
            groups={"passage": tuple(f"p{i // 4}" for i in range(16))},
            human=np.ones(16, dtype=bool),
            raters=np.ones(16, dtype=int),
        )


class Other(Recorded):
    \"\"\"The same, without saying so.\"\"\"

    name = "other"
    recorded = False


@hookimpl
def bench_components():
    return [Recorded, Other]
"""


@pytest.fixture
def recorded(tmp_path: Path) -> Registry:
    path = tmp_path / "recorded.py"
    path.write_text(RECORDED)
    return Registry([path])


def test_recordings_are_not_rendered_and_the_row_says_so(
    place: Workplace, recorded: Registry
) -> None:
    config = asked(dataset="recorded", encoder="mel", protocols=["piece"])
    result, _ = run(plan_run(config, recorded), recorded, place)
    assert result.config.renderer is None
    (row,) = read_rows(place.results)
    assert row.renderer == "recordings"
    assert row.ranked
    with pytest.raises(UsageError, match="are recordings"):
        plan_run(asked(dataset="recorded", encoder="mel", renderer="tone"), recorded)
    undeclared = asked(dataset="other", encoder="mel", protocols=["piece"])
    with pytest.raises(PluginError, match="must say recorded = True"):
        run(plan_run(undeclared, recorded), recorded, place)


def test_a_row_says_how_its_waveforms_were_cut(place: Workplace, recorded: Registry) -> None:
    for settings in ({}, {"chunk_s": 0.5, "overlap_s": 0.1}):
        config = asked(dataset="recorded", encoder="mel", protocols=["piece"], **settings)
        run(plan_run(config, recorded), recorded, place)
    shown = {row.options for row in read_rows(place.results)}
    assert shown == {(), ("chunk_s=0.5", "overlap_s=0.1")}


def test_a_recording_with_nan_is_named_and_the_others_are_kept(
    place: Workplace, recorded: Registry
) -> None:
    config = asked(dataset="recorded", encoder="mel", protocols=["piece"])
    spoil = place.cache / "generated" / "recorded" / "spoil"
    spoil.parent.mkdir(parents=True)
    spoil.touch()
    with pytest.raises(AudioError, match=r"'05'.*is not a number"):
        run(plan_run(config, recorded), recorded, place)
    assert list((place.cache / "features").rglob("*.safetensors"))


def test_trackers_hear_of_the_start_and_the_end(place: Workplace, tmp_path: Path) -> None:
    path = tmp_path / "tracker.py"
    path.write_text(TRACKER)
    registry = Registry([path])
    config = asked(encoder="midi-stats", head="mean", protocols=["piece"])
    run(plan_run(config, registry), registry, place)
    import sys

    heard = next(m for n, m in sys.modules.items() if "plugin_tracker" in n).heard
    assert heard == [("started", "midi-stats"), ("finished", ["piece"])]


def test_the_result_says_what_was_run_on_what(place: Workplace) -> None:
    registry = Registry()
    plan = plan_run(asked(encoder="midi-stats", head="ridge"), registry)
    result, folder = run(plan, registry, place)
    stored = json.loads((folder / "result.json").read_text())
    assert stored["config_digest"] == plan.config.digest
    assert stored["components"]["encoder"]["facts"]["fingerprint"]
    assert stored["components"]["head"]["origin"].startswith("pianobench")
    assert stored["data"]["ceiling"]["mean"] == pytest.approx(
        stored["data"]["ceiling"]["intraclass"], abs=0.05
    )
    piece = result.protocols["piece"]
    assert {choice["fold"] for choice in piece.selected} == {"1", "2", "3", "4"}
    assert all("penalty" in choice for choice in piece.selected)
    assert rescore(folder, result, plan.dataset, load_corpus(plan.dataset)) == []


def test_the_result_keeps_what_an_audio_encoder_makes_of_fixed_signals(place: Workplace) -> None:
    plan = plan_run(asked(encoder="mel", head="ridge", protocols=["piece"]), Registry())
    result, _ = run(plan, Registry(), place)
    signals = result.components["encoder"].facts["signals"]
    assert list(signals) == ["click", "sweep", "noise"]
    assert signals["noise"]["frames"] == 100
    assert len(signals["noise"]["means"]) == 4


LAYERED = """
import numpy as np
from pianobench import Frames, ScoreEncoder, hookimpl, read_notes

class Layered(ScoreEncoder):
    \"\"\"Each note's loudness and length in layer 1; noise in the others.\"\"\"

    name = "layered"
    layers = 2

    def encode(self, clip):
        notes = read_notes(clip.midi)
        played = np.stack([notes.velocity / 128, np.log(notes.offset - notes.onset)], axis=1)
        noise = np.random.default_rng(len(notes)).normal(size=(2, *played.shape))
        return Frames(np.stack([noise[0], played, noise[1]]), notes.onset, {})

@hookimpl
def bench_components():
    return [Layered]
"""


@pytest.mark.parametrize("pooling", ["mean", pytest.param("attention", marks=pytest.mark.slow)])
def test_weights_of_layers_are_told_for_every_model(
    place: Workplace, tmp_path: Path, pooling: str
) -> None:
    pytest.importorskip("torch")
    (tmp_path / "layered.py").write_text(LAYERED)
    registry = Registry([tmp_path / "layered.py"])
    head = {"name": "mlp", "hidden": 16, "epochs": 12, "batch_size": 8, "learning_rate": 0.003}
    config = asked(encoder="layered", layers="all", merge="weighted", pooling=pooling, head=head)
    plan = plan_run(config, registry)
    result, folder = run(plan, registry, place)
    selected = result.protocols["piece"].selected
    assert len(selected) == 4
    for chosen in selected:
        assert list(chosen["layer_weights"]) == ["0", "1", "2"]
        assert chosen["layer_weights"]["1"] == max(chosen["layer_weights"].values())
    # With the mean, nothing but pooled layers is stored, and read.
    assert (place.cache / "frames").exists() == (pooling == "attention")
    assert "merge=weighted" in read_rows(place.results)[0].options
    assert rescore(folder, result, plan.dataset, load_corpus(plan.dataset)) == []


def test_a_learned_pooling_runs_on_frames_of_audio(place: Workplace, recorded: Registry) -> None:
    pytest.importorskip("torch")
    pooling = {"name": "lstm", "units": 4, "frames_per_step": 4}
    head = {"name": "mlp", "hidden": 8, "epochs": 2}
    given = {"dataset": "recorded", "encoder": "mel", "pooling": pooling, "head": head}
    result, _ = run(plan_run(asked(**given), recorded), recorded, place)
    assert result.protocols["piece"].scores.clips == 16
    (row,) = read_rows(place.results)
    assert row.pooling == "lstm"
    assert {"pooling.units=4", "pooling.frames_per_step=4"} <= set(row.options)


def test_an_encoder_without_frames_is_refused_for_a_learned_pooling(place: Workplace) -> None:
    plan = plan_run(asked(encoder="midi-stats", pooling="attention", head="mlp"), Registry())
    with pytest.raises(UsageError, match=r"single frame of every clip.*'attention' has nothing"):
        run(plan, Registry(), place)


def test_what_peeking_would_have_claimed_is_kept_and_rescored(place: Workplace) -> None:
    pytest.importorskip("torch")
    registry = Registry()
    head = {"name": "mlp", "hidden": 16, "epochs": 15, "learning_rate": 0.003}
    config = asked(encoder="midi-stats", head=head, optimism=True)
    plan = plan_run(config, registry)
    result, folder = run(plan, registry, place)
    piece = result.protocols["piece"]
    assert piece.ranked
    assert piece.optimism is not None
    assert piece.optimism.r2 != piece.scores.metrics["r2"]
    corpus = load_corpus(plan.dataset)
    assert rescore(folder, result, plan.dataset, corpus) == []
    claim = folder / piece.optimism.predictions
    claim.write_text(claim.read_text().replace("0.5", "0.6", 1))
    assert any("optimism" in line for line in rescore(folder, result, plan.dataset, corpus))


def test_a_result_that_stopped_on_the_scored_fold_is_flagged_and_not_ranked(
    place: Workplace,
) -> None:
    pytest.importorskip("torch")
    registry = Registry()
    head = {"name": "mlp", "hidden": 8, "epochs": 3}
    plan = plan_run(asked(encoder="midi-stats", head=head, selection="test-fold"), registry)
    result, _ = run(plan, registry, place)
    assert not result.protocols["piece"].ranked
    assert result.protocols["piece"].flags == ["training stopped on the fold that is scored"]


def test_a_leaking_protocol_is_flagged_and_not_ranked(place: Workplace) -> None:
    registry = Registry()
    config = asked(encoder="midi-stats", head="mean", protocols=["random"])
    result, _ = run(plan_run(config, registry), registry, place)
    record = result.protocols["random"]
    assert not record.ranked
    assert any("share music with training" in flag for flag in record.flags)


def test_a_baseline_is_missing_until_it_was_run_on_the_same_data(place: Workplace) -> None:
    registry = Registry()
    plan = plan_run(asked(encoder="midi-stats", head="mean", protocols=["piece"]), registry)
    run(plan, registry, place)
    corpus = load_corpus(plan.dataset)
    (baseline,) = missing_baselines(plan, corpus, read_rows(place.results), registry)
    assert (baseline.encoder.name, baseline.head.name) == ("midi-stats", "kernel-ridge")
    run(baseline, registry, place)
    assert missing_baselines(plan, corpus, read_rows(place.results), registry) == []


def test_the_baseline_against_the_score_is_asked_for_where_every_clip_has_one(
    place: Workplace,
) -> None:
    registry = Registry()
    plan = plan_run(asked(encoder="midi-stats", head="mean", protocols=["piece"]), registry)
    corpus = load_corpus(plan.dataset)
    scored = tuple(replace(c, score_midi=c.midi, score_xml=c.midi) for c in corpus.clips)
    asked_for = missing_baselines(plan, replace(corpus, clips=scored), [], registry)
    assert [p.encoder.name for p in asked_for] == ["midi-stats", "score-stats"]
    part = replace(corpus, clips=(corpus.clips[0], *scored[1:]))
    assert [p.encoder.name for p in missing_baselines(plan, part, [], registry)] == ["midi-stats"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored result of a network head, with its models."""
    pytest.importorskip("torch")
    root = tmp_path_factory.mktemp("trained")
    head = {"name": "mlp", "hidden": 8, "epochs": 3, "loss": "rank", "refit": True}
    config = asked(encoder="midi-stats", head=head, weighting="equal", optimism=True)
    place = Workplace(root / "results", root / "cache", jobs=1, keep_models=True)
    return run(plan_run(config, Registry()), Registry(), place)[1]


def test_a_network_leaves_its_curves_and_on_request_itself(trained: Path) -> None:
    result = read_result(trained)
    chosen = result.protocols["piece"].selected
    curves = read_curves(trained / "curves-piece.csv")
    assert [(c.fold, c.seed) for c in curves] == [(c["fold"], c["seed"]) for c in chosen]
    assert [c.best + 1 for c in curves] == [c["epochs"] for c in chosen]
    kept = sorted(path.name for path in (trained / "models" / "piece").glob("*.safetensors"))
    assert kept == [f"{c['fold']}-seed0.safetensors" for c in chosen]
    assert all(c["refit_clips"] > c["validation_clips"] for c in chosen)


def test_how_a_network_was_trained_is_part_of_its_row(trained: Path) -> None:
    (row,) = read_rows(trained.parent)
    options = {"head.loss=rank", "head.refit=True", "weighting=equal"}
    assert options <= set(row.options)


def test_curves_and_models_are_not_missed_and_not_part_of_the_score(
    trained: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained, tmp_path / "older")
    (tmp_path / "older" / "curves-piece.csv").unlink()
    shutil.rmtree(tmp_path / "older" / "models")
    result = read_result(tmp_path / "older")
    dataset = plan_run(result.config, Registry()).dataset
    corpus = load_corpus(dataset, None)
    assert rescore(tmp_path / "older", result, dataset, corpus) == []


def test_models_are_kept_of_networks_only(place: Workplace) -> None:
    plan = plan_run(asked(encoder="midi-stats", head="ridge"), Registry())
    with pytest.raises(UsageError, match=r"--keep-models keeps trained networks.*'ridge' is none"):
        run(plan, Registry(), replace(place, keep_models=True))


@pytest.mark.parametrize("stored", sorted(PUBLISHED.glob("*/result.json")), ids=str)
def test_a_published_configuration_still_has_its_digest(stored: Path) -> None:
    config = read_result(stored).config
    assert plan_run(config, Registry()).config.digest == read_result(stored).config_digest
