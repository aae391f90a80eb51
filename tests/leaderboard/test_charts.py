"""Charts of a published board: what they hold, that they are stable, and what they refuse."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pianobench.errors import ResultError, UnknownNameError, UsageError
from pianobench.leaderboard import Board, charts
from pianobench.leaderboard.charts import select_rows


@pytest.fixture
def board(published: Any) -> Board:
    pytest.importorskip("matplotlib")
    return charts.read_published(published.folder)


def texts(path: Path) -> set[str]:
    """What an SVG says; matplotlib writes each text as a comment above its outlines."""
    return {found.strip() for found in re.findall(r"<!-- (.*?) -->", path.read_text())}


DRAWN = [charts.draw_heat_map, charts.draw_verdicts, charts.draw_dimensions]


@pytest.mark.parametrize("draw", DRAWN)
def test_a_chart_names_its_rows_and_is_the_same_each_time(
    draw: Any, board: Board, tmp_path: Path
) -> None:
    chosen = select_rows(board, "demo", "piece")
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    draw(first, *chosen)
    draw(second, *chosen)
    assert first.read_bytes() == second.read_bytes()
    said = " ".join(texts(first))
    assert "midi-stats (notes), ridge" in said
    assert "midi-stats (notes), mean" in said
    if draw is not charts.draw_verdicts:
        assert {"pedal_amount", "Pedaling"} <= texts(first)


def test_text_that_looks_like_mathematics_or_markup_is_drawn_as_it_is(
    board: Board, tmp_path: Path
) -> None:
    dataset, protocol, rows = select_rows(board, "demo", "piece")
    name = r"$\frac{1}$<script>"
    hostile = [
        row.model_copy(update={"encoder": row.encoder.model_copy(update={"name": name})})
        for row in rows
    ]
    charts.draw_heat_map(tmp_path / "heat.svg", dataset, protocol, hostile)
    written = (tmp_path / "heat.svg").read_text()
    assert "<script" not in re.sub(r"<!--.*?-->", "", written, flags=re.DOTALL)


def test_a_verdict_is_read_from_both_sides(board: Board) -> None:
    _, protocol, (best, other) = select_rows(board, "demo", "piece")
    assert charts._verdict(protocol, best.name, other.name) == "better"
    assert charts._verdict(protocol, other.name, best.name) == "worse"
    assert charts._verdict(protocol, best.name, best.name) == ""
    alike = protocol.model_copy(update={"verdicts": ("", "n")})
    assert charts._verdict(alike, best.name, other.name) == "not distinguished"
    assert charts._verdict(alike, other.name, best.name) == "not distinguished"


def test_rows_are_chosen_by_how_their_names_begin_or_end(board: Board) -> None:
    _, _, rows = select_rows(board, "demo", "piece", ["demo-midi-stats-mean"])
    assert [row.head.name for row in rows if row.head] == ["mean"]
    with pytest.raises(UsageError, match="fits 2 rows"):
        select_rows(board, "demo", "piece", ["demo"])
    with pytest.raises(UnknownNameError, match="no row on the board named 'nobody'"):
        select_rows(board, "demo", "piece", ["nobody"])
    with pytest.raises(UnknownNameError, match="no protocol on the board"):
        select_rows(board, "demo", "unseen")
    with pytest.raises(UnknownNameError, match="no dataset on the board"):
        select_rows(board, "other", "piece")


def test_what_cannot_be_drawn_is_refused(board: Board, tmp_path: Path) -> None:
    dataset, protocol, rows = select_rows(board, "demo", "piece")
    path = tmp_path / "chart.svg"
    with pytest.raises(UsageError, match="51 rows cannot be read in one picture"):
        charts.draw_heat_map(path, dataset, protocol, rows[:1] * 51)
    with pytest.raises(UsageError, match="1 rows are named"):
        charts.draw_dimensions(path, dataset, protocol, rows[:1])
    with pytest.raises(UsageError, match="its units are too few"):
        charts.draw_verdicts(path, *select_rows(board, "demo", "work"))
    with pytest.raises(ResultError, match="There is no board"):
        charts.read_published(tmp_path)
    (tmp_path / "board.json").write_text("{}")
    with pytest.raises(ResultError, match="is not a board"):
        charts.read_published(tmp_path)
