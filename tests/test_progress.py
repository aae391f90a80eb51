"""Progress: every item passes through, and a log gets a line now and then."""

from __future__ import annotations

import pytest

from pianobench import progress


def test_items_pass_through_and_a_log_is_told_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0.0)
    assert list(progress.track("abc", 3, "render")) == ["a", "b", "c"]
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "render: 3 of 3 clips, 0 s left"
    assert len(lines) == 3


def test_short_work_leaves_a_log_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.track([1, 2], 2, "encode")) == [1, 2]
    assert capsys.readouterr().err == ""
