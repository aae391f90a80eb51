"""The leaderboard: adding a row, showing that it can be reproduced, writing and checking it all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import CheckFailedError, DataError, ResultError, UsageError
from .options import PATH, data_option, open_registry, place_options, plugin_option
from .results import rescore_or_fail

if TYPE_CHECKING:
    from ..components import Dataset
    from ..config import Choice
    from ..leaderboard.check import Checked
    from ..leaderboard.rerun import RerunRecord
    from ..plugins import Registry
    from ..result import Result
    from ..values import Corpus

__all__ = ["leaderboard", "rerun", "submit"]

_leaderboard_option = click.option(
    "--leaderboard", type=PATH, default=Path("leaderboard"), show_default=True
)


@click.command()
@click.argument("result", type=PATH)
@_leaderboard_option
@plugin_option
@data_option
def submit(
    result: Path, leaderboard: Path, plugins: tuple[Path, ...], data_root: Path | None
) -> None:
    """Rescore a result and copy it, with the labels it was scored on, into the leaderboard."""
    from ..leaderboard import write_labels
    from ..result import read_result, result_folder, writing

    registry = open_registry(plugins)
    stored = read_result(result)
    source = result_folder(result)
    final = leaderboard / "results" / stored.name
    if final.exists() and final.resolve() == source.resolve():
        raise UsageError(f"{result} is on the leaderboard already. Name a result that is not.")
    rescore_or_fail(result, registry, data_root)
    dataset, corpus = _loader(registry, data_root)(stored.config.dataset)
    write_labels(leaderboard, corpus, dataset.licence, dataset.citation)
    replaced = final.exists()
    with writing(leaderboard / "results", stored.name) as folder:
        for name in _published(stored):
            if (source / name).is_file():
                shutil.copyfile(source / name, folder / name)
    done = "Replaced" if replaced else "Copied to"
    click.echo(f"{done} {final}. Run `bench leaderboard` and commit {leaderboard} alone.")


def _published(result: Result) -> list[str]:
    """Name what is published of a result; trained networks are hundreds of megabytes."""
    from ..curves import curves_name

    names = ["result.json"]
    for protocol, record in result.protocols.items():
        names += [record.predictions, curves_name(protocol)]
        if record.optimism is not None:
            names.append(record.optimism.predictions)
    return names


@click.command()
@_leaderboard_option
@click.option("--check", is_flag=True, help="Write nothing: compute every row again, and compare.")
@click.option("--jobs", type=click.IntRange(1), help="Processes [default: all cores].")
@plugin_option
@data_option
def leaderboard(
    leaderboard: Path,
    check: bool,
    jobs: int | None,
    plugins: tuple[Path, ...],
    data_root: Path | None,
) -> None:
    """Write the leaderboard's tables from its stored results, or check them all.

    With --check, exit 1 if a file is not what the predictions say, and 2 if rows could not be
    checked because their dataset is not here.
    """
    if check:
        _check(leaderboard, jobs, open_registry(plugins), data_root)
        return
    if plugins or data_root:
        given = "--plugin" if plugins else "--data-root"
        raise UsageError(f"{given} has nothing to do without --check. Leave it out.")
    from ..leaderboard import write_leaderboard

    for path in write_leaderboard(leaderboard, jobs):
        click.echo(path)


def _check(folder: Path, jobs: int | None, registry: Registry, data_root: Path | None) -> None:
    from ..leaderboard.check import check_leaderboard
    from ..parallel import usable_cores

    if not (folder / "results").is_dir():
        raise ResultError(f"There is no leaderboard at {folder}: it has no folder results/.")
    _tell(folder, check_leaderboard(folder, _loader(registry, data_root), jobs or usable_cores()))


def _tell(folder: Path, checked: Checked) -> None:
    for finding in checked.faults:
        click.echo(str(finding))
    for reason, rows in checked.unchecked.items():
        click.echo(
            f"unchecked, since their folds and leaks need the dataset: {', '.join(rows)}. {reason}"
        )
    unchecked = sum(len(rows) for rows in checked.unchecked.values())
    if checked.faults:
        raise CheckFailedError(
            f"{folder}: {len(checked.faults)} files are not what they should be, listed above."
        )
    if unchecked:
        raise DataError(
            f"{folder}: nothing disagrees, but {unchecked} of {checked.rows} rows are unchecked, "
            "listed above: of them only what the labels say was computed again."
        )
    click.echo(f"{folder}: {checked.rows} rows, every number agrees with the predictions.")


@click.command()
@click.argument("result", type=PATH)
@click.option("--results", type=PATH, default=Path("reruns"), show_default=True)
@click.option("--encoder", help="The result's, where it runs code that you trust: hear:MODULE.")
@place_options
@plugin_option
@data_option
def rerun(
    result: Path,
    results: Path,
    encoder: str | None,
    cache: Path | None,
    device: str,
    jobs: int | None,
    plugins: tuple[Path, ...],
    data_root: Path | None,
) -> None:
    """Run a stored result again from its configuration, and keep the record if R2 agrees.

    The record, rerun.json, is written beside the result; exit 1 without one if R2 differs.
    """
    from ..leaderboard.rerun import compare_rerun, faults_of_rerun, write_rerun
    from ..parallel import usable_cores
    from ..places import cache_root
    from ..plan import plan_run
    from ..result import read_result, result_folder
    from ..run import Workplace
    from ..run import run as carry_out
    from ..trusted import require_trusted

    registry = open_registry(plugins)
    stored = read_result(result)
    if stored.config.digest != stored.config_digest:
        raise ResultError(
            f"{result} was changed: its configuration has the digest {stored.config.digest[:8]}, "
            f"and it says {stored.config_digest[:8]}. Take it from where it was published."
        )
    require_trusted(stored.config, registry, str(result), () if encoder is None else (encoder,))
    plan = plan_run(stored.config, registry)
    if plan.config.digest != stored.config_digest:
        raise ResultError(
            f"{result} names a configuration that this pianobench fills in differently (digest "
            f"{plan.config.digest[:8]}, not {stored.config_digest[:8]}): its components have other "
            "options now. Run it with the versions that its components.origin names."
        )
    place = Workplace(results, cache or cache_root(), data_root, device, jobs or usable_cores())
    again, folder = carry_out(plan, registry, place)
    _, corpus = _loader(registry, data_root)(stored.config.dataset)
    record = compare_rerun(result_folder(result), stored, folder, again, corpus)
    click.echo(_agreement(record))
    faults = faults_of_rerun(record, stored)
    if faults:
        raise CheckFailedError(f"{result} was not reproduced: {'; '.join(faults)}.")
    click.echo(f"Wrote {write_rerun(result_folder(result), record)}.")


def _agreement(record: RerunRecord) -> str:
    lines = [
        f"{protocol}: R2 {found.r2:.4f}, again {found.rerun_r2:.4f}; predictions differ "
        f"by {found.largest_difference:.2g} at most, {found.rms_difference:.2g} in root mean square"
        for protocol, found in record.protocols.items()
    ]
    return "\n".join(lines)


def _loader(
    registry: Registry, data_root: Path | None
) -> Callable[[Choice], tuple[Dataset, Corpus]]:
    """Make a function that loads the dataset that a configuration names."""
    from ..components import Dataset
    from ..corpus import load_corpus

    def load(choice: Choice) -> tuple[Dataset, Corpus]:
        dataset = registry.create(Dataset, "dataset", choice.name, choice.options)
        return dataset, load_corpus(dataset, data_root)

    return load
