"""The page as a file: the same bytes, all that is needed in it, and no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pianobench import leaderboard
from pianobench.leaderboard import Board
from pianobench.leaderboard.page import page

ROOT = Path(__file__).parents[2]
VENDORED = [
    Path(leaderboard.__file__).parent / "static" / "vendored",
    ROOT / "tests" / "vendored",
]


class Page(HTMLParser):
    """Scripts, attributes and text of a page, as a browser without scripts reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        (self.scripts if self._inside == "script" else self.texts).append(data)


@pytest.mark.parametrize("folder", VENDORED, ids=["package", "tests"])
def test_vendored_files_are_as_published_with_their_licences_beside_them(folder: Path) -> None:
    held = json.loads((folder / "vendored.json").read_text())
    files = {each["file"]: each["sha256"] for of in held for each in of["files"]}
    licences = {name for of in held for name in of["licence_files"]}
    assert {path.name for path in folder.iterdir()} == {*files, *licences, "vendored.json"}
    for name, digest in files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert all({"package", "version", "licence"} <= of.keys() for of in held)


def test_the_same_board_gives_the_same_bytes(published_board: Board) -> None:
    again = Board.model_validate_json(published_board.model_dump_json())
    assert page(published_board) == page(again)


def test_the_policy_allows_the_scripts_of_the_page_and_nothing_else(
    published_board: Board,
) -> None:
    read = Page(page(published_board))
    (policy,) = (v for t, n, v in read.attributes if (t, n) == ("meta", "content") and "src" in v)
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    board, *_ = (s for s in read.scripts if s.startswith('{"schema_version"'))
    hashes = {
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in read.scripts
        if script.strip() and script != board
    }
    assert hashes == allowed
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy


def test_the_page_loads_nothing_and_links_to_files_beside_it(published_board: Board) -> None:
    read = Page(page(published_board))
    loaded = [(t, n, v) for t, n, v in read.attributes if n in ("src", "srcset", "data", "action")]
    assert loaded == []
    targets = [value for _, name, value in read.attributes if name == "href"]
    (dataset,) = published_board.datasets
    assert len(targets) > len(dataset.rows)
    for target in targets:
        if target not in ("data:,", "#main"):
            assert (ROOT / "leaderboard" / target).is_file(), target


def test_without_scripts_every_row_is_in_a_table_with_its_interval(
    published_board: Board,
) -> None:
    text = " ".join(Page(page(published_board)).texts)
    (dataset,) = published_board.datasets
    for row in dataset.rows:
        c = row.scores["piece"].c
        assert c is not None
        interval = f"{row.scores['piece'].r2:.3f} [{c.low:.3f}, {c.high:.3f}]"
        assert interval.replace("-", "\N{MINUS SIGN}") in text
    assert all(each.row in text and each.caveat in text for each in published_board.reported)


def test_licences_of_what_is_in_the_page_are_in_the_page(published_board: Board) -> None:
    text = " ".join(Page(page(published_board)).texts)
    for owner in ("Oli Folkerd", "University of Washington", "Mike Bostock"):
        assert owner in text


def test_hostile_text_stays_text(published_board: Board, hostile: Any) -> None:
    plain, read = Page(page(published_board)), Page(page(hostile.board))
    assert len(read.scripts) == len(plain.scripts)
    assert {(tag, name) for tag, name, _ in read.attributes} == {
        (tag, name) for tag, name, _ in plain.attributes
    }
    assert not any(value.startswith("javascript:") for _, _, value in read.attributes)
    text = "".join(read.texts)
    assert all(each in text for each in hostile.texts)
