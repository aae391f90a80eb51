"""Getting a dataset, and looking at what it shares with itself."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..errors import CheckFailedError, UsageError
from .options import data_option, json_option, open_dataset, open_registry, plugin_option

__all__ = ["audit", "fetch"]


@click.command()
@click.argument("dataset")
@plugin_option
@data_option
def fetch(dataset: str, plugins: tuple[Path, ...], data_root: Path | None) -> None:
    """Download a dataset, checking every file; run it again to resume."""
    from ..corpus import dataset_folder
    from ..fetch import fetch as download

    found = open_dataset(open_registry(plugins), dataset)
    folder = dataset_folder(found, data_root)
    if found.generated:
        click.echo(f"{dataset} is made on the fly; there is nothing to download.")
        return
    click.echo(found.notice, err=True)
    download(found, folder)
    click.echo(f"{dataset} is complete in {folder}")


@click.command()
@click.argument("dataset")
@click.argument("folds", required=False)
@plugin_option
@data_option
@json_option
def audit(
    dataset: str,
    folds: str | None,
    plugins: tuple[Path, ...],
    data_root: Path | None,
    as_json: bool,
) -> None:
    """Describe a dataset, or say what leaks across FOLDS.

    FOLDS is a protocol (piece, excerpt, ...) or a file: JSON list of {train, val}, JSON object
    {fold: [clips]}, or CSV with the columns clip and fold. Exit 1 when test and training share
    an excerpt, a passage, a take or identical clips.
    """
    from ..audit import audit as audit_split
    from ..corpus import load_corpus
    from ..describe import describe
    from ..fold_files import read_folds
    from ..split import PROTOCOLS, load_split

    found = open_dataset(open_registry(plugins), dataset)
    corpus = load_corpus(found, data_root)
    if folds is None:
        description = describe(corpus)
        click.echo(json.dumps(description.as_json(), indent=1) if as_json else description.text())
        return
    if folds not in PROTOCOLS and not Path(folds).exists():
        raise UsageError(
            f"{folds!r} is neither a file nor a protocol ({', '.join(PROTOCOLS)}). Name one."
        )
    if folds in PROTOCOLS:
        split = load_split(corpus, folds, found)
    else:
        split = read_folds(Path(folds), corpus)
    report = audit_split(corpus, split)
    click.echo(json.dumps(report.as_json(), indent=1) if as_json else report.text())
    if not report.ok:
        raise CheckFailedError(f"{folds} leaks: see the lines marked above.")
