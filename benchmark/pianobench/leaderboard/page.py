"""A board as one page that opens from disk or any static host, and asks no network for anything.

Scripts, styles and values are in the page. Its policy names each script by its hash: what a result
holds cannot run, even where it were taken for markup. The libraries in ``static/vendored/`` are as
published, with their licences; ``vendored.json`` says which they are.
"""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import Any

from .board import Board
from .page_data import page_data
from .page_tables import badge_facts, plain_tables
from .text import json_text

__all__ = ["page"]

_STATIC = files(__package__) / "static"
_VENDORED = _STATIC / "vendored"
_TEMPLATE = files(__package__) / "templates" / "page.html"

_OWN = ("columns", "text", "standing", "view", "table", "charts", "matrices", "row", "main")
# The table is there before the charts, which are drawn only when they are looked at.
_CHARTS = ("vega.min.js", "vega-lite.min.js", "vega-embed.min.js")


def page(board: Board) -> str:
    """Lay out the page; the same board gives the same text."""
    start = _read(_STATIC / "start.js")
    own = "\n".join(_read(_STATIC / f"{name}.js") for name in _OWN)
    scripts = [
        _read(_VENDORED / "tabulator.min.js"),
        f'(() => {{\n"use strict";\n{own}\n}})();',
        *(_read(_VENDORED / name) for name in _CHARTS),
    ]
    style = _read(_VENDORED / "tabulator_simple.min.css") + "\n" + _read(_STATIC / "page.css")
    return Template(_read(_TEMPLATE)).substitute(
        policy=escape(_policy([start, *scripts])),
        style=style,
        start=start,
        tables=plain_tables(board),
        badges=badge_facts(board),
        downloads=_downloads(board),
        licences=_licences(),
        board=json_text(page_data(board)),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def _policy(scripts: list[str]) -> str:
    """Allow these scripts and no other, no connection, and nothing from elsewhere."""
    hashes = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _downloads(board: Board) -> str:
    names = ["board.json"] + [
        f"{dataset.dataset}-{dataset.version}.csv".replace("/", "_") for dataset in board.datasets
    ]
    return ", ".join(f'<a href="{escape(name)}">{escape(name)}</a>' for name in names)


def _licences() -> str:
    made: list[dict[str, Any]] = json.loads(_read(_VENDORED / "vendored.json"))
    parts = []
    for of in made:
        parts.append(f"<h3>{of['package']} {of['version']} ({of['licence']})</h3>")
        texts = (_read(_VENDORED / name) for name in of["licence_files"])
        parts += [f"<pre>{escape(text.strip())}</pre>" for text in texts]
    return "\n".join(parts)


def _read(file: Traversable) -> str:
    return file.read_text(encoding="utf-8")
