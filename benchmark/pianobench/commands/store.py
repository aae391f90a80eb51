"""The cache of features and frames: what is in it, whether it is right, and deleting it."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import CheckFailedError, UsageError
from .options import PATH, data_option, json_option, open_dataset, open_registry, plugin_option

if TYPE_CHECKING:
    from ..inventory import StoredNamespace

__all__ = ["store"]

_cache_option = click.option("--cache", type=PATH, help="[default: $PIANOBENCH_CACHE]")


@click.group(invoke_without_command=True)
@_cache_option
@json_option
@click.pass_context
def store(context: click.Context, cache: Path | None, as_json: bool) -> None:
    """List the stored features and frames; verify a sample of the features, or clear them."""
    context.obj = cache
    if context.invoked_subcommand is not None:
        return
    from ..inventory import inventory_text, list_namespaces, size_bytes, size_text

    root = _features(cache)
    namespaces, frames = list_namespaces(root), list_namespaces(_frames(cache))
    renders = size_bytes(_renders(cache))
    if as_json:
        listed = [namespace.as_json() for namespace in namespaces]
        framed = [namespace.as_json() for namespace in frames]
        shown = {"namespaces": listed, "frames": framed, "renders_bytes": renders}
        click.echo(json.dumps(shown, indent=1))
        return
    if namespaces or frames:
        click.echo(inventory_text([*namespaces, *frames]))
    for what, of, where in (("features", namespaces, root), ("frames", frames, _frames(cache))):
        total = size_text(sum(namespace.size_bytes for namespace in of))
        click.echo(f"{len(of)} namespaces of {what}, {total}, in {where}")
    click.echo(f"renders, {size_text(renders)}, in {_renders(cache)}")


@store.command()
@click.argument("prefix", default="", metavar="[DIGEST]")
@click.option(
    "--sample", type=click.IntRange(1), default=3, show_default=True, help="Clips of each."
)
@click.option("--dataset", help="Where recordings and notes are looked for.")
@click.option("--device", default="cpu", show_default=True)
@_cache_option
@plugin_option
@data_option
@json_option
@click.pass_obj
def verify(
    given: Path | None,
    prefix: str,
    sample: int,
    dataset: str | None,
    device: str,
    cache: Path | None,
    plugins: tuple[Path, ...],
    data_root: Path | None,
    as_json: bool,
) -> None:
    """Encode a sample of stored clips again; exit 1 if the features differ.

    DIGEST is the beginning of a namespace's digest; all namespaces of features without it. Frames,
    which learned poolings read, are not verified.
    """
    from ..corpus import load_corpus
    from ..inventory import find_namespaces, list_namespaces
    from ..reencode import TOLERANCE, reencode

    cache = cache or given
    registry = open_registry(plugins)
    corpus = None if dataset is None else load_corpus(open_dataset(registry, dataset), data_root)
    outcomes = {
        namespace.digest: reencode(namespace, registry, _renders(cache), corpus, sample, device)
        for namespace in find_namespaces(list_namespaces(_features(cache)), prefix)
    }
    if as_json:
        shown = {
            digest: {
                "clips": o.clips,
                "difference": o.difference if isfinite(o.difference) else None,
                "agrees": o.agrees if o.clips else None,
                "reason": o.reason,
            }
            for digest, o in outcomes.items()
        }
        click.echo(json.dumps({"tolerance": TOLERANCE, "namespaces": shown}, indent=1))
    else:
        for digest, outcome in outcomes.items():
            click.echo(f"{digest[:12]}  {outcome.text()}")
    differing = [d[:12] for d, o in outcomes.items() if o.clips and not o.agrees]
    if differing:
        raise CheckFailedError(
            f"{', '.join(differing)} does not hold what encoding gives. Clear it with `bench store "
            f"clear {differing[0]}` and run again."
        )
    if not any(outcome.clips for outcome in outcomes.values()):
        raise UsageError("Nothing could be encoded again; the lines above say why.")


@store.command()
@click.argument("prefix", required=False, metavar="[DIGEST]")
@click.option("--all", "everything", is_flag=True, help="All features and frames.")
@click.option("--renders", is_flag=True, help="All renders.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_cache_option
@click.pass_obj
def clear(
    given: Path | None,
    prefix: str | None,
    everything: bool,
    renders: bool,
    yes: bool,
    cache: Path | None,
) -> None:
    """Delete features, frames or renders; what is deleted is computed anew when it is needed.

    DIGEST is the beginning of a namespace's digest.
    """
    from ..inventory import (
        find_namespaces,
        inventory_text,
        list_namespaces,
        remove,
        size_bytes,
        size_text,
    )

    cache = cache or given
    if not (prefix or everything or renders) or (prefix and everything):
        raise UsageError("Say what to clear: a DIGEST of `bench store`, --all or --renders.")
    namespaces: list[StoredNamespace] = []
    if prefix or everything:
        stored = [*list_namespaces(_features(cache)), *list_namespaces(_frames(cache))]
        namespaces = find_namespaces(stored, prefix) if prefix else stored
    folders = [namespace.folder for namespace in namespaces]
    if namespaces:
        click.echo(inventory_text(namespaces))
    if renders:
        folders.append(_renders(cache))
    size = size_text(sum(size_bytes(folder) for folder in folders))
    if not (yes or click.confirm(f"Delete {size} in {len(folders)} folders?")):
        click.echo("Nothing is deleted.")
        return
    for folder in folders:
        remove(folder)
    click.echo(f"Deleted {size}.")


def _features(cache: Path | None) -> Path:
    from ..encode import feature_root
    from ..places import cache_root

    return feature_root(cache or cache_root())


def _frames(cache: Path | None) -> Path:
    from ..frame_encoding import frame_root
    from ..places import cache_root

    return frame_root(cache or cache_root())


def _renders(cache: Path | None) -> Path:
    from ..places import cache_root

    return (cache or cache_root()) / "renders"
