"""A grid of runs: settings that all share, and lists of those that vary.

A grid is a TOML file of run settings, as ``bench run --config`` takes them, with a table ``vary``
of lists::

    about = "Which layers of MuQ are worth reading?"
    encoder = "muq"
    head = "mlp"

    [vary]
    layers = ["1-4", "5-8", "9-12", "1-12"]
    "head.loss" = ["mse", "ccc"]

A name with a dot is the option of a component. Every combination is a cell, the first list varying
slowest. Making cells is pure: no component is made and nothing is read.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from .config import PARTS, Choice, RunConfig, read_config, set_option
from .errors import UnknownNameError, UsageError

__all__ = ["Cell", "Grid", "find_grid", "read_grid", "ready_grids"]

# Cells of one grid are compared, which needs the same clips and folds.
_SHARED = ("dataset", "protocols", "selection", "optimism")
DEFAULT_PROTOCOLS = ("piece",)


@dataclass(frozen=True)
class Cell:
    """One combination.

    Attributes
    ----------
    config : RunConfig
        With what the components fill in still open.
    varied : mapping of str to str
        The settings that vary, in words.
    """

    config: RunConfig
    varied: Mapping[str, str]

    def __str__(self) -> str:
        return ", ".join(f"{name}={words}" for name, words in self.varied.items())


@dataclass(frozen=True)
class Grid:
    """Settings that all cells share, and lists of those that vary.

    Attributes
    ----------
    name : str
    fixed : mapping of str to object
        By setting, such as ``encoder`` or ``head.loss``.
    vary : mapping of str to sequence
    about : str
        The question it answers.
    source : str
        Where it came from, for messages.
    """

    name: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    vary: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    about: str = ""
    source: str = "the command line"

    def with_settings(self, asked: Mapping[str, Sequence[Any]]) -> Grid:
        """Replace settings: those with one value are shared by all cells, others vary."""
        fixed = {name: value for name, value in self.fixed.items() if name not in asked}
        vary = {name: values for name, values in self.vary.items() if name not in asked}
        for name, values in asked.items():
            if len(values) == 1:
                fixed[name] = values[0]
            else:
                vary[name] = tuple(values)
        return Grid(self.name, fixed, vary, self.about, self.source)

    def cells(self) -> list[Cell]:
        """Make every combination.

        Raises
        ------
        UnknownNameError
            For a setting that a run does not have.
        UsageError
            If the grid is empty, varies what all cells have to share, or holds a value that
            cannot be used.
        """
        self._check()
        made = []
        for values in itertools.product(*self.vary.values()):
            varied = dict(zip(self.vary, values, strict=True))
            made.append(Cell(self._config(varied), {n: _words(v) for n, v in varied.items()}))
        return made

    def _check(self) -> None:
        if not self.vary:
            raise UsageError(
                f"The grid of {self.source} is empty: nothing varies. List at least two values of "
                "a setting, such as --layers 1-4 --layers 5-8; `bench run` does a single one."
            )
        for name, values in self.vary.items():
            if not isinstance(values, list | tuple) or not values:
                raise UsageError(
                    f"The grid of {self.source} is empty: {name} varies over {values!r}. List at "
                    "least one value."
                )
            if len({json.dumps(value, sort_keys=True) for value in values}) < len(values):
                raise UsageError(f"The grid of {self.source} lists a value of {name} twice.")
            if name.partition(".")[0] in _SHARED:
                raise UsageError(
                    f"The grid of {self.source} varies {name}. Cells are compared on the same "
                    f"clips and folds: give one {name} for all, and sweep again for another."
                )

    def _config(self, varied: Mapping[str, Any]) -> RunConfig:
        settings = {"dataset": "percepiano", "protocols": DEFAULT_PROTOCOLS, **self.fixed, **varied}
        given = {name: value for name, value in settings.items() if "." not in name}
        if "encoder" not in given:
            raise UsageError(f"The grid of {self.source} names no encoder: add --encoder.")
        given |= {part: _as_choice(given[part]) for part in PARTS if part in given}
        for name, value in settings.items():
            if "." in name:
                set_option(given, name, value, self.source)
        return RunConfig.parse(given, self.source)


def read_grid(path: Path) -> Grid:
    """Read a grid from a TOML file.

    Raises
    ------
    UsageError
        If it is absent, not TOML, or its ``vary`` is no table.
    """
    given = read_config(path)
    vary = given.pop("vary", {})
    if not isinstance(vary, dict):
        raise UsageError(f"{path} gives vary as {vary!r}; it must be a table of lists, [vary].")
    about = str(given.pop("about", ""))
    return Grid(path.stem, given, vary, about, str(path))


def ready_grids() -> dict[str, Path]:
    """Find the grids that come with the harness, by name."""
    folder = Path(str(files("pianobench"))) / "grids"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_grid(name: str) -> Grid:
    """Read a grid by its name, or from a file.

    Raises
    ------
    UnknownNameError
        If it is neither.
    UsageError
        As `read_grid`.
    """
    if name.endswith(".toml"):
        return read_grid(Path(name))
    ready = ready_grids()
    if name not in ready:
        raise UnknownNameError("ready grid", name, ready)
    return read_grid(ready[name])


def _as_choice(value: Any) -> Any:
    """Copy what names a component, so that options of one cell do not reach another."""
    return dict(value) if isinstance(value, Mapping) else value


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        choice = Choice.model_validate(value)
        options = (f"{name}={_words(option)}" for name, option in choice.options.items())
        return " ".join([choice.name, *options])
    return value if isinstance(value, str) else json.dumps(value)
