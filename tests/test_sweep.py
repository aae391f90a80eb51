"""Sweeps: cells are stored as runs store them, and nothing that happens meanwhile shows."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pianobench.errors import ResultError
from pianobench.grid import Grid
from pianobench.plugins import Registry
from pianobench.result import read_result
from pianobench.run import Workplace, run
from pianobench.sweep import find_missing, prepare, sweep
from pianobench.sweep_plan import SweepPlan, plan_sweep, shard
from pianobench.sweep_record import SweepRecord, conclude

PLUGIN = '''
import numpy as np
from pianobench import Frames, Head, ScoreEncoder, hookimpl, read_notes
from pianobench.errors import TrainingError

encoded = []


class Notes(ScoreEncoder):
    """Notes, turned and bent by each of four layers."""

    name = "layered"
    layers = 3
    broken: bool = False

    def encode(self, clip):
        if self.broken:
            raise ValueError("it is broken")
        encoded.append(clip.id)
        notes = read_notes(clip.midi)
        gaps = np.diff(notes.onset, prepend=notes.onset[0])
        seen = np.stack([notes.pitch, notes.velocity, 9 * gaps, notes.offset - notes.onset], axis=1)
        turns = np.random.default_rng(0).normal(size=(4, 4, 6))
        return Frames(np.tanh((seen - 60) / 20 @ turns), notes.onset, {})


class Guess(Head):
    """Least squares on features with noise of its own."""

    name = "guess"
    stochastic = True

    def fit(self, x, y, groups, seed, sample_weight=None):
        noise = 1 + 0.1 * np.random.default_rng(seed).normal(size=x.shape[1])
        return Fitted(noise, np.linalg.lstsq(x * noise, y, rcond=0.1)[0])


class Fitted:
    selected = {}

    def __init__(self, noise, weights):
        self.noise, self.weights = noise, weights

    def predict(self, x):
        return x * self.noise @ self.weights


class Diverging(Head):
    """Fails in the third fold."""

    name = "diverging"

    def fit(self, x, y, groups, seed, sample_weight=None):
        raise TrainingError("The training of the head 'diverging' diverged: loss inf.")


@hookimpl
def bench_components():
    return [Notes, Guess, Diverging]
'''
VARY: dict[str, list[Any]] = {
    "layers": ["0-1", "1-3"],
    "head": ["ridge", "guess"],
}
FIXED = {"dataset": "demo", "encoder": "layered", "pooling": "mean+std", "seeds": 2}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    path = tmp_path / "layered.py"
    path.write_text(PLUGIN)
    return Registry([path])


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared-cache")


@pytest.fixture
def place(tmp_path: Path, cache: Path) -> Workplace:
    return Workplace(tmp_path / "results", cache, jobs=1)


@pytest.fixture
def plan(registry: Registry) -> SweepPlan:
    return plan_sweep([Grid("g", FIXED, VARY)], registry)


def carry_out(
    plan: SweepPlan, registry: Registry, place: Workplace, *, choose: bool = True
) -> SweepRecord:
    ground = prepare(plan, place, "piece" if choose else None)
    missing = find_missing(plan, ground, place.results)
    assert sweep(missing, ground, registry, place) == {}
    return conclude(plan, ground, place.results, "piece")


def stored(results: Path) -> dict[str, bytes]:
    """Everything below the results but how long it took."""
    found = {}
    for path in results.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if path.name == "result.json":
            told = json.loads(content)
            del told["timings_s"], told["environment"]
            del told["components"]["encoder"]["facts"]["encoding"]
            content = json.dumps(told).encode()
        found[str(path.relative_to(results))] = content
    return found


def test_a_cell_is_what_a_run_of_its_configuration_stores(
    plan: SweepPlan, registry: Registry, place: Workplace
) -> None:
    carry_out(plan, registry, place, choose=False)
    alone = replace(place, results=place.results.with_name("alone"))
    for cell in plan.cells[:2]:
        run(cell.plan, registry, alone)
    swept, ran = stored(place.results), stored(alone.results)
    assert len(ran) == 2 * 3
    assert {name: swept[name] for name in ran} == ran


def test_a_sweep_that_was_interrupted_goes_on_to_the_same_answer(
    plan: SweepPlan,
    registry: Registry,
    place: Workplace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = replace(place, results=place.results.with_name("whole"))
    expected = carry_out(plan, registry, whole)

    import pianobench.sweep as module

    store, count = module._store, 0

    def interrupted(*given: Any) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        store(*given)

    ground = prepare(plan, place, "piece")
    with monkeypatch.context() as patch:
        patch.setattr(module, "_store", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sweep(find_missing(plan, ground, place.results), ground, registry, place)
    left = find_missing(plan, ground, place.results)
    assert len(left) == len(plan.cells) - 2
    assert len(conclude(plan, ground, place.results, "piece").missing) == len(left)

    assert carry_out(plan, registry, place) == expected
    assert stored(place.results) == stored(whole.results)
    assert not any((place.cache / "scratch").iterdir())
    assert find_missing(plan, ground, place.results) == []


def test_shards_that_are_merged_are_the_whole_bit_for_bit(
    plan: SweepPlan, registry: Registry, place: Workplace, tmp_path: Path
) -> None:
    expected = carry_out(plan, registry, place)
    merged = tmp_path / "merged"
    for index in (1, 2):
        # Each elsewhere, with a cache of its own.
        there = replace(place, results=tmp_path / f"part{index}", cache=tmp_path / f"cache{index}")
        part = shard(plan, index, 2)
        ground = prepare(part, there, "piece")
        assert sweep(find_missing(part, ground, there.results), ground, registry, there) == {}
        shutil.copytree(there.results, merged, dirs_exist_ok=True)
    ground = prepare(plan, replace(place, results=merged), "piece")
    assert find_missing(plan, ground, merged) == []
    assert conclude(plan, ground, merged, "piece") == expected
    assert stored(merged) == stored(place.results)


@pytest.mark.slow
def test_several_processes_give_the_same_as_one(
    plan: SweepPlan, registry: Registry, place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = carry_out(plan, registry, place)
    monkeypatch.setattr("pianobench.parallel._WORTH_PROCESSES_S", 0.0)
    several = replace(place, results=place.results.with_name("several"), jobs=2)
    assert carry_out(plan, registry, several) == expected
    assert stored(several.results) == stored(place.results)


def test_each_clip_is_encoded_once_for_all_layers_and_poolings(
    registry: Registry, place: Workplace, own_cache: Path
) -> None:
    place = replace(place, cache=own_cache)
    vary = {"layers": ["0", "1-3"], "pooling": ["mean", "max"]}
    plan = plan_sweep([Grid("g", {**FIXED, "head": "guess", "seeds": 1}, vary)], registry)
    module = sys.modules[type(plan.cells[0].plan.encoder).__module__]
    carry_out(plan, registry, place, choose=False)
    # What the fingerprint is taken from is encoded as well.
    taken = [clip for clip in module.encoded if clip != "probe"]
    assert len(taken) == len(set(taken)) == 120


def test_choosing_later_fits_the_inner_models_only(
    plan: SweepPlan, registry: Registry, place: Workplace
) -> None:
    carry_out(plan, registry, place, choose=False)
    before = {path: path.stat().st_mtime_ns for path in place.results.glob("*/result.json")}
    ground = prepare(plan, place, "piece")
    missing = find_missing(plan, ground, place.results)
    assert [(one.result, one.inner) for one in missing] == [(False, True)] * len(plan.cells)
    seeds = [1 if cell.plan.head.name == "ridge" else 2 for cell in plan.cells]
    assert [len(one.members(ground)) for one in missing] == [12 * n for n in seeds]
    answer = carry_out(plan, registry, place)
    assert answer.choice is not None
    assert answer.table is not None
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert answer.choice.best_r2 == pytest.approx(answer.table.rows[0].r2, abs=1e-12)
    assert answer.choice.optimism == answer.choice.best_r2 - answer.choice.r2


def test_a_cell_that_fails_is_named_and_costs_the_others_nothing(
    registry: Registry, place: Workplace
) -> None:
    vary = {
        "head": ["ridge", "diverging"],
        "encoder": ["layered", {"name": "layered", "broken": True}],
    }
    plan = plan_sweep([Grid("g", {**FIXED, "layers": "1"}, vary)], registry)
    ground = prepare(plan, place)
    failed = sweep(find_missing(plan, ground, place.results), ground, registry, place)
    fine, broken, diverging, both = (cell.plan.name for cell in plan.cells)
    assert set(failed) == {broken, diverging, both}
    assert "it is broken" in str(failed[broken])
    assert "'diverging' diverged: loss inf" in str(failed[diverging])
    assert read_result(place.results / fine).protocols["piece"].scores.metrics["r2"] > 0
    answer = conclude(plan, ground, place.results, "piece")
    assert answer.missing == [broken, diverging, both]
    assert answer.table is not None
    assert [row.result for row in answer.table.rows] == [fine]
    assert not (place.results / "sweeps").exists()


@pytest.mark.slow
def test_a_loss_that_diverges_is_told_with_what_to_lower(
    registry: Registry, place: Workplace
) -> None:
    pytest.importorskip("torch")
    head = {"name": "mlp", "hidden": 4, "epochs": 2}
    grid = Grid("g", {**FIXED, "layers": "1", "head": head}, {"head.learning_rate": [1e-3, 1e30]})
    plan = plan_sweep([grid], registry)
    ground = prepare(plan, place)
    failed = sweep(find_missing(plan, ground, place.results), ground, registry, place)
    fine, diverging = (cell.plan.name for cell in plan.cells)
    assert list(failed) == [diverging]
    assert "Lower head.learning_rate, which is 1e+30" in str(failed[diverging])
    assert read_result(place.results / fine).config == plan.cells[0].plan.config


def test_results_that_cannot_be_written_are_refused_before_anything_is_fitted(
    plan: SweepPlan, registry: Registry, place: Workplace, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    nowhere = replace(place, results=tmp_path / "file")
    ground = prepare(plan, nowhere)
    missing = find_missing(plan, ground, nowhere.results)
    with pytest.raises(ResultError, match="Cannot write results into"):
        sweep(missing, ground, registry, nowhere)


@pytest.mark.slow
def test_optimism_is_measured_in_a_sweep_as_in_a_run(registry: Registry, place: Workplace) -> None:
    pytest.importorskip("torch")
    fixed = {
        **FIXED,
        "layers": "1",
        "head": {"name": "mlp", "hidden": 4, "epochs": 2},
        "optimism": True,
        "seeds": 1,
    }
    plan = plan_sweep([Grid("g", fixed, {"head.dropout": [0.0, 0.5]})], registry)
    carry_out(plan, registry, place, choose=False)
    alone = replace(place, results=place.results.with_name("alone"))
    run(plan.cells[0].plan, registry, alone)
    swept, ran = stored(place.results), stored(alone.results)
    assert {name: swept[name] for name in ran} == ran
    assert any("test-fold" in name for name in ran)
    np.testing.assert_equal(len([name for name in swept if name.endswith("result.json")]), 2)
