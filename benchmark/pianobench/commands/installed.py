"""What is installed, and whether it keeps its contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import CheckFailedError
from .options import json_option, open_registry, plugin_option

if TYPE_CHECKING:
    from ..components import Component
    from ..plugins import Registered, Registry

__all__ = ["check", "info", "list_"]


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
@plugin_option
def info(name: str, plugins: tuple[Path, ...]) -> None:
    """Show the facts and options of a component."""
    for found in _named(open_registry(plugins), name):
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


@click.command()
@click.argument("name")
@plugin_option
def check(name: str, plugins: tuple[Path, ...]) -> None:
    """Check that a component keeps its contract; exit 1 with what to fix if it does not."""
    from ..testing import check_component

    failed = 0
    for found in _named(open_registry(plugins), name):
        click.secho(f"{found.component.kind} {name}", bold=True)
        for result in check_component(found.component()):
            click.echo(f"  {result}")
            failed += result.passed is False
    if failed:
        raise CheckFailedError(f"{failed} checks of {name!r} failed; each line says what to fix.")


def _named(registry: Registry, name: str) -> list[Registered]:
    from ..errors import UnknownNameError

    found = [r for r in registry.all() if r.component.name == name]
    if not found:
        raise UnknownNameError("component", name, {r.component.name for r in registry.all()})
    return found


def _first_line(component: type[Component]) -> str:
    return (component.__doc__ or "").strip().partition("\n")[0]
