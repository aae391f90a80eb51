"""Finds plugins and turns names into components.

Entry points of the group ``pianobench`` and files given with ``--plugin`` are loaded one by one,
so a broken one is a line in `bench list` and an error only for the run that asks for what it
might have held. Two components of one kind and name are an error that names both origins.
"""

from __future__ import annotations

import copyreg
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

import pluggy
from pydantic import ValidationError

from . import hookspecs
from .components import Component
from .errors import PluginError, UnknownNameError, UsageError

__all__ = ["BrokenPlugin", "Registered", "Registry"]

GROUP = "pianobench"
C = TypeVar("C", bound=Component)


@dataclass(frozen=True, slots=True)
class Registered:
    """A component class and where it came from (distribution and version, or file)."""

    component: type[Component]
    origin: str


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that could not be loaded, and why."""

    name: str
    origin: str
    reason: str


class Registry:
    """The components of all plugins that could be loaded.

    Parameters
    ----------
    files : iterable of Path
        Single-file plugins, as given with ``--plugin``; a broken one is an error at once,
        since it was asked for.
    entries : iterable of EntryPoint, optional
        Installed plugins; those of the running environment when not given.

    Attributes
    ----------
    broken : tuple of BrokenPlugin
    hook : pluggy hook relay
        Calls the event hooks of every loaded plugin.

    Raises
    ------
    PluginError
        If a file is broken, or two components share a kind and a name.
    """

    def __init__(
        self, files: Iterable[Path] = (), entries: Iterable[EntryPoint] | None = None
    ) -> None:
        self._manager = pluggy.PluginManager(GROUP)
        self._manager.add_hookspecs(hookspecs)
        self._found: dict[tuple[str, str], Registered] = {}
        broken = []
        installed = entry_points(group=GROUP) if entries is None else entries
        for entry in sorted(installed, key=lambda e: (e.name, e.value)):
            origin = _origin(entry)
            try:
                components = self._load(entry.load(), f"{origin}:{entry.name}")
            except Exception as error:  # noqa: BLE001 - a plugin may fail in any way it likes
                broken.append(BrokenPlugin(entry.name, origin, f"{type(error).__name__}: {error}"))
            else:
                self._add(components, origin)
        self.broken = tuple(broken)
        for path in files:
            try:
                components = self._load(_import_file(path), str(path))
            except Exception as error:
                raise PluginError(
                    f"The plugin file {path} cannot be loaded: {type(error).__name__}: {error}. "
                    "It must be importable on its own and define bench_components()."
                ) from error
            for component in components:
                copyreg.pickle(component, partial(_reduce, path.resolve()))
            self._add(components, str(path))
        self.hook = self._manager.hook

    def _load(self, module: ModuleType, label: str) -> list[type[Component]]:
        self._manager.register(module, name=label)
        try:
            self._manager.check_pending()
            components: list[type[Component]] = []
            for implementation in self._manager.hook.bench_components.get_hookimpls():
                if implementation.plugin is module:
                    components.extend(cast("Iterable[type[Component]]", implementation.function()))
            for component in components:
                _check_class(component)
        except Exception:
            self._manager.unregister(module)
            raise
        return components

    def _add(self, components: Iterable[type[Component]], origin: str) -> None:
        for component in components:
            key = (component.kind, component.name)
            if key in self._found:
                raise PluginError(
                    f"Two plugins register the {key[0]} {key[1]!r}: {self._found[key].origin} and "
                    f"{origin}. Uninstall or rename one of them."
                )
            self._found[key] = Registered(component, origin)

    def all(self) -> tuple[Registered, ...]:
        """Every component, by kind and name."""
        return tuple(self._found[key] for key in sorted(self._found))

    def find(self, kind: str, name: str) -> Registered:
        """Look up one component class; an argument after a colon plays no part.

        Raises
        ------
        UnknownNameError
            If nobody registered it: with the nearest name, and any plugin that failed to load.
        """
        name = name.partition(":")[0]
        if (kind, name) in self._found:
            return self._found[kind, name]
        known = [n for k, n in self._found if k == kind]
        error = UnknownNameError(kind, name, known)
        if self.broken:
            failed = "; ".join(f"{b.name} ({b.origin}): {b.reason}" for b in self.broken)
            error.args = (f"{error} Plugins that could not be loaded: {failed}.",)
        raise error

    def create(
        self, expected: type[C], kind: str, name: str, options: Mapping[str, Any] | None = None
    ) -> C:
        """Make a component from its name and options.

        Parameters
        ----------
        expected : type
            The contract it must fulfil.
        kind : str
        name : str
            Text after a colon sets the option that the component calls its argument.
        options : mapping, optional

        Raises
        ------
        UnknownNameError
            For an unknown name or option.
        UsageError
            For a value that an option does not take.
        PluginError
            If what is registered under that kind does not fulfil its contract.
        """
        found = self.find(kind, name)
        if not issubclass(found.component, expected):
            raise PluginError(
                f"{found.component.__name__} of {found.origin} is registered as {kind} {name!r} "
                f"but is no {expected.__name__}."
            )
        options = dict(options or {}) | _argument(found.component, name)
        unknown = sorted(set(options) - set(found.component.model_fields))
        if unknown:
            raise UnknownNameError(
                f"option of {kind} {name!r}", unknown[0], found.component.model_fields
            )
        try:
            return found.component(**options)
        except ValidationError as error:
            first = error.errors()[0]
            option = ".".join(str(part) for part in first["loc"])
            if first["type"] == "missing":
                named = option == found.component.argument
                how = f"{name}:{option.upper()}" if named else f"--set {kind}.{option}=..."
                raise UsageError(
                    f"The {kind} {name!r} needs its {option}: give it with {how}. See `bench info "
                    f"{name}`."
                ) from error
            raise UsageError(
                f"The {kind} {name!r} does not take {kind}.{option}={first['input']!r}: "
                f"{first['msg']}. See `bench info {name}`."
            ) from error


def _argument(component: type[Component], name: str) -> dict[str, str]:
    base, colon, argument = name.partition(":")
    if not colon:
        return {}
    if not component.argument:
        raise UsageError(
            f"The {component.kind} {base!r} takes no text after a colon; {argument!r} was given."
        )
    if not argument:
        raise UsageError(
            f"The {component.kind} {name!r} lacks its {component.argument} after the colon."
        )
    return {component.argument: argument}


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    name = _module_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Worker processes unpickle the component by its module's name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _reduce(path: Path, component: Component) -> tuple[Any, ...]:
    return _rebuild, (path, type(component).__name__, component.model_dump())


def _rebuild(path: Path, class_name: str, options: dict[str, Any]) -> Component:
    # A worker process knows nothing of --plugin: the file travels with the component.
    module = sys.modules.get(_module_name(path)) or _import_file(path)
    component: Component = getattr(module, class_name)(**options)
    return component


def _module_name(path: Path) -> str:
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    return f"pianobench_plugin_{path.stem}_{place}"


def _check_class(component: object) -> None:
    if not (isinstance(component, type) and issubclass(component, Component)):
        raise PluginError(f"bench_components() returned {component!r}, which is no Component class")
    for fact in ("kind", "name"):
        if not isinstance(getattr(component, fact, None), str):
            raise PluginError(f"{component.__name__} has no {fact}")
