"""A report that opens in any browser: one file of text, tables and pictures, nothing beside it.

What enters is a title and blocks in order; what leaves is an HTML file without scripts, fonts or
images of its own, light or dark as the reader's system is. All that is text is escaped; equal
blocks give equal bytes.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from xml.etree import ElementTree

from ..errors import ResultError, UsageError

__all__ = ["Block", "Cell", "Link", "Picture", "Sound", "Table", "Text", "write_report"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --paper: #fff; --line: #d5d9e0; --link: #1f5fa8 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ec; --paper: #16191f; --line: #3a404b; --link: #8ab8f0 } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
p { max-width: 42rem }
a { color: var(--link) }
.wide { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
caption, figcaption { text-align: left; padding: .4rem 0; font-weight: 600 }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top }
th:first-child, td:first-child { text-align: left }
figure { margin: 1rem 0 }
/* Pictures are drawn on white. */
figure svg { background: #fff; max-width: 100%; height: auto }
"""
_SCHEME = re.compile(r"^\s*([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_PAGE_SCHEMES = {"http", "https"}


@dataclass(frozen=True, slots=True)
class Link:
    """A cell that leads somewhere: a path relative to the report, or an address of the web."""

    text: str
    target: str


@dataclass(frozen=True, slots=True)
class Sound:
    """A cell that can be listened to: a path relative to the report, or an address of the web."""

    text: str
    target: str


Cell = str | Link | Sound
"""What a table holds; numbers are written as the reader is to see them."""


@dataclass(frozen=True, slots=True)
class Text:
    """Paragraphs, a blank line between them, below a heading if there is one."""

    body: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells below their heads; the first column is aligned left, the others right."""

    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG file, such as `pianobench.picture` writes; it is copied into the report.

    `caption` also says what is seen to those who do not see it.
    """

    path: Path
    caption: str


Block = Text | Table | Picture


def write_report(path: Path, title: str, blocks: Sequence[Block]) -> None:
    """Write a report; its folder is made if absent.

    Parameters
    ----------
    path : Path
        Ends in .html.
    title : str
    blocks : sequence of Text, Table or Picture

    Raises
    ------
    UsageError
        If a row has more or fewer cells than there are heads, a link is neither a path nor an
        address of the web, or a picture is no SVG or holds a script.
    ResultError
        If it cannot be written.
    """
    body = "\n".join(_html(block) for block in blocks)
    text = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )
    # Written beside its place, so that a kill leaves no half of a report.
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ResultError(
            f"Cannot write the report {path}: {error.strerror}. Name another folder with --out."
        ) from error


def _html(block: Block) -> str:
    if isinstance(block, Text):
        heading = f"<h2>{escape(block.heading)}</h2>\n" if block.heading else ""
        paragraphs = filter(None, (part.strip() for part in re.split(r"\n\s*\n", block.body)))
        return heading + "\n".join(f"<p>{escape(part)}</p>" for part in paragraphs)
    if isinstance(block, Table):
        return _table(block)
    return (
        f'<figure role="img" aria-label="{escape(block.caption)}">\n{_svg(block.path)}\n'
        f"<figcaption>{escape(block.caption)}</figcaption>\n</figure>"
    )


def _table(table: Table) -> str:
    for row in table.rows:
        if len(row) != len(table.heads):
            raise UsageError(
                f"The table {table.caption!r} has {len(table.heads)} columns, and a row of "
                f"{len(row)} cells: {list(row)}. Give a cell for every column."
            )
    caption = f"<caption>{escape(table.caption)}</caption>\n" if table.caption else ""
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in table.heads)
    rows = "\n".join(
        f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in table.rows
    )
    return (
        f'<div class="wide"><table>\n{caption}<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table></div>"
    )


def _cell(cell: Cell) -> str:
    if isinstance(cell, str):
        return escape(cell)
    scheme = _SCHEME.match(cell.target)
    if scheme and scheme[1].lower() not in _PAGE_SCHEMES:
        raise UsageError(
            f"The link {cell.target!r} of {cell.text!r} is neither a path nor an address that "
            "begins with http: or https:. Give one of these."
        )
    if isinstance(cell, Sound):
        # Nothing is loaded before it is played: a report may hold a hundred.
        sound = f'<audio controls preload="none" src="{escape(cell.target)}"></audio>'
        return f"{escape(cell.text)}<br>{sound}"
    return f'<a href="{escape(cell.target)}">{escape(cell.text)}</a>'


def _svg(path: Path) -> str:
    """Read a picture without its XML declaration, which has no place within a page."""
    try:
        text = path.read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)  # noqa: S314 - a study's own picture
    except OSError as error:
        raise ResultError(f"Cannot read the picture {path}: {error.strerror}.") from error
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        raise UsageError(f"The picture {path} is no SVG: {error}. Draw it as .svg.") from error
    if root.tag.rpartition("}")[2] != "svg":
        raise UsageError(f"The picture {path} is no SVG: its root is {root.tag!r}.")
    for element in root.iter():
        acts = [name for name in element.attrib if name.lower().startswith("on")]
        if acts or element.tag.rpartition("}")[2].lower() in ("script", "foreignobject"):
            raise UsageError(
                f"The picture {path} holds {acts[0] if acts else element.tag!r}, and nothing runs "
                "in a report. Draw it without."
            )
    return text[text.index("<svg") :].strip()
