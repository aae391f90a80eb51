"""Stored results: whole or absent, and refused when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from pianobench.errors import ResultError
from pianobench.result import list_results, read_result, writing


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ('{"schema_version": 99}', r"schema version 99; this pianobench reads 1"),
        ('{"schema_version": 1}', r"damaged at"),
    ],
)
def test_a_damaged_result_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ResultError, match=message):
        read_result(tmp_path)


def test_a_run_that_fails_leaves_no_half_result(tmp_path: Path) -> None:
    def fail_half_way() -> None:
        with writing(tmp_path, "one") as folder:
            (folder / "result.json").write_text("{}")
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []


def test_a_results_folder_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file, not a folder")
    with pytest.raises(ResultError, match=r"Cannot write results into .*Name another folder"):
        writing(tmp_path / "results", "one").__enter__()


def test_a_result_is_found_by_its_folder_or_its_file(stored: Path) -> None:
    assert list_results(stored.parent) == [stored]
    assert read_result(stored) == read_result(stored / "result.json")


def test_a_result_replaces_one_of_its_name_whole(tmp_path: Path) -> None:
    for content in ("first", "second"):
        with writing(tmp_path, "one") as folder:
            (folder / content).touch()
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["second"]


def test_two_runs_of_one_configuration_do_not_meet(tmp_path: Path) -> None:
    with writing(tmp_path, "one") as first, writing(tmp_path, "one") as second:
        assert first != second
        (first / "a").touch()
        (second / "b").touch()
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["a"]
