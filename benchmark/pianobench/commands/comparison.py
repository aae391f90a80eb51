"""Stored results against each other, and whether the statistics hold what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import CheckFailedError
from .options import PATH, data_option, json_option, open_registry, plugin_option

if TYPE_CHECKING:
    from ..contenders import Contenders

__all__ = ["compare", "power", "validate_statistics"]

_protocol_option = click.option("--protocol", default="piece", show_default=True)


@click.command()
@click.argument("results", type=PATH, nargs=-1, metavar="A B [C ...]")
@_protocol_option
@click.option("--as-published", is_flag=True, help="Add the study's own tests and how they err.")
@click.option("--plot", "picture", type=PATH, help="Draw the differences (.svg, .png or .pdf).")
@plugin_option
@data_option
@json_option
def compare(
    results: tuple[Path, ...],
    protocol: str,
    as_published: bool,
    picture: Path | None,
    plugins: tuple[Path, ...],
    data_root: Path | None,
    as_json: bool,
) -> None:
    """Compare stored results: the first with each of the others, for new passages and performers.

    A, B, ... are folders of results on the same data.
    """
    from ..compare import compare as compare_models
    from ..comparison_text import comparison_text, draw_comparison

    found = compare_models(_contenders(results, protocol, plugins, data_root), as_published)
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json"), indent=1))
    else:
        click.echo(comparison_text(found))
    if picture is not None:
        draw_comparison(picture, found)


@click.command()
@click.argument("first", type=PATH)
@click.argument("second", type=PATH)
@click.option(
    "--correlation",
    "correlations",
    type=click.FloatRange(-1, 1, max_open=True),
    multiple=True,
    help="Of the errors of the two models to be compared; repeat for several.",
)
@_protocol_option
@plugin_option
@data_option
@json_option
def power(
    first: Path,
    second: Path,
    correlations: tuple[float, ...],
    protocol: str,
    plugins: tuple[Path, ...],
    data_root: Path | None,
    as_json: bool,
) -> None:
    """Say which differences this dataset can show at 80% power, calibrated on FIRST and SECOND."""
    from ..power import power as find_power

    given = _contenders((first, second), protocol, plugins, data_root)
    found = find_power(given, correlations or None)
    click.echo(json.dumps(found.model_dump(mode="json"), indent=1) if as_json else found.text())


@click.command("validate-statistics")
@click.argument("first", type=PATH)
@click.argument("second", type=PATH)
@click.option(
    "--scale",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="Share of the full number of simulations.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@_protocol_option
@plugin_option
@data_option
@json_option
def validate_statistics(
    first: Path,
    second: Path,
    scale: float,
    seed: int,
    protocol: str,
    plugins: tuple[Path, ...],
    data_root: Path | None,
    as_json: bool,
) -> None:
    """Measure how often intervals cover and tests err, by simulation from two stored results.

    Exit 1 if one misses its bar. The full size takes some ten minutes.
    """
    from ..validate import validate

    found = validate(_contenders((first, second), protocol, plugins, data_root), scale, seed)
    click.echo(json.dumps(found.model_dump(mode="json"), indent=1) if as_json else found.text())
    if found.broken:
        raise CheckFailedError(f"{found.broken} bars are broken; the table marks them.")


def _contenders(
    results: tuple[Path, ...], protocol: str, plugins: tuple[Path, ...], data_root: Path | None
) -> Contenders:
    from ..contenders import read_contenders

    return read_contenders(results, protocol, open_registry(plugins), data_root)
