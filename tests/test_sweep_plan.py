"""Plans of sweeps: each cell once, impossible ones named before anything runs, what is stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pianobench import Corpus
from pianobench.errors import UsageError
from pianobench.grid import Grid, find_grid, ready_grids
from pianobench.plugins import Registry
from pianobench.result import read_result
from pianobench.split import make_split
from pianobench.sweep_plan import plan_sweep, shard, stored_result

TINY_MUQ = str(Path(__file__).parent / "parity" / "muq_tiny")
BASE = {"dataset": "demo", "encoder": f"muq:{TINY_MUQ}", "head": "ridge"}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry()


def test_impossible_cells_are_named_with_what_is_wrong_before_anything_runs(
    registry: Registry,
) -> None:
    grid = Grid("g", BASE, {"layers": ["1-2", "3-13", "4"], "head": ["ridge", "rigde"]})
    with pytest.raises(UsageError) as refused:
        plan_sweep([grid], registry)
    said = str(refused.value)
    assert said.startswith("5 of 6 cells cannot be run, so nothing was.")
    assert "layers=3-13, head=ridge: Layers '3-13' ask for '3-13', but encoder 'muq' has" in said
    assert "layers=1-2, head=rigde (and 2 more): There is no head named 'rigde'. Did you" in said


def test_a_cell_that_two_grids_hold_is_run_once_and_named_by_the_first(registry: Registry) -> None:
    one = Grid("one", BASE, {"layers": ["1", "2"]}, "Which?")
    two = Grid("two", BASE, {"layers": ["2", "3"]}, "And now?")
    plan = plan_sweep([one, two], registry)
    assert [cell.varied for cell in plan.cells] == [
        {"grid": "one", "layers": "1"},
        {"grid": "one", "layers": "2"},
        {"grid": "two", "layers": "3"},
    ]
    assert plan.about == "Which? And now?"
    assert plan.name.startswith("one+two-")
    assert plan_sweep([one], registry).name != plan.name


def test_grids_on_other_data_are_not_compared(registry: Registry) -> None:
    one = Grid("one", BASE, {"layers": ["1", "2"]})
    other = one.with_settings({"protocols": [("work",)]})
    with pytest.raises(UsageError, match="The grids differ in protocols"):
        plan_sweep([one, other], registry)


def test_shards_are_all_cells_once_in_blocks(registry: Registry) -> None:
    plan = plan_sweep([Grid("g", BASE, {"layers": ["0", "1", "2", "3", "1-2"]})], registry)
    for count in range(1, 8):
        parts = [shard(plan, index, count).cells for index in range(1, count + 1)]
        assert tuple(cell for part in parts for cell in part) == plan.cells
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    with pytest.raises(UsageError, match="no shard 3 of 2"):
        shard(plan, 3, 2)


@pytest.mark.parametrize("name", ready_grids())
def test_a_ready_grid_can_be_run_with_what_is_installed(name: str, registry: Registry) -> None:
    grid = find_grid(name)
    encoder = grid.fixed["encoder"]
    if (encoder["name"] if isinstance(encoder, dict) else encoder) in {"muq", "mert"}:
        # Of random weights the architecture is known without the checkpoint.
        grid = grid.with_settings({"encoder.weights": ["random"]})
    plan = plan_sweep([grid], registry)
    assert len(plan.cells) == len(grid.cells())
    assert {cell.plan.dataset.name for cell in plan.cells} == {"percepiano"}
    assert plan.protocols == ("piece",)


def test_a_result_counts_as_stored_on_the_same_data_and_folds_only(
    stored: Path, corpus: Corpus
) -> None:
    result = read_result(stored)

    class Asked:
        name, config = stored.name, result.config

    splits = {"piece": make_split(corpus, "piece")}
    digest = result.data.digest
    assert stored_result(Asked, stored.parent, digest, splits) == result
    assert stored_result(Asked, stored.parent, "0" * 64, splits) is None
    assert (
        stored_result(Asked, stored.parent, digest, {"piece": make_split(corpus, "work")}) is None
    )
    assert stored_result(Asked, stored.parent / "elsewhere", digest, splits) is None
    (stored / "result.json").write_text(json.dumps({"schema_version": 1}))
    assert stored_result(Asked, stored.parent, digest, splits) is None
