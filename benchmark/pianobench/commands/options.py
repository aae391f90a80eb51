"""Options and look-ups that commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..components import Dataset
    from ..config import RunConfig
    from ..plugins import Registry

__all__ = [
    "PATH",
    "component_options",
    "data_option",
    "json_option",
    "open_dataset",
    "open_registry",
    "place_options",
    "plugin_option",
    "run_config",
]

F = TypeVar("F", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)


def plugin_option(command: F) -> F:
    """Add ``--plugin FILE`` to a command."""
    return click.option(
        "--plugin", "plugins", type=PATH, multiple=True, help="Python file holding a plugin."
    )(command)


def data_option(command: F) -> F:
    """Add ``--data-root DIR`` to a command."""
    return click.option(
        "--data-root",
        type=PATH,
        help="Folder holding one folder per dataset [default: $PIANOBENCH_DATA, or the user's].",
    )(command)


def json_option(command: F) -> F:
    """Add ``--json`` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def component_options(*, dataset: str, encoder: str) -> Callable[[F], F]:
    """Add the options that say what is encoded, pooled and fitted; defaults are for the help."""
    options = (
        click.option("--dataset", help=f"Dataset [default: {dataset}]."),
        click.option("--encoder", help=f"Encoder [default: {encoder}]."),
        click.option(
            "--renderer",
            help="What turns MIDI into audio; several with commas [default: the dataset's].",
        ),
        click.option("--layers", help="Such as 9-12, 1,4,9-12, all or last [default: its own]."),
        click.option("--weights", help="pretrained, or random: the same architecture, untrained."),
        click.option(
            "--merge", help="concat, mean or weighted (learned): how layers become one vector."
        ),
        click.option("--pooling", help="Such as mean or mean+std [default: the encoder's]."),
        click.option("--head", help="Head [default: the encoder's]."),
        click.option("--loss", help="mse, ccc, hybrid, huber or rank; --head has to be named."),
        click.option("--weighting", help="raters or equal: what a clip counts in training."),
        click.option("--precision", help="float32, tf32 or bfloat16, of a torch encoder."),
        click.option("--chunk", "chunk_s", type=float, help="Seconds at once [default: its own]."),
        click.option(
            "--overlap", "overlap_s", type=float, help="Seconds chunks share [default: 0]."
        ),
        click.option("--set", "settings", multiple=True, help="Such as head.hidden=64."),
    )

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def place_options(command: F) -> F:
    """Add the options that say where and with how many processes; they change no number."""
    cache = click.option(
        "--cache", type=PATH, help="Renders and features [default: $PIANOBENCH_CACHE]."
    )
    device = click.option("--device", default="cpu", show_default=True)
    jobs = click.option("--jobs", type=click.IntRange(1), help="Processes [default: all cores].")
    return cache(device(jobs(command)))


def run_config(
    asked: dict[str, Any],
    defaults: Mapping[str, str],
    given: dict[str, Any] | None = None,
    source: str = "the command line",
) -> RunConfig:
    """Make a configuration of what was asked for.

    Parameters
    ----------
    asked : dict
        The values of `component_options`, and of other options named like fields of `RunConfig`;
        None for those that were not given.
    defaults : mapping of str to str
        Component by part, where none is asked for.
    given : dict, optional
        A configuration that was read from a file; options override it.
    source : str
        For messages.

    Raises
    ------
    UsageError
        For a setting that does not exist or cannot be used.
    """
    from ..config import RunConfig, apply_settings, read_value, set_option

    settings = asked.pop("settings")
    shorts = {"encoder.weights": asked.pop("weights"), "head.loss": asked.pop("loss")}
    chosen = dict(given or {})
    chosen |= {name: value for name, value in asked.items() if value is not None}
    for part, name in defaults.items():
        chosen.setdefault(part, name)
    apply_settings(chosen, settings)
    for option, value in shorts.items():
        if value is not None:
            short = option.partition(".")[2]
            set_option(chosen, option, read_value(value), f"--{short} {value}")
    return RunConfig.parse(chosen, source)


def open_registry(plugins: tuple[Path, ...]) -> Registry:
    """Load every installed plugin, and the files given."""
    from ..plugins import Registry

    return Registry(plugins)


def open_dataset(registry: Registry, name: str) -> Dataset:
    """Make a dataset with its default options."""
    from ..components import Dataset

    return registry.create(Dataset, "dataset", name)
