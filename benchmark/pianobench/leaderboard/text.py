"""Text from results as text: nothing in a name is a formula, a tag, a command or a new cell."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["csv_text", "json_text", "latex_text", "markdown_text", "yaml_text"]

# What a spreadsheet takes for the start of a formula, with the full-width forms it also takes.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]|~$])")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def csv_text(text: str) -> str:
    """Guard a cell of a CSV file: an apostrophe before what a spreadsheet would run.

    Examples
    --------
    >>> csv_text("=1+1"), csv_text("mel")
    ("'=1+1", 'mel')
    """
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def markdown_text(text: str) -> str:
    r"""Show text in Markdown as it is, in one line and in one cell of a table.

    Examples
    --------
    >>> markdown_text("<b>|x_1")
    '&lt;b&gt;\\|x\\_1'
    """
    line = " ".join(text.split())
    entities = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", entities)


def json_text(value: Any) -> str:
    r"""Write JSON without blanks, and without what could end a script that it stands in.

    Examples
    --------
    >>> json_text({"name": "</script>"})
    '{"name":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def latex_text(text: str) -> str:
    r"""Show text in LaTeX as it is, in one line.

    Examples
    --------
    >>> latex_text("a_1 & 50%")
    'a\\_1 \\& 50\\%'
    """
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def yaml_text(text: str) -> str:
    """Quote a YAML scalar.

    Examples
    --------
    >>> yaml_text("a: b")
    '"a: b"'
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    plain = "".join(
        c if c.isprintable() else (f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\U{ord(c):08x}")
        for c in escaped
    )
    return f'"{plain}"'
