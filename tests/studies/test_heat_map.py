"""Heat maps: every number is in its square, and the same numbers give the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from pianobench.studies.heat_map import draw_heat_maps


def test_every_number_is_drawn_and_nothing_for_what_is_missing(tmp_path: Path) -> None:
    values = np.array([[1.0, 0.25], [np.nan, 1.0]])
    panels = {"raw": values, "corrected": values.T}
    for name in ("a.svg", "b.svg"):
        draw_heat_maps(tmp_path / name, ["one", "two"], panels)
    text = (tmp_path / "a.svg").read_text()
    assert text.count("<!-- 0.25 -->") == 2
    assert text.count("<!-- 1.00 -->") == 4
    assert "nan" not in text
    assert text == (tmp_path / "b.svg").read_text()
