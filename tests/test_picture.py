"""Files of pictures: refused before anything is drawn, or the same bytes every time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pianobench.errors import DependencyError, UsageError
from pianobench.picture import picture


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
