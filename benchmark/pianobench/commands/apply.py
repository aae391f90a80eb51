"""Fitting a model to keep, and applying it to files."""

from __future__ import annotations

import json
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
    from ..apply_model import Applied
    from ..model_folder import KeptModel

__all__ = ["fit", "predict"]


@click.command()
@component_options(dataset="percepiano", encoder="mel")
@click.option("--seeds", type=click.IntRange(1), help="Number of seeds, averaged.")
@click.option("--models", type=PATH, default=Path("models"), show_default=True)
@place_options
@plugin_option
@data_option
@json_option
def fit(
    models: Path,
    cache: Path | None,
    device: str,
    jobs: int | None,
    plugins: tuple[Path, ...],
    data_root: Path | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Fit a head on a whole dataset, and keep it for `bench predict`.

    What is to be expected of it on new music is measured beside, by the protocol `piece`.
    """
    from ..model_folder import keep_model
    from ..parallel import usable_cores
    from ..places import cache_root
    from ..plan import plan_run
    from ..run import Workplace

    config = run_config(asked, {"dataset": "percepiano", "encoder": "mel"})
    plan = plan_run(config, open_registry(plugins))
    place = Workplace(models, cache or cache_root(), data_root, device, jobs or usable_cores())
    kept, folder = keep_model(plan, place)
    record = kept.record
    if as_json:
        click.echo(json.dumps(record.model_dump(mode="json"), indent=1))
        return
    of = f"{record.data.clips} clips of {record.data.dataset}, {record.config.encoder.name}"
    click.echo(f"{plan.head.name}, fitted on {of}")
    if record.r2 is not None:
        click.echo(f"On passages that models fitted like it have not seen, R2 is {record.r2:.3f}")
    click.echo(f"\nThis model: {folder}")


@click.command()
@click.argument("model", type=PATH)
@click.argument("files", type=PATH, nargs=-1, required=True)
@click.option("--encoder", help="The model's, with another argument, such as mert:FOLDER.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@place_options
@plugin_option
@json_option
def predict(
    model: Path,
    files: tuple[Path, ...],
    encoder: str | None,
    as_csv: bool,
    cache: Path | None,
    device: str,
    jobs: int | None,
    plugins: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Apply a MODEL that `bench fit` made to FILES: MIDI, audio, or folders of them.

    Novelty is the percentile of a file's distance to the training clips: near 100, the model
    speaks of what it does not know. Exit 2 if a file cannot be predicted; the others are.
    """
    from ..apply_model import apply_model
    from ..errors import DataError, UsageError
    from ..file_clips import clips_of_files
    from ..model_folder import open_model
    from ..parallel import usable_cores
    from ..places import cache_root
    from ..run import Workplace

    if as_csv and as_json:
        raise UsageError("--csv and --json exclude each other. Leave one of them out.")
    kept = open_model(model, open_registry(plugins), encoder)
    place = Workplace(Path(), cache or cache_root(), None, device, jobs or usable_cores())
    clips, unusable = clips_of_files(files)
    found = apply_model(kept, clips, place)
    failures = unusable | dict(found.failures)
    for line in found.notes:
        click.echo(f"note: {line}", err=True)
    if as_json:
        click.echo(json.dumps(_as_json(kept, found, failures), indent=1))
    elif found.clips:
        click.echo(_csv(kept, found) if as_csv else _table(kept, found))
    for name, error in failures.items():
        click.echo(f"{name} is not predicted. {error}", err=True)
    if failures:
        raise DataError(
            f"{len(failures)} of {len(failures) + len(found.clips)} files are not predicted, for "
            "the reasons above; the others are."
        )


def _rows(kept: KeptModel, found: Applied) -> tuple[list[str], list[list[str]]]:
    """Heads, and a row per file with six decimals, as predictions are stored."""
    heads = ["file", *(dimension.name for dimension in kept.record.dimensions), "novelty"]
    rows = [
        [clip.id, *(f"{value:.6f}" for value in values), f"{percentile:.1f}"]
        for clip, values, percentile in zip(
            found.clips, found.values.tolist(), found.percentiles, strict=True
        )
    ]
    return heads, rows


def _csv(kept: KeptModel, found: Applied) -> str:
    import csv
    import io

    text = io.StringIO()
    heads, rows = _rows(kept, found)
    csv.writer(text, lineterminator="\n").writerows([heads, *rows])
    return text.getvalue().rstrip("\n")


def _table(kept: KeptModel, found: Applied) -> str:
    """One row per dimension where there are few files, since names of dimensions are long."""
    from tabulate import tabulate

    heads, rows = _rows(kept, found)
    names = [Path(row[0]).name for row in rows]
    if len(set(names)) < len(names):
        names = [row[0] for row in rows]
    short = [
        [name, *(f"{float(cell):.3f}" for cell in row[1:-1]), row[-1]]
        for name, row in zip(names, rows, strict=True)
    ]
    turned = [list(column) for column in zip(heads, *short, strict=True)]
    return str(
        tabulate(turned[1:], headers=turned[0], tablefmt="simple", disable_numparse=True)
        if len(rows) < len(heads)
        else tabulate(short, headers=heads, tablefmt="simple", disable_numparse=True)
    )


def _as_json(kept: KeptModel, found: Applied, failures: Any) -> dict[str, Any]:
    names = [dimension.name for dimension in kept.record.dimensions]
    return {
        "model": kept.record.name,
        "files": [
            {
                "file": clip.id,
                "predictions": dict(zip(names, values, strict=True)),
                "novelty": percentile,
            }
            for clip, values, percentile in zip(
                found.clips, found.values.tolist(), found.percentiles, strict=True
            )
        ],
        "failed": {name: str(error) for name, error in failures.items()},
        "notes": list(found.notes),
    }
