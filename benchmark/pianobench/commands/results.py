"""Stored results: checking and drawing them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import CheckFailedError, UsageError
from .options import PATH, data_option, open_registry, plugin_option

if TYPE_CHECKING:
    from ..plugins import Registry

__all__ = ["plot", "rescore", "rescore_or_fail"]

_RESULTS = Path("leaderboard/results")
_DATASET = "percepiano"


@click.command()
@click.argument("result", type=PATH)
@plugin_option
@data_option
def rescore(result: Path, plugins: tuple[Path, ...], data_root: Path | None) -> None:
    """Recompute every number of a stored result from its predictions; exit 1 if one disagrees."""
    rescore_or_fail(result, open_registry(plugins), data_root)
    click.echo(f"{result}: every number agrees with the predictions.")


@click.command()
@click.argument("picture", type=PATH)
@click.option("--results", type=PATH, help=f"Folder of the rows [default: {_RESULTS}].")
@click.option("--dataset", help=f"Of the rows [default: {_DATASET}].")
@click.option("--curves", "result", type=PATH, help="Draw how the networks of a result learned.")
@click.option("--protocol", help="Of the curves [default: the first of the result].")
def plot(
    picture: Path,
    results: Path | None,
    dataset: str | None,
    result: Path | None,
    protocol: str | None,
) -> None:
    """Draw the rows of a dataset with their intervals into PICTURE (.svg, .png or .pdf)."""
    if result is not None:
        _refuse("with --curves, which draws a single result", results=results, dataset=dataset)
        _plot_curves(picture, result, protocol)
        return
    _refuse("without --curves, since rows are always those of the ranking", protocol=protocol)
    dataset = dataset or _DATASET
    from ..forest import draw_forest
    from ..leaderboard import RANKING, estimates_of, read_rows

    rows = [row for row in read_rows(results or _RESULTS) if row.dataset == dataset]
    axis = f"R2 on {RANKING}, 95% jackknife-t interval over passages"
    draw_forest(picture, estimates_of(rows), axis, dataset)
    click.echo(picture)


def _refuse(where: str, **options: object) -> None:
    """Refuse options that have nothing to do."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"--{name} {value} has nothing to do {where}. Leave it out.")


def _plot_curves(picture: Path, result: Path, protocol: str | None) -> None:
    from ..curves import curves_name, draw_curves, read_curves
    from ..errors import UnknownNameError
    from ..result import read_result, result_folder

    stored = read_result(result)
    protocol = protocol or next(iter(stored.protocols))
    if protocol not in stored.protocols:
        raise UnknownNameError(f"protocol (in {result})", protocol, stored.protocols)
    curves = read_curves(result_folder(result) / curves_name(protocol))
    draw_curves(picture, curves, f"{stored.name}, {protocol}")
    click.echo(picture)


def rescore_or_fail(result: Path, registry: Registry, data_root: Path | None) -> None:
    """Rescore a result; print what disagrees.

    Raises
    ------
    CheckFailedError
        If something does.
    """
    from ..components import Dataset
    from ..corpus import load_corpus
    from ..rescore import rescore
    from ..result import read_result

    stored = read_result(result)
    choice = stored.config.dataset
    dataset = registry.create(Dataset, "dataset", choice.name, choice.options)
    disagreements = rescore(result, stored, dataset, load_corpus(dataset, data_root))
    for line in disagreements:
        click.echo(line)
    if disagreements:
        raise CheckFailedError(f"{result}: {len(disagreements)} disagreements, listed above.")
