"""The command of the published protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..options import (
    PATH,
    component_options,
    data_option,
    json_option,
    open_registry,
    place_options,
    plugin_option,
    run_config,
)

__all__ = ["published_split"]


@click.command("published-split")
@component_options(dataset="percepiano", encoder="han")
@click.option("--draws", type=click.IntRange(1), default=20, show_default=True)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the first draw."
)
@click.option(
    "--mark",
    "marks",
    type=float,
    multiple=True,
    help="Reported R2 to place among the draws [default: those in the leaderboard's folder].",
)
@click.option(
    "--beside",
    type=PATH,
    multiple=True,
    help="Folder of another such study, to compare it with on the same draws.",
)
@click.option("--out", type=PATH, default=Path("studies"), show_default=True)
@click.option("--leaderboard", type=PATH, default=Path("leaderboard"), show_default=True)
@place_options
@plugin_option
@data_option
@json_option
def published_split(
    draws: int,
    seed: int,
    marks: tuple[float, ...],
    beside: tuple[Path, ...],
    out: Path,
    leaderboard: Path,
    cache: Path | None,
    device: str,
    jobs: int | None,
    plugins: tuple[Path, ...],
    data_root: Path | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Draw the published test set (15% of the clips, four models) again and again.

    Without options: the symbolic HAN on percepiano. Run it again to go on where it stopped.
    """
    from ...errors import DependencyError
    from ...parallel import usable_cores
    from ...places import cache_root
    from ...plan import plan_run
    from ...run import Workplace
    from ...studies.published_split import published_split as carry_out
    from ...studies.published_split import read_published_split
    from ...studies.published_split_text import draw_published_splits, published_split_text

    others = [read_published_split(folder) for folder in beside]
    plan = plan_run(
        run_config(asked, {"dataset": "percepiano", "encoder": "han"}), open_registry(plugins)
    )
    marks = marks or _reported(leaderboard, plan.dataset.name, "published-split")
    place = Workplace(out, cache or cache_root(), data_root, device, jobs or usable_cores())
    found, folder = carry_out(plan, place, range(seed, seed + draws), marks, others)
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json"), indent=1))
    else:
        click.echo(published_split_text(found, others))
        click.echo(f"\nThis study: {folder}")
    try:
        draw_published_splits(folder / "draws.svg", [found, *others])
    except DependencyError as error:
        click.echo(f"No picture is drawn beside the study. {error}", err=True)


def _reported(leaderboard: Path, dataset: str, kind: str) -> tuple[float, ...]:
    """Numbers reported elsewhere that a kind of study has to place."""
    from ...leaderboard.reported import read_reported

    rows = read_reported(leaderboard / "reported.json")
    return tuple(row.r2 for row in rows if row.study == kind and row.dataset == dataset)
