"""Files of pictures: refused before anything is drawn, or the same bytes every time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pianobench.errors import DependencyError, UsageError
from pianobench.picture import draw_rows, fold_label, picture


def test_without_matplotlib_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with (
        pytest.raises(DependencyError, match=r'pip install "pianobench\[page\]"'),
        picture(tmp_path / "a.svg", width=1, height=1),
    ):
        pytest.fail("there is nothing to draw with")


def test_another_ending_is_refused_before_drawing(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match=r"'a.gif': name a file ending in \.svg, \.png, \.pdf"),
        picture(tmp_path / "a.gif", width=1, height=1),
    ):
        pytest.fail("it cannot be written")


def test_what_fails_to_be_drawn_leaves_no_file(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ZeroDivisionError), picture(tmp_path / "a.svg", width=1, height=1):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


def test_a_label_is_folded_into_two_lines_and_cut_where_it_is_longer() -> None:
    assert fold_label("han (notes), han") == "han (notes), han"
    assert fold_label("han (notes), han\nhead.epochs=3") == "han (notes), han\nhead.epochs=3"
    options = ", ".join(f"head.option_{k}={k}" for k in range(20))
    first, second = fold_label(f"han (notes), han\n{options}").split("\n")
    assert first == "han (notes), han"
    assert second.startswith("head.option_0=0, ")
    assert second.endswith(" …")
    assert len(second) <= 50
    assert fold_label("word " * 30).count("\n") == 1


def test_rows_with_long_labels_leave_room_for_the_axes(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    labels = ["one", "two, " + "with many options " * 20]
    # Axes without room are a warning, and warnings are errors here.
    with draw_rows(tmp_path / "a.svg", labels, "R2", "rows") as axes:
        axes.plot([0.1, 0.2], [2, 1], "o")
    assert axes.get_position().width > 0.3
