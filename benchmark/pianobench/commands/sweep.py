"""Many runs at once, compared."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .options import PATH, data_option, json_option, open_registry, plugin_option

if TYPE_CHECKING:
    from ..errors import PianobenchError
    from ..grid import Grid
    from ..sweep_plan import SweepPlan

__all__ = ["sweep"]

_VARYING = (
    *("encoder", "renderer", "test_renderer", "layers", "merge", "pooling", "head"),
    *("weighting", "precision", "seeds"),
)


@click.command()
@click.argument("grids", nargs=-1, metavar="[GRID]...")
@click.option("--dataset", help="Dataset [default: the grid's, or percepiano].")
@click.option("--encoder", multiple=True, help="Encoder; repeat to vary it, as all below.")
@click.option("--renderer", multiple=True, help="What turns MIDI into audio; several with commas.")
@click.option("--test-renderer", multiple=True, help="What clips are predicted from.")
@click.option("--layers", multiple=True, help="Such as 9-12, 1,4,9-12, all or last.")
@click.option("--weights", multiple=True, help="pretrained, or random.")
@click.option("--merge", multiple=True, help="How layers become one vector.")
@click.option("--pooling", multiple=True, help="Such as mean or mean+std.")
@click.option("--head", multiple=True, help="Head.")
@click.option("--weighting", multiple=True, help="raters or equal: what a clip counts.")
@click.option("--precision", multiple=True, help="Of a torch encoder.")
@click.option("--seeds", type=click.IntRange(1), multiple=True, help="Number of seeds, averaged.")
@click.option("--set", "settings", multiple=True, help="part.option=value, such as head.loss=ccc.")
@click.option("--protocols", help="Comma-separated, of every cell [default: piece].")
@click.option("--protocol", help="By which cells are compared [default: the first].")
@click.option("--choose", is_flag=True, help="Also choose a cell inside each training part.")
@click.option("--dry-run", is_flag=True, help="Say what is to be done and what it will take.")
@click.option("--shard", metavar="I/N", help="Run one of N parts, and make no table.")
@click.option("--results", type=PATH, default=Path("results"), show_default=True)
@click.option("--cache", type=PATH, help="Renders and features [default: $PIANOBENCH_CACHE].")
@click.option("--device", default="cpu", show_default=True)
@click.option("--jobs", type=click.IntRange(1), help="Processes [default: all cores].")
@plugin_option
@data_option
@json_option
def sweep(
    grids: tuple[str, ...],
    protocol: str | None,
    choose: bool,
    dry_run: bool,
    shard: str | None,
    plugins: tuple[Path, ...],
    data_root: Path | None,
    results: Path,
    cache: Path | None,
    device: str,
    jobs: int | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Run a grid of settings, and say which of them matter.

    GRID is the name of a ready grid (layers-muq, layers-mert, layers-mert-330m, layers-by-head,
    pooling, loss) or a TOML file; options replace what it says, and one that is repeated varies.
    Cells that are stored are not run again.
    """
    from ..parallel import usable_cores
    from ..places import cache_root
    from ..run import Workplace
    from ..sweep import find_missing, prepare
    from ..sweep import sweep as carry_out
    from ..sweep_plan import plan_sweep
    from ..sweep_record import conclude
    from ..sweep_text import record_text

    registry = open_registry(plugins)
    plan = plan_sweep(_grids(grids, _settings(asked)), registry)
    compared_by = _protocol(plan, protocol)
    part = plan if shard is None else _shard(plan, shard)
    place = Workplace(results, cache or cache_root(), data_root, device, jobs or usable_cores())
    ground = prepare(plan, place, compared_by if choose else None)
    missing = find_missing(part, ground, results)
    if dry_run:
        _tell_plan(part, missing, ground, place, as_json)
        return
    failed = carry_out(missing, ground, registry, place)
    if shard is not None and not failed:
        click.echo(f"Shard {shard}: {len(part.cells)} of {len(plan.cells)} cells are in {results}.")
        return
    answer = conclude(plan, ground, results, compared_by)
    shown = json.dumps(answer.model_dump(mode="json"), indent=1) if as_json else record_text(answer)
    click.echo(shown)
    if failed:
        raise _failure(failed)


def _grids(names: tuple[str, ...], asked: dict[str, list[Any]]) -> list[Grid]:
    from ..grid import Grid, find_grid, ready_grids

    if not (names or asked):
        raise UsageError(
            f"Nothing to sweep: name a grid ({', '.join(ready_grids())}, or a TOML file), or "
            "repeat an option, such as --encoder mel --head ridge --head kernel-ridge."
        )
    found = [find_grid(name) for name in names] or [Grid("grid")]
    return [grid.with_settings(asked) for grid in found]


def _settings(asked: dict[str, Any]) -> dict[str, list[Any]]:
    """Collect what options say, by setting; every value of one that was repeated."""
    from ..config import read_value

    found: dict[str, list[Any]] = {name: list(asked[name]) for name in _VARYING if asked[name]}
    if asked["dataset"] is not None:
        found["dataset"] = [asked["dataset"]]
    if asked["protocols"] is not None:
        found["protocols"] = [tuple(p.strip() for p in asked["protocols"].split(","))]
    if asked["weights"]:
        found["encoder.weights"] = list(asked["weights"])
    for setting in asked["settings"]:
        target, equals, text = setting.partition("=")
        if not (equals and all(target.partition("."))):
            raise UsageError(
                f"--set {setting!r} is not of the form part.option=value, for example "
                "--set head.loss=ccc."
            )
        found.setdefault(target, []).append(read_value(text))
    return found


def _protocol(plan: SweepPlan, asked: str | None) -> str:
    if asked is None:
        return plan.protocols[0]
    if asked not in plan.protocols:
        raise UsageError(
            f"Cells cannot be compared by {asked!r}: they are scored by "
            f"{', '.join(plan.protocols)}. Add it with --protocols."
        )
    return asked


def _shard(plan: SweepPlan, text: str) -> SweepPlan:
    from ..sweep_plan import shard

    read = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if read is None:
        raise UsageError(f"--shard {text!r} is not of the form I/N, such as 1/4.")
    return shard(plan, int(read[1]), int(read[2]))


def _tell_plan(plan: SweepPlan, missing: Any, ground: Any, place: Any, as_json: bool) -> None:
    from dataclasses import asdict

    from ..result import list_results, read_result
    from ..sweep_estimate import estimate
    from ..sweep_text import estimate_text, plan_text

    known = [read_result(folder) for folder in list_results(place.results)]
    found = estimate(plan, missing, ground, known, place.cache, place.jobs)
    to_do = [one.cell.plan.name for one in missing]
    if as_json:
        cells = [
            {"varied": dict(c.varied), "result": c.plan.name, "stored": c.plan.name not in to_do}
            for c in plan.cells
        ]
        click.echo(json.dumps({"cells": cells, "expected": asdict(found)}, indent=1))
        return
    click.echo(f"{plan_text(plan.cells, to_do)}\n\n{estimate_text(found)}")


def _failure(failed: dict[str, PianobenchError]) -> PianobenchError:
    """Make one error of the cells that failed, of the kind of the first."""
    from ..failures import together

    count = f"{len(failed)} cells could not be run; the others are, and are kept."
    return together(failed, count, "Cell")
