"""The command that describes recordings that nobody rated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..options import (
    PATH,
    data_option,
    json_option,
    open_registry,
    place_options,
    plugin_option,
)

if TYPE_CHECKING:
    from ...plugins import Registry
    from ...run import Workplace
    from ...studies.zero_shot import Recordings

__all__ = ["zero_shot"]


@click.command("zero-shot")
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
    from ...model_folder import open_model
    from ...parallel import usable_cores
    from ...places import cache_root
    from ...run import Workplace
    from ...studies.zero_shot import zero_shot as carry_out
    from ...studies.zero_shot_report import keep_zero_shot, zero_shot_text

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
    from ...components import Dataset
    from ...config import Choice, apply_settings
    from ...corpus import load_corpus
    from ...errors import UsageError
    from ...file_clips import clips_of_files
    from ...studies.zero_shot import Recordings

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
    left_out = {entry: each.why for each in corpus.left_out for entry in each.entries}
    return Recordings(corpus.name, corpus.clips, {}, left_out)
