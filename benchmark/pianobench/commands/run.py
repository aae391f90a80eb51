"""Evaluating an encoder and a head."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import (
    PATH,
    component_options,
    data_option,
    json_option,
    open_registry,
    place_options,
    plugin_option,
    run_config,
)

if TYPE_CHECKING:
    from ..config import RunConfig

__all__ = ["run"]


@click.command()
@click.option("--config", type=PATH, help="TOML file of these settings; flags override it.")
@component_options(dataset="percepiano; demo if nothing is asked for", encoder="mel")
@click.option("--test-renderer", help="What clips are predicted from [default: --renderer].")
@click.option("--protocols", help="Comma-separated [default: piece,unseen,work; slow heads: piece]")
@click.option("--seeds", type=click.IntRange(1), help="Number of seeds, averaged.")
@click.option("--selection", help="nested, or test-fold as in the study (never ranked).")
@click.option(
    "--optimism",
    is_flag=True,
    default=None,
    help="Also report what stopping on the scored fold would have claimed.",
)
@click.option("--results", type=PATH, default=Path("results"), show_default=True)
@place_options
@click.option("--keep-models", is_flag=True, help="Keep every trained network with the result.")
@plugin_option
@data_option
@json_option
def run(
    plugins: tuple[Path, ...],
    data_root: Path | None,
    results: Path,
    cache: Path | None,
    device: str,
    jobs: int | None,
    keep_models: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Evaluate an encoder and a head, and show where they stand.

    Without options: the demo corpus, rendered by tone, the mel encoder and ridge.
    """
    from ..baseline import missing_baselines
    from ..corpus import load_corpus
    from ..errors import PianobenchError
    from ..leaderboard import read_rows, terminal_table
    from ..parallel import usable_cores
    from ..places import cache_root
    from ..plan import plan_run
    from ..run import Workplace
    from ..run import run as carry_out

    registry = open_registry(plugins)
    plan = plan_run(_config(asked), registry)
    place = Workplace(
        results,
        cache or cache_root(),
        data_root,
        device,
        jobs or usable_cores(),
        keep_models,
    )
    result, folder = carry_out(plan, registry, place)
    if as_json:
        click.echo(json.dumps(result.model_dump(mode="json"), indent=1))
        return
    corpus = load_corpus(plan.dataset, data_root)
    # A baseline that fails takes nothing from the run, which is stored.
    beside = replace(place, device="cpu", keep_models=False)
    for baseline in missing_baselines(plan, corpus, read_rows(results), registry):
        named = f"{baseline.encoder.name} with {baseline.head.name}"
        click.echo(f"running a baseline that every table holds: {named}", err=True)
        try:
            carry_out(baseline, registry, beside)
        except PianobenchError as error:
            click.echo(f"The baseline {named} is missing from this table. {error}", err=True)
    rows = [row for row in read_rows(results) if row.data_digest == result.data.digest]
    click.echo(f"\nLeaderboard of {corpus.name} ({len(corpus.clips)} clips) in {results}\n")
    click.echo(terminal_table(rows))
    for protocol, record in result.protocols.items():
        missing = [limit for limit in record.scores.limits if record.ranked]
        for line in [*record.flags, *missing]:
            click.echo(f"{protocol}: {line}")
        if record.optimism is not None:
            honest, claimed = record.scores.metrics["r2"], record.optimism.r2
            click.echo(
                f"{protocol}: stopping on the scored fold would have claimed {claimed:.3f}, "
                f"{claimed - honest:+.3f} to the honest {honest:.3f}"
            )
    click.echo(f"\nThis run: {folder}")


def _config(asked: dict[str, Any]) -> RunConfig:
    from ..config import read_config

    path = asked.pop("config")
    given = {} if path is None else read_config(path)
    if asked["protocols"] is not None:
        asked["protocols"] = tuple(p.strip() for p in asked["protocols"].split(","))
    anything = given or any(value not in (None, ()) for value in asked.values())
    defaults = {"dataset": "percepiano" if anything else "demo", "encoder": "mel"}
    return run_config(asked, defaults, given, str(path or "the command line"))
