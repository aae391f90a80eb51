"""A MIDI foundation model is a plugin of one class: checked, pooled, and learned from."""

from __future__ import annotations

from pathlib import Path

import pytest

from pianobench import ScoreEncoder
from pianobench.config import RunConfig
from pianobench.errors import UsageError
from pianobench.plan import plan_run
from pianobench.plugins import Registry
from pianobench.run import Workplace, run
from pianobench.testing import check_component

pytest.importorskip("torch", reason="torch is not installed")

PLUGIN = Path(__file__).with_name("tiny_midi_transformer.py")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry([PLUGIN])


def asked(**given: object) -> RunConfig:
    return RunConfig.parse(
        {"dataset": "demo", "encoder": "tiny-midi-transformer", "protocols": ["work"], **given},
        "test",
    )


def test_it_keeps_what_a_score_encoder_promises(registry: Registry) -> None:
    encoder = registry.create(ScoreEncoder, "encoder", "tiny-midi-transformer", {})
    failed = [check for check in check_component(encoder) if check.passed is False]
    assert not failed


def test_it_runs_with_plain_statistics_of_any_layer(
    registry: Registry, tmp_path: Path, own_cache: Path
) -> None:
    place = Workplace(tmp_path, own_cache, jobs=1)
    plan = plan_run(asked(pooling="mean+std", layers="1-2", head="ridge"), registry)
    result, _ = run(plan, registry, place)
    assert result.protocols["work"].scores.metrics["r2"] > -1


def test_a_pooling_is_learned_on_its_notes(
    registry: Registry, tmp_path: Path, own_cache: Path
) -> None:
    place = Workplace(tmp_path, own_cache, jobs=1)
    plan = plan_run(
        asked(
            pooling={"name": "hierarchical", "levels": ["beat"]},
            head={"name": "mlp", "hidden": 8, "epochs": 2},
            seeds=[0],
        ),
        registry,
    )
    one, folder = run(plan, registry, place)
    again, _ = run(plan, registry, Workplace(tmp_path / "again", own_cache, jobs=1))
    assert one.components["encoder"].name == "tiny-midi-transformer"
    assert one.protocols["work"].scores == again.protocols["work"].scores
    assert (folder / "result.json").exists()
    assert len(list((own_cache / "frames").rglob("*.safetensors"))) == 120


def test_a_learned_pooling_needs_a_head_that_is_trained_by_gradient(registry: Registry) -> None:
    with pytest.raises(UsageError, match=r"'hierarchical' is learned with the head.*ridge"):
        plan_run(asked(pooling="hierarchical", head="ridge"), registry)
    with pytest.raises(UsageError, match="'hierarchical' is learned and cannot be joined"):
        plan_run(asked(pooling="mean+hierarchical", head="mlp"), registry)
