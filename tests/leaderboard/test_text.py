"""Hostile text stays text, in every file that is written."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest

from pianobench.leaderboard import Board, leaderboard_files, read_board
from pianobench.leaderboard.text import csv_text, latex_text, markdown_text, yaml_text

HOSTILE = [
    "<script>alert(1)</script>",
    '=HYPERLINK("http://evil","x")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "  =1+1",
    "\r\n=1",
    "a|b\n| c | d |",
    "[x](javascript:alert(1))",
    "![x](y)",
    "`code` *b* _i_ ~s~ $m$",
    "</script><img src=x onerror=alert(1)>",
    r"\input{/etc/passwd} % & # ^ ~ {",
    "\u2028line\u2029",
    "\x1b[31mred\x07",
]


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def board(published: Any) -> Board:
    return read_board(published.folder, jobs=1)


def poisoned(board: Board, text: str) -> Board:
    """The board with the text wherever a plugin or a result may put one."""
    (dataset,) = board.datasets
    rows = []
    for row in dataset.rows:
        encoder = row.encoder.model_copy(update={"name": text, "pretraining": text})
        head = row.head.model_copy(update={"name": text})
        scores = {p: s.model_copy(update={"flags": (text,)}) for p, s in row.scores.items()}
        changed = {"encoder": encoder, "head": head, "scores": scores, "options": (text,)}
        rows.append(row.model_copy(update=changed | {"input": text, "layers": text}))
    given = board.reported[0].model_copy(update={"row": text, "source": text, "caveat": text})
    version = {"rows": tuple(rows), "licence": text}
    return board.model_copy(
        update={"datasets": (dataset.model_copy(update=version),), "reported": (given,)}
    )


def test_no_tag_and_no_cell_break_reaches_the_page(board: Board, hostile: str) -> None:
    plain = leaderboard_files(board)["README.md"]
    page = leaderboard_files(poisoned(board, hostile))["README.md"]
    for tag in ("<script", "<img", "</script"):
        assert tag not in page
    assert not re.search(r"(?<!\\)\]\(javascript|(?<!\\)\[x", page)
    assert len(page.splitlines()) == len(plain.splitlines())
    tables = [line for line in page.splitlines() if line.startswith("|")]
    columns = {line.replace("\\|", "").count("|") for line in tables}
    # The rows, and the numbers reported elsewhere.
    assert len(columns) == 2


def test_what_is_rendered_is_the_text(board: Board, hostile: str) -> None:
    markdown_it = pytest.importorskip("markdown_it")
    page = leaderboard_files(poisoned(board, hostile))["README.md"]
    parser = markdown_it.MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(page)
    children = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in [*tokens, *children]}
    assert not {"html_block", "html_inline", "image", "fence"} & kinds
    targets = {child.attrGet("href") for child in children if child.type == "link_open"}
    assert all(str(target).startswith(("results/", "../docs/")) for target in targets)
    shown = " ".join(hostile.split())
    cells = [token.content for token in tokens if token.type == "inline"]
    rendered = {
        "".join(child.content for child in parser.parseInline(cell)[0].children) for cell in cells
    }
    assert shown in rendered


def test_no_cell_of_the_csv_begins_as_a_formula(board: Board, hostile: str) -> None:
    files = leaderboard_files(poisoned(board, hostile))
    (table,) = [text for name, text in files.items() if name.endswith(".csv")]
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert len(rows) == 2
    for row in rows:
        for name in ("encoder", "head", "input", "options", "flags"):
            assert not row[name].lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
            assert hostile.replace("\r\n", "\n") in row[name].replace("\r\n", "\n")


def test_json_gives_the_text_back_and_holds_no_tag(board: Board, hostile: str) -> None:
    text = leaderboard_files(poisoned(board, hostile))["board.json"]
    assert not {"<", ">", "&", "\u2028", "\u2029"} & set(text)
    row = json.loads(text)["datasets"][0]["rows"][0]
    assert row["encoder"]["name"] == row["head"]["name"] == hostile


def test_yaml_gives_the_text_back(hostile: str) -> None:
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(f"name: {yaml_text(hostile)}") == {"name": hostile}


def test_the_model_index_is_what_a_card_holds(board: Board) -> None:
    yaml = pytest.importorskip("yaml")
    index = yaml.safe_load(leaderboard_files(board)["model-index.yaml"])["model-index"]
    (best, _) = board.datasets[0].rows
    assert index[0]["name"] == best.name
    result = index[0]["results"][0]
    assert result["dataset"]["type"] == "demo"
    assert result["metrics"][0]["type"] == "r2"
    assert result["metrics"][0]["value"] == pytest.approx(best.scores["piece"].r2, abs=1e-6)


def test_latex_runs_no_command_of_the_text(board: Board, hostile: str) -> None:
    files = leaderboard_files(poisoned(board, hostile))
    (table,) = [text for name, text in files.items() if name.endswith(".tex")]
    assert r"\input" not in table
    rows = [line for line in table.splitlines() if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in rows} == {len(rows[0].split("&")) - 1}


def test_ordinary_names_are_left_as_they_are() -> None:
    for name in ("midi-stats", "hf:org/model", "fluidsynth fluid-grand", "mean+std"):
        assert markdown_text(name) == csv_text(name) == latex_text(name) == name
