"""The commands. Each reads its options, calls one stage and prints what that returns.

Exit codes: 0 done, 1 a check failed or results disagree, 2 bad usage or input.
"""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .errors import CheckFailedError, PianobenchError, UsageError

if TYPE_CHECKING:
    from .components import Component, Dataset
    from .config import RunConfig
    from .plugins import Registered, Registry

__all__ = ["bench", "main"]

F = TypeVar("F", bound=Callable[..., Any])
FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path)


def main() -> None:
    """Run the command line; deliberate errors become one paragraph on standard error."""
    try:
        bench.main(standalone_mode=False)
    except PianobenchError as error:
        _fail(str(error), error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("Interrupted. What was rendered and encoded is kept; run it again to go on.", 130)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        where = f" at {error.filename}" if error.filename else ""
        _fail(
            f"Cannot write{where}: {error.strerror}. What was rendered and encoded is kept; free "
            "some space or choose another place with --cache or --results, and run it again.",
            2,
        )


def _fail(message: str, code: int) -> None:
    click.echo(f"bench: {message}", err=True)
    sys.exit(code)


def plugin_option(command: F) -> F:
    """Add ``--plugin FILE`` to a command."""
    return click.option(
        "--plugin", "plugins", type=FILE, multiple=True, help="Python file holding a plugin."
    )(command)


def data_option(command: F) -> F:
    """Add ``--data-root DIR`` to a command."""
    return click.option(
        "--data-root",
        type=FOLDER,
        help="Folder holding one folder per dataset [default: $PIANOBENCH_DATA, or the user's].",
    )(command)


def json_option(command: F) -> F:
    """Add ``--json`` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pianobench")
def bench() -> None:
    """Say how well a music encoder and a head judge piano performance."""


@bench.command("list")
@plugin_option
@json_option
def list_(plugins: tuple[Path, ...], as_json: bool) -> None:
    """List every dataset, renderer, encoder, pooling and head."""
    registry = _registry(plugins)
    if as_json:
        rows = [
            {"kind": r.component.kind, "name": r.component.name, "origin": r.origin}
            for r in registry.all()
        ]
        failed = [{"name": b.name, "origin": b.origin, "reason": b.reason} for b in registry.broken]
        click.echo(json.dumps({"components": rows, "broken": failed}, indent=1))
        return
    kind = ""
    for found in registry.all():
        if found.component.kind != kind:
            kind = found.component.kind
            click.secho(f"{kind}s", bold=True)
        click.echo(f"  {found.component.name:<14} {_first_line(found.component)}  [{found.origin}]")
    for broken in registry.broken:
        click.echo(
            f"warning: the plugin {broken.name} of {broken.origin} cannot be loaded: "
            f"{broken.reason}",
            err=True,
        )


@bench.command()
@click.argument("name")
@plugin_option
def info(name: str, plugins: tuple[Path, ...]) -> None:
    """Show the facts and options of a component."""
    for found in _named(_registry(plugins), name):
        component = found.component
        click.secho(f"{component.kind} {component.name}", bold=True, nl=False)
        click.echo(f"  [{found.origin}]\n{(component.__doc__ or '').strip()}")
        click.echo(f"licence: {component.licence}")
        if component.citation:
            click.echo(f"cite: {component.citation}")
        for option, field in component.model_fields.items():
            click.echo(
                f"  --set {component.kind}.{option}={field.get_default()!r}  "
                f"{field.description or ''}"
            )


@bench.command()
@click.argument("name")
@plugin_option
def check(name: str, plugins: tuple[Path, ...]) -> None:
    """Check that a component keeps its contract; exit 1 with what to fix if it does not."""
    from .testing import check_component

    failed = 0
    for found in _named(_registry(plugins), name):
        click.secho(f"{found.component.kind} {name}", bold=True)
        for result in check_component(found.component()):
            click.echo(f"  {result}")
            failed += result.passed is False
    if failed:
        raise CheckFailedError(f"{failed} checks of {name!r} failed; each line says what to fix.")


@bench.command()
@click.argument("dataset")
@plugin_option
@data_option
def fetch(dataset: str, plugins: tuple[Path, ...], data_root: Path | None) -> None:
    """Download a dataset, checking every file; run it again to resume."""
    from .corpus import dataset_folder
    from .fetch import fetch as download

    found = _dataset(_registry(plugins), dataset)
    folder = dataset_folder(found, data_root)
    if found.generated:
        click.echo(f"{dataset} is made on the fly; there is nothing to download.")
        return
    click.echo(found.notice, err=True)
    download(found, folder)
    click.echo(f"{dataset} is complete in {folder}")


@bench.command()
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
    from .audit import audit as audit_split
    from .corpus import load_corpus
    from .describe import describe
    from .fold_files import read_folds
    from .split import PROTOCOLS, load_split

    found = _dataset(_registry(plugins), dataset)
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


@bench.command()
@click.option("--config", type=FILE, help="TOML file of these settings; flags override it.")
@click.option("--dataset", help="Dataset [default: percepiano; demo if nothing is asked for].")
@click.option("--encoder", help="Encoder [default: mel].")
@click.option("--renderer", help="What turns MIDI into audio [default: the dataset's].")
@click.option("--layers", help="Such as 9-12, 1,4,9-12, all or last [default: the encoder's].")
@click.option("--merge", help="concat or mean: how layers become one vector.")
@click.option("--pooling", help="Such as mean or mean+std [default: the encoder's].")
@click.option("--head", help="Head [default: the encoder's].")
@click.option("--protocols", help="Comma-separated [default: piece,unseen,work; slow heads: piece]")
@click.option("--seeds", type=click.IntRange(1), help="Number of seeds, averaged.")
@click.option("--selection", help="nested, or test-fold as in the study (never ranked).")
@click.option(
    "--optimism",
    is_flag=True,
    default=None,
    help="Also report what stopping on the scored fold would have claimed.",
)
@click.option("--set", "settings", multiple=True, help="part.option=value, such as head.hidden=64.")
@click.option("--results", type=FOLDER, default=Path("results"), show_default=True)
@click.option("--cache", type=FOLDER, help="Renders and features [default: $PIANOBENCH_CACHE].")
@click.option("--device", default="cpu", show_default=True)
@click.option("--jobs", type=click.IntRange(1), help="Processes [default: all cores].")
@plugin_option
@data_option
@json_option
def run(
    plugins: tuple[Path, ...],
    data_root: Path | None,
    results: Path,
    cache: Path | None,
    device: str,
    jobs: int | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Evaluate an encoder and a head, and show where they stand.

    Without options: the demo corpus, rendered by tone, the mel encoder and ridge.
    """
    from .baseline import missing_baseline
    from .corpus import load_corpus
    from .leaderboard import read_rows, terminal_table
    from .parallel import usable_cores
    from .places import cache_root
    from .run import Workplace, plan_run
    from .run import run as carry_out

    registry = _registry(plugins)
    plan = plan_run(_config(asked), registry)
    place = Workplace(results, cache or cache_root(), data_root, device, jobs or usable_cores())
    result, folder = carry_out(plan, registry, place)
    if as_json:
        click.echo(json.dumps(result.model_dump(mode="json"), indent=1))
        return
    corpus = load_corpus(plan.dataset, data_root)
    baseline = missing_baseline(plan, corpus, read_rows(results), registry)
    if baseline is not None:
        click.echo("running the baseline every table holds: midi-stats, kernel-ridge", err=True)
        carry_out(baseline, registry, place)
    rows = [row for row in read_rows(results) if row.data_digest == result.data.digest]
    click.echo(f"\nLeaderboard of {corpus.name} ({len(corpus.clips)} clips) in {results}\n")
    click.echo(terminal_table(rows))
    for protocol, record in result.protocols.items():
        for flag in record.flags:
            click.echo(f"{protocol}: {flag}")
        if record.optimism is not None:
            honest, claimed = record.scores.metrics["r2"], record.optimism.r2
            click.echo(
                f"{protocol}: stopping on the scored fold would have claimed {claimed:.3f}, "
                f"{claimed - honest:+.3f} to the honest {honest:.3f}"
            )
    click.echo(f"\nThis run: {folder}")


@bench.command()
@click.argument("result", type=FOLDER)
@plugin_option
@data_option
def rescore(result: Path, plugins: tuple[Path, ...], data_root: Path | None) -> None:
    """Recompute every number of a stored result from its predictions; exit 1 if one disagrees."""
    _rescore(result, _registry(plugins), data_root)
    click.echo(f"{result}: every number agrees with the predictions.")


@bench.command()
@click.argument("result", type=FOLDER)
@click.option("--leaderboard", type=FOLDER, default=Path("leaderboard"), show_default=True)
@plugin_option
@data_option
def submit(
    result: Path, leaderboard: Path, plugins: tuple[Path, ...], data_root: Path | None
) -> None:
    """Rescore a result and copy it into the leaderboard's folder."""
    import shutil

    from .result import writing

    _rescore(result, _registry(plugins), data_root)
    with writing(leaderboard / "results", result.resolve().name) as folder:
        shutil.copytree(result, folder, dirs_exist_ok=True)
    click.echo(
        f"Copied to {leaderboard / 'results' / result.resolve().name}. Run `bench "
        "leaderboard` and commit both."
    )


@bench.command()
@click.option("--leaderboard", type=FOLDER, default=Path("leaderboard"), show_default=True)
def leaderboard(leaderboard: Path) -> None:
    """Write the leaderboard's README.md and CSV from its stored results."""
    from .leaderboard import write_leaderboard

    for path in write_leaderboard(leaderboard):
        click.echo(path)


@bench.command()
@click.argument("picture", type=FILE)
@click.option("--results", type=FOLDER, default=Path("leaderboard/results"), show_default=True)
@click.option("--dataset", default="percepiano", show_default=True)
def plot(picture: Path, results: Path, dataset: str) -> None:
    """Draw the rows of a dataset with their intervals into PICTURE (.svg, .png or .pdf)."""
    from .forest import draw_forest
    from .leaderboard import RANKING, estimates_of, read_rows

    rows = [row for row in read_rows(results) if row.dataset == dataset]
    axis = f"R2 on {RANKING}, 95% jackknife-t interval over passages"
    draw_forest(picture, estimates_of(rows), axis, dataset)
    click.echo(picture)


def _registry(plugins: tuple[Path, ...]) -> Registry:
    from .plugins import Registry

    return Registry(plugins)


def _named(registry: Registry, name: str) -> list[Registered]:
    from .errors import UnknownNameError

    found = [r for r in registry.all() if r.component.name == name]
    if not found:
        raise UnknownNameError("component", name, {r.component.name for r in registry.all()})
    return found


def _dataset(registry: Registry, name: str) -> Dataset:
    from .components import Dataset

    return registry.create(Dataset, "dataset", name)


def _first_line(component: type[Component]) -> str:
    return (component.__doc__ or "").strip().partition("\n")[0]


def _config(asked: dict[str, Any]) -> RunConfig:
    from .config import RunConfig, apply_settings, read_config

    path, settings = asked.pop("config"), asked.pop("settings")
    given = {} if path is None else read_config(path)
    given |= {name: value for name, value in asked.items() if value is not None}
    if asked["protocols"] is not None:
        given["protocols"] = tuple(p.strip() for p in asked["protocols"].split(","))
    if asked["seeds"] is not None:
        given["seeds"] = tuple(range(asked["seeds"]))
    given.setdefault("dataset", "percepiano" if given or settings else "demo")
    given.setdefault("encoder", "mel")
    apply_settings(given, settings)
    return RunConfig.parse(given, str(path or "the command line"))


def _rescore(result: Path, registry: Registry, data_root: Path | None) -> None:
    from .components import Dataset
    from .corpus import load_corpus
    from .rescore import rescore
    from .result import read_result

    stored = read_result(result)
    choice = stored.config.dataset
    dataset = registry.create(Dataset, "dataset", choice.name, choice.options)
    disagreements = rescore(result, stored, dataset, load_corpus(dataset, data_root))
    for line in disagreements:
        click.echo(line)
    if disagreements:
        raise CheckFailedError(f"{result}: {len(disagreements)} disagreements, listed above.")
