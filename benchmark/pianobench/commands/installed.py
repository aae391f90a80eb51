"""What is installed, and whether it keeps its contract."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import CheckFailedError, PianobenchError, UsageError
from .options import data_option, json_option, open_registry, plugin_option

if TYPE_CHECKING:
    from ..components import Component
    from ..config import Choice
    from ..plugins import Registry

__all__ = ["check", "info", "list_"]

F = TypeVar("F", bound=Callable[..., Any])
_FACTS = {
    "licence": "licence",
    "cite": "citation",
    "trained on": "pretraining",
    "sample rate in Hz": "sample_rate",
    "layers": "layers",
    "instruments": "instruments",
    "ensembles": "ensembles",
}


def _settings_options(command: F) -> F:
    """Add ``--set`` and ``--weights`` to a command."""
    weights = click.option("--weights", help="pretrained, or random: the same model, untrained.")
    settings = click.option("--set", "settings", multiple=True, help="Such as encoder.bands=64.")
    return settings(weights(command))


@click.command("list")
@plugin_option
@json_option
def list_(plugins: tuple[Path, ...], as_json: bool) -> None:
    """List every dataset, renderer, encoder, pooling and head."""
    registry = open_registry(plugins)
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


@click.command()
@click.argument("name")
@_settings_options
@plugin_option
@data_option
def info(
    name: str,
    settings: tuple[str, ...],
    weights: str | None,
    plugins: tuple[Path, ...],
    data_root: Path | None,
) -> None:
    """Show the facts and options of a component: NAME, or NAME:ARGUMENT.

    Of a dataset, also its known issues, what of it is here, what is left out, the takes that it
    shares with others, and how well performances are aligned with their scores.
    """
    from ..components import Dataset
    from .dataset_text import card_lines, corpus_lines

    registry = open_registry(plugins)
    for kind, given in _chosen(registry, name, settings, weights).items():
        found = registry.find(kind, name)
        component = found.component
        click.secho(f"{kind} {component.name}", bold=True, nl=False)
        click.echo(f"  [{found.origin}]\n{(component.__doc__ or '').strip()}")
        for words, fact in _FACTS.items():
            shown = _fact(registry, component, given, fact)
            if shown not in (None, "", (), {}):
                click.echo(f"{words}: {_listed(shown)}")
        if component.argument:
            click.echo(f"  {component.name}:{component.argument.upper()} sets its argument")
        for option, field in component.model_fields.items():
            default = "..." if field.is_required() else repr(field.get_default())
            click.echo(f"  --set {kind}.{option}={default}  {field.description or ''}")
        if kind == "dataset":
            dataset = registry.create(Dataset, kind, given.name, given.options)
            for line in (*card_lines(dataset), *corpus_lines(registry, dataset, data_root)):
                click.echo(line)


@click.command()
@click.argument("name")
@_settings_options
@plugin_option
def check(
    name: str, settings: tuple[str, ...], weights: str | None, plugins: tuple[Path, ...]
) -> None:
    """Check that a component keeps its contract; exit 1 with what to fix if it does not.

    NAME:ARGUMENT checks it with its argument, such as hf:org/model.
    """
    from ..components import Component
    from ..testing import check_component

    registry = open_registry(plugins)
    checks = []
    for kind, given in _chosen(registry, name, settings, weights).items():
        component = registry.create(Component, kind, given.name, given.options)
        click.secho(f"{kind} {name}", bold=True)
        found = check_component(component)
        for one, before in zip(found, [None, *found], strict=False):
            same = before is not None and one.passed is None and one.detail == before.detail
            click.echo(f"  {one.name}: not run, for the same reason" if same else f"  {one}")
        checks += [one.passed for one in found if not one.reported]
    failed = checks.count(False)
    click.echo(f"{checks.count(True)} passed, {failed} failed, {checks.count(None)} not run")
    if failed:
        raise CheckFailedError(f"{failed} checks of {name!r} failed; each line says what to fix.")


def _chosen(
    registry: Registry, name: str, settings: tuple[str, ...], weights: str | None
) -> dict[str, Choice]:
    """Every component of a name, by kind, with the options it is given."""
    from ..config import Choice, apply_settings
    from ..errors import UnknownNameError

    settings += () if weights is None else (f"encoder.weights={weights}",)
    base = name.partition(":")[0]
    names = {r.component.name for r in registry.all()}
    kinds = [r.component.kind for r in registry.all() if r.component.name == base]
    if not kinds:
        raise UnknownNameError("component", base, names)
    for setting in settings:
        if setting.partition(".")[0] not in kinds:
            raise UsageError(
                f"{setting!r} has nothing to do: {base!r} is the name of a component of the kind "
                f"{' and '.join(kinds)}. Leave it out."
            )
    chosen = {}
    for kind in kinds:
        given = {kind: name}
        apply_settings(given, [s for s in settings if s.startswith(f"{kind}.")])
        chosen[kind] = Choice.model_validate(given[kind])
    return chosen


def _fact(registry: Registry, component: type[Component], given: Choice, fact: str) -> object:
    """Find a fact in the class, or in its instance where it depends on the options."""
    stated = getattr(component, fact, None)
    if not isinstance(stated, property):
        return stated
    try:
        made = registry.create(component, component.kind, given.name, given.options)
        return getattr(made, fact)
    except PianobenchError as error:
        return f"not known here. {error}"


def _listed(shown: Any) -> str:
    if isinstance(shown, Mapping):
        return "; ".join(f"{name} ({_listed(several)})" for name, several in shown.items())
    return ", ".join(shown) if isinstance(shown, tuple) else str(shown)


def _first_line(component: type[Component]) -> str:
    return (component.__doc__ or "").strip().partition("\n")[0]
