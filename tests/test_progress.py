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


def test_audio_is_followed_by_its_length(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter([0.0, 20.0, 21.0, 60.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    clips = [100.0, 10.0, 190.0]
    assert list(progress.track_audio(clips, 3, "encode", lambda s: s, 600.0)) == clips
    assert capsys.readouterr().err.splitlines() == [
        "encode: 1 of 3 clips, 5 audio s/s, 100 s left",
        "encode: 3 of 3 clips, 5 audio s/s, 60 s left",
    ]


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress.track_audio([2.0, 3.0], 2, "encode", lambda s: s, 5.0)) == [2.0, 3.0]
    assert "encode: 0 of 2 clips" in capsys.readouterr().err
