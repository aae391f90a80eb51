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
@click.option(
    "--chart",
    type=click.Choice(["forest", "heat-map", "verdicts", "dimensions", "curves"]),
    help="What to draw [default: forest, the rows with their intervals].",
)
@click.option("--results", type=PATH, help=f"Folder of the rows of a forest [default: {_RESULTS}].")
@click.option("--leaderboard", type=PATH, help=f"Of all other charts [default: {_RESULTS.parent}].")
@click.option("--dataset", help=f"Of the rows [default: {_DATASET}].")
@click.option("--row", "rows", multiple=True, help="A row, or how its name begins or ends.")
@click.option("--curves", "result", type=PATH, help="Draw how the networks of a result learned.")
@click.option("--protocol", help="Of other charts than a forest [default: the first there is].")
def plot(
    picture: Path,
    chart: str | None,
    results: Path | None,
    leaderboard: Path | None,
    dataset: str | None,
    rows: tuple[str, ...],
    result: Path | None,
    protocol: str | None,
) -> None:
    """Draw rows of the leaderboard into PICTURE (.svg, .png or .pdf).

    A forest of intervals; a heat map of dimensions and categories; the verdict of every pair of
    rows; two rows by dimension; or how the networks of a result learned.
    """
    given = {"results": results, "leaderboard": leaderboard, "dataset": dataset}
    named = " ".join(rows) or None
    if result is not None or chart == "curves":
        _refuse("with --curves, which draws a single result", **given, row=named)
        if result is None:
            raise UsageError("--chart curves draws a single result: name it with --curves.")
        _plot_curves(picture, result, protocol)
    elif chart in (None, "forest"):
        why = "without --curves, since a forest is of all rows of the ranking"
        _refuse(why, protocol=protocol, row=named, leaderboard=leaderboard)
        _plot_forest(picture, results or _RESULTS, dataset or _DATASET)
    else:
        _refuse(f"with --chart {chart}, which draws a published board", results=results)
        board = leaderboard or _RESULTS.parent
        _plot_board(picture, str(chart), board, dataset or _DATASET, protocol, rows)
    click.echo(picture)


def _refuse(where: str, **options: object) -> None:
    """Refuse options that have nothing to do."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"--{name} {value} has nothing to do {where}. Leave it out.")


def _plot_forest(picture: Path, results: Path, dataset: str) -> None:
    from ..forest import draw_forest
    from ..leaderboard import RANKING, estimates_of, read_rows

    rows = [row for row in read_rows(results) if row.dataset == dataset]
    axis = f"R2 on {RANKING}, 95% jackknife-t interval over passages"
    draw_forest(picture, estimates_of(rows), axis, dataset)


def _plot_board(
    picture: Path,
    chart: str,
    leaderboard: Path,
    dataset: str,
    protocol: str | None,
    rows: tuple[str, ...],
) -> None:
    from ..leaderboard import RANKING, charts

    draw = {
        "heat-map": charts.draw_heat_map,
        "verdicts": charts.draw_verdicts,
        "dimensions": charts.draw_dimensions,
    }[chart]
    board = charts.read_published(leaderboard)
    draw(picture, *charts.select_rows(board, dataset, protocol or RANKING, rows))


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
    from ..result import read_result, result_folder

    stored = read_result(result)
    choice = stored.config.dataset
    dataset = registry.create(Dataset, "dataset", choice.name, choice.options)
    corpus = load_corpus(dataset, data_root)
    disagreements = rescore(result_folder(result), stored, dataset, corpus)
    for line in disagreements:
        click.echo(line)
    if disagreements:
        raise CheckFailedError(f"{result}: {len(disagreements)} disagreements, listed above.")
