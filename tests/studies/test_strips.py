"""The picture of draws: stable bytes, every strip, draw and mark in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pianobench.errors import UsageError
from pianobench.studies.strips import Strip, draw_strips

pytest.importorskip("matplotlib")

STRIPS = [Strip("han, han", [0.31, 0.35, 0.4]), Strip("midi-stats, ridge", [0.4, 0.5])]


def test_the_same_draws_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    for path in (first, second):
        draw_strips(path, STRIPS, [0.397], "R2", "Draws")
    assert first.read_bytes() == second.read_bytes()


def test_every_draw_has_a_dot_and_every_mark_its_number(tmp_path: Path) -> None:
    path = tmp_path / "draws.svg"
    draw_strips(path, STRIPS, [0.397, 0.347], "R2", "Draws")
    text = path.read_text()
    assert text.count("fill-opacity: 0.5") >= 5
    for label in ("<!-- han, han -->", "<!--  0.397 -->", "<!--  0.347 -->"):
        assert label in text


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.svg, \.png, \.pdf"):
        draw_strips(tmp_path / "draws.gif", STRIPS, [], "R2", "Draws")
