"""Studies: what no row of the leaderboard answers."""

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
    from ..plugins import Registry
    from ..run import Workplace
    from ..studies.zero_shot import Recordings

__all__ = ["study"]


@click.group()
def study() -> None:
    """Ask about protocols and corpora what no row answers; nothing that is found is ranked."""


@study.command("published-split")
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
    from ..errors import DependencyError
    from ..parallel import usable_cores
    from ..places import cache_root
    from ..plan import plan_run
    from ..run import Workplace
    from ..studies.published_split import published_split as carry_out
    from ..studies.published_split import read_published_split
    from ..studies.published_split_text import draw_published_splits, published_split_text

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


@study.command("zero-shot")
@click.argument("model", type=PATH)
@click.argument("files", type=PATH, nargs=-1)
@click.option("--dataset", help="Apply the model to a dataset, labelled or not, in place of FILES.")
@click.option("--set", "settings", multiple=True, help="Such as dataset.unusable=skip.")
@click.option("--encoder", help="The model's, with another argument, such as mert:FOLDER.")
@click.option("--skip", is_flag=True, help="Leave out what cannot be predicted, and count it.")
@click.option("--out", type=PATH, default=Path("studies"), show_default=True)
@place_options
@plugin_option
@data_option
@json_option
def zero_shot(
    model: Path,
    files: tuple[Path, ...],
    dataset: str | None,
    settings: tuple[str, ...],
    encoder: str | None,
    skip: bool,
    out: Path,
    cache: Path | None,
    device: str,
    jobs: int | None,
    plugins: tuple[Path, ...],
    data_root: Path | None,
    as_json: bool,
) -> None:
    """Describe what a MODEL of `bench fit` says of FILES that nobody rated: MIDI, audio, folders.

    A page to open in a browser: distributions beside those of the training clips, novelty, and the
    recordings at the ends of every dimension. Takes that the model was fitted on are left out.
    """
    from ..model_folder import open_model
    from ..parallel import usable_cores
    from ..places import cache_root
    from ..run import Workplace
    from ..studies.zero_shot import zero_shot as carry_out
    from ..studies.zero_shot_report import keep_zero_shot, zero_shot_text

    registry = open_registry(plugins)
    kept = open_model(model, registry, encoder)
    place = Workplace(out, cache or cache_root(), data_root, device, jobs or usable_cores())
    recordings = _recordings(files, dataset, settings, registry, place)
    found = carry_out(kept, recordings, registry, place, skip=skip)
    folder = keep_zero_shot(found, kept, place)
    if as_json:
        click.echo(json.dumps(found.study.model_dump(mode="json"), indent=1))
    else:
        click.echo(zero_shot_text(found.study))
        click.echo(f"\nThis study: {folder / 'report.html'}")


def _recordings(
    files: tuple[Path, ...],
    dataset: str | None,
    settings: tuple[str, ...],
    registry: Registry,
    place: Workplace,
) -> Recordings:
    """Take the files, or the clips of a dataset."""
    from ..components import Dataset
    from ..config import Choice, apply_settings
    from ..corpus import load_corpus
    from ..errors import UsageError
    from ..file_clips import clips_of_files
    from ..studies.zero_shot import Recordings

    if (dataset is None) == (not files):
        raise UsageError("Name files or folders, or a --dataset; one of the two.")
    if dataset is None:
        if settings:
            raise UsageError(f"--set {settings[0]} has nothing to do without --dataset.")
        clips, failures = clips_of_files(files)
        return Recordings(", ".join(map(str, files)), clips, failures)
    chosen: dict[str, Any] = {"dataset": dataset}
    apply_settings(chosen, settings)
    choice = Choice.model_validate(chosen["dataset"])
    found = registry.create(Dataset, "dataset", choice.name, choice.options)
    corpus = load_corpus(found, place.data_root, place.cache)
    return Recordings(corpus.name, corpus.clips, {})


def _reported(leaderboard: Path, dataset: str, kind: str) -> tuple[float, ...]:
    """Numbers reported elsewhere that a kind of study has to place."""
    from ..leaderboard.reported import read_reported

    rows = read_reported(leaderboard / "reported.json")
    return tuple(row.r2 for row in rows if row.study == kind and row.dataset == dataset)
