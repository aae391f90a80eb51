"""The command that fuses models."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..options import (
    PATH,
    data_option,
    json_option,
    open_registry,
    place_options,
    plugin_option,
)

__all__ = ["fusion"]


@click.command()
@click.argument("results", type=PATH, nargs=-1, metavar="A B [C ...]")
@click.option("--protocol", default="piece", show_default=True)
@click.option(
    "--inner",
    type=click.IntRange(2),
    default=3,
    show_default=True,
    help="Inner folds of every training part; each is one more fit of every model.",
)
@click.option(
    "--encoder",
    "encoders",
    multiple=True,
    help="A result's, where it runs code that you trust: hear:MODULE; may be repeated.",
)
@click.option("--out", type=PATH, default=Path("studies"), show_default=True)
@place_options
@plugin_option
@data_option
@json_option
def fusion(
    results: tuple[Path, ...],
    protocol: str,
    inner: int,
    encoders: tuple[str, ...],
    out: Path,
    cache: Path | None,
    device: str,
    jobs: int | None,
    plugins: tuple[Path, ...],
    data_root: Path | None,
    as_json: bool,
) -> None:
    """Fuse models, and test what it gains over the best of them.

    A, B, ... are folders of results on the same data and folds. Their models are fitted again
    inside training parts to learn the weights. Run it again to go on where it stopped.
    """
    from ...errors import DependencyError
    from ...parallel import usable_cores
    from ...places import cache_root
    from ...run import Workplace
    from ...studies.fusion import fusion as carry_out
    from ...studies.fusion_report import write_fusion_report
    from ...studies.fusion_text import fusion_text

    place = Workplace(out, cache or cache_root(), data_root, device, jobs or usable_cores())
    found, folder = carry_out(results, protocol, open_registry(plugins), place, inner, encoders)
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json"), indent=1))
    else:
        click.echo(fusion_text(found))
        click.echo(f"\nThis study: {folder}")
    try:
        write_fusion_report(folder, found)
    except DependencyError as error:
        click.echo(f"No report is written beside the study. {error}", err=True)
