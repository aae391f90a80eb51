"""The command that trains on some instruments and tests on each."""

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

__all__ = ["transfer"]

_SIX_PIANOS = (
    "fluidsynth:fluid-grand,fluidsynth:fluid-bright,fluidsynth:musescore-grand,"
    "fluidsynth:timgm-grand,fluidsynth:timgm-bright,fluidsynth:timgm-electric-grand"
)


@click.command()
@component_options(dataset="percepiano", encoder="mel")
@click.option("--seeds", type=click.IntRange(1), help="Number of seeds, averaged.")
@click.option("--out", type=PATH, default=Path("studies"), show_default=True)
@place_options
@plugin_option
@data_option
@json_option
def transfer(
    out: Path,
    cache: Path | None,
    device: str,
    jobs: int | None,
    plugins: tuple[Path, ...],
    data_root: Path | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Train on some instruments and test on each: what of a score is the instrument's.

    Without options: mel with ridge on percepiano, and the six pianos of fluidsynth. Run it again
    to go on where it stopped.
    """
    from ...errors import DependencyError
    from ...parallel import usable_cores
    from ...places import cache_root
    from ...plan import plan_run
    from ...run import Workplace
    from ...studies.transfer import PROTOCOL
    from ...studies.transfer import transfer as carry_out
    from ...studies.transfer_text import draw_transfer, report_transfer, transfer_text

    defaults = {"dataset": "percepiano", "encoder": "mel", "renderer": _SIX_PIANOS}
    config = run_config({**asked, "protocols": (PROTOCOL,)}, defaults)
    place = Workplace(out, cache or cache_root(), data_root, device, jobs or usable_cores())
    found, folder = carry_out(plan_run(config, open_registry(plugins)), place)
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json"), indent=1))
    else:
        click.echo(transfer_text(found))
        click.echo(f"\nThis study: {folder}")
    matrix: Path | None = folder / "matrix.svg"
    try:
        draw_transfer(folder / "matrix.svg", found)
    except DependencyError as error:
        click.echo(f"No picture is drawn beside the study. {error}", err=True)
        matrix = None
    report_transfer(folder / "report.html", found, matrix)
