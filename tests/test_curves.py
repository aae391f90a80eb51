"""Learning curves: written, read back, and drawn with the epoch that was kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pianobench.curves import Curve, draw_curves, read_curves, write_curves
from pianobench.descent import Epoch
from pianobench.errors import ResultError, UsageError

CURVES = [
    Curve("beethoven, op. 2", 0, (Epoch(1.5, -3.25), Epoch(0.5, 0.125), Epoch(0.25, 0.0625))),
    Curve("beethoven, op. 2", 3, (Epoch(1.25, 0.5),)),
    Curve("schubert", 0, (Epoch(1.0, 0.25), Epoch(0.75, 0.375))),
]


def test_curves_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    write_curves(path, CURVES)
    assert read_curves(path) == CURVES
    assert path.read_text().splitlines()[:2] == [
        "fold,seed,epoch,loss,validation_r2",
        '"beethoven, op. 2",0,1,1.5,-3.25',
    ]


def test_the_epoch_that_was_kept_is_the_best() -> None:
    assert [curve.best for curve in CURVES] == [1, 0, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no learning curves at .* Run it again"),
        ("fold,seed\n", "its columns are fold, seed"),
        ("fold,seed,epoch,loss,validation_r2\na,0,1,low,0.5\n", "could not convert"),
        ("", "No columns"),
    ],
)
def test_files_that_hold_no_curves_are_refused(
    tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "curves.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ResultError, match=message):
        read_curves(path)


def test_the_picture_has_two_lines_and_a_dot_per_model_and_a_name_per_fold(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    one, other = tmp_path / "one.svg", tmp_path / "other.svg"
    for path in (one, other):
        draw_curves(path, CURVES, "a run")
    assert one.read_bytes() == other.read_bytes()
    drawn = one.read_text()
    for colour, models in (("#4c72b0", 2), ("#dd8452", 1)):
        # A line in either half for each model, and one in the legend for the fold.
        assert drawn.count(f"fill: none; stroke: {colour}") == 2 * models + 1
    assert drawn.count("<!-- schubert -->") == 1
    assert drawn.count("<!-- beethoven, op. 2 -->") == 1


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model has a curve"):
        draw_curves(tmp_path / "curves.svg", [], "a run")


def test_no_two_folds_share_a_colour(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "many.svg"
    draw_curves(path, [Curve(f"f{k}", 0, CURVES[0].epochs) for k in range(14)], "a run")
    # Marks of the axes are black, and the grid is grey.
    drawn = set(re.findall(r"fill: none; stroke: (#\w{6})", path.read_text()))
    assert len(drawn - {"#000000", "#dddddd"}) == 14
