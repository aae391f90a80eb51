"""What a sweep is expected to take, from what is stored."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pianobench.grid import Grid
from pianobench.plugins import Registry
from pianobench.result import list_results, read_result
from pianobench.run import Workplace, run
from pianobench.sweep import find_missing, prepare
from pianobench.sweep_estimate import estimate, seconds_per_model
from pianobench.sweep_plan import SweepPlan, plan_sweep

TINY_MUQ = str(Path(__file__).parent / "parity" / "muq_tiny")


def took(head: str, seconds: float, models: int, processes: int) -> SimpleNamespace:
    return SimpleNamespace(
        config=SimpleNamespace(head=SimpleNamespace(name=head)),
        timings_s={"evaluate": seconds},
        environment={"processes": str(processes)},
        protocols={"piece": SimpleNamespace(selected=[{}] * models)},
    )


def test_a_model_takes_the_median_of_what_results_tell_of_its_head() -> None:
    known = [took("mlp", 10, 4, 2), took("mlp", 4, 4, 1), took("mlp", 300, 4, 1)]
    known.append(took("ridge", 1, 4, 2))
    assert seconds_per_model(known) == {"mlp": 5.0, "ridge": 0.5}
    assert seconds_per_model([]) == {}


@pytest.fixture
def place(tmp_path: Path, own_cache: Path) -> Workplace:
    return Workplace(tmp_path / "results", own_cache, jobs=1)


def expect(plan: SweepPlan, place: Workplace, chosen_by: str | None = None):  # type: ignore[no-untyped-def]
    ground = prepare(plan, place, chosen_by)
    missing = find_missing(plan, ground, place.results)
    known = [read_result(folder) for folder in list_results(place.results)]
    return estimate(plan, missing, ground, known, place.cache, place.jobs)


def test_what_is_stored_is_neither_encoded_nor_fitted_again(place: Workplace) -> None:
    registry = Registry()
    grid = Grid("g", {"dataset": "demo", "encoder": "midi-stats"}, {"head": ["mean", "ridge"]})
    plan = plan_sweep([grid], registry)
    before = expect(plan, place)
    assert (before.cells, before.stored, before.models) == (2, 0, 8)
    assert before.to_encode == ("midi-stats, mean",)
    assert (before.unknown, before.seconds) == (("mean", "ridge"), 0)
    assert expect(plan, place, "piece").models == 2 * (4 + 4 * 3)

    run(plan.cells[0].plan, registry, place)
    after = expect(plan, place)
    assert (after.cells, after.stored, after.models) == (2, 1, 4)
    assert after.to_encode == ()
    assert after.unknown == ("ridge",)
    size = sum(path.stat().st_size for path in place.results.rglob("predictions*"))
    assert after.results_bytes == pytest.approx(size, rel=0.3)


def test_comparisons_of_layers_count_each_layer_and_fold_once(place: Workplace) -> None:
    fixed = {"dataset": "demo", "encoder": f"muq:{TINY_MUQ}", "renderer": "tone", "head": "ridge"}
    plan = plan_sweep([Grid("g", fixed, {"layers": ["0-1", "1-2", "3"]})], Registry())
    found = expect(plan, place)
    # Three layers are compared in ranges, over four folds of 90 and 30 clips; 3 is read alone.
    assert found.scratch_bytes == 3 * 4 * 8 * 90 * (90 + 30)
    assert found.to_encode == ("muq of tone:0.6, mean",)
