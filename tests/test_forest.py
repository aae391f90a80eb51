"""Pictures of estimates: stable bytes, every label shown, and clear refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from pianobench.errors import UsageError
from pianobench.forest import Estimate, draw_forest

pytest.importorskip("matplotlib")

TWO = [Estimate("kernel-ridge", 0.45, 0.38, 0.52), Estimate("mean", -0.01)]


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_the_same_estimates_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    for path in (first, second):
        draw_forest(path, TWO, "R2", "Two rows")
    assert first.read_bytes() == second.read_bytes()


def test_every_estimate_has_a_mark_and_only_those_with_an_interval_a_line(tmp_path: Path) -> None:
    sizes = []
    for rows in (TWO, [*TWO, Estimate("another", 0.2)], [*TWO, Estimate("another", 0.2, 0.1, 0.3)]):
        path = tmp_path / "forest.svg"
        draw_forest(path, rows, "R2", "Rows")
        sizes.append(path.read_text().count('<g id="line2d_'))
    assert sizes[1] > sizes[0]
    assert sizes[2] == sizes[1] + 1


def test_other_endings_and_empty_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.svg, \.png, \.pdf"):
        draw_forest(tmp_path / "forest.gif", TWO, "R2", "Rows")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="Cannot write the picture"):
        draw_forest(tmp_path / "file" / "forest.svg", TWO, "R2", "Rows")
    with pytest.raises(UsageError, match="nothing to draw"):
        draw_forest(tmp_path / "forest.svg", [], "R2", "Rows")
