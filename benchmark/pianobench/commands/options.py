"""Options and look-ups that commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..components import Dataset
    from ..plugins import Registry

__all__ = [
    "PATH",
    "data_option",
    "json_option",
    "open_dataset",
    "open_registry",
    "plugin_option",
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


def open_registry(plugins: tuple[Path, ...]) -> Registry:
    """Load every installed plugin, and the files given."""
    from ..plugins import Registry

    return Registry(plugins)


def open_dataset(registry: Registry, name: str) -> Dataset:
    """Make a dataset with its default options."""
    from ..components import Dataset

    return registry.create(Dataset, "dataset", name)
