"""Tables from stored results: order, honesty about what is not ranked, and stable bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pianobench.errors import ResultError
from pianobench.leaderboard import (
    Bounds,
    Row,
    absent_baselines,
    rank_rows,
    read_reported,
    results_frame,
    terminal_table,
    write_leaderboard,
)

ROW = Row(
    name="small-mel-ridge",
    dataset="small",
    version="1",
    data_digest="d",
    split_digest="s",
    encoder="mel",
    layers="last",
    renderer="tone",
    pooling="mean",
    head="ridge",
    options=("encoder.bands=32",),
    seeds=1,
    ranked=True,
    flags=(),
    r2={"piece": 0.41234, "work": 0.1},
    interval=Bounds(0.3, 0.5),
    interval_new_performers=Bounds(0.25, 0.55),
    ceiling=0.75,
    metrics={"r2": 0.41234, "r2_human": 0.4},
)


def test_ranked_rows_come_first_by_r2_and_the_others_follow_without_a_number() -> None:
    better = replace(ROW, name="better", r2={"piece": 0.5})
    leaking = replace(
        ROW,
        name="leaking",
        ranked=False,
        r2={"excerpt": 0.9},
        interval=None,
        interval_new_performers=None,
    )
    rows = [leaking, ROW, better]
    assert [row.name for row in rank_rows(rows)] == ["better", "small-mel-ridge", "leaking"]
    assert list(results_frame(rows)["#"]) == ["1", "2", "-"]


def test_a_table_shows_the_point_with_its_interval_and_leaves_unknown_cells_empty() -> None:
    leaking = replace(
        ROW,
        name="leaking",
        ranked=False,
        r2={"excerpt": 0.9},
        interval=None,
        interval_new_performers=None,
    )
    table = terminal_table([ROW, leaking])
    assert "0.412 [0.300, 0.500]" in table
    assert "[0.250, 0.550]" in table
    assert "0.550" in table
    assert "0.900" in table
    assert "nan" not in table


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    reported = [
        {
            "dataset": "small",
            "row": "Somebody's model",
            "r2": 0.6,
            "low": 0.5,
            "high": 0.7,
            "source": "a paper",
            "caveat": "leaky folds",
        }
    ]
    (tmp_path / "results").mkdir()
    (tmp_path / "reported.json").write_text(json.dumps(reported))
    first = {path: path.read_bytes() for path in write_leaderboard(tmp_path)}
    second = {path: path.read_bytes() for path in write_leaderboard(tmp_path)}
    assert first == second
    page = (tmp_path / "README.md").read_text()
    assert "Somebody's model" in page
    assert "0.600 [0.500, 0.700]" in page
    assert "nothing is ranked" in page


def test_a_table_says_which_baselines_it_lacks() -> None:
    plain = replace(ROW, encoder="midi-stats", head="kernel-ridge")
    against_score = replace(ROW, encoder="score-stats", head="kernel-ridge")
    assert "score-stats with kernel-ridge" in absent_baselines([plain, ROW])[0]
    assert "midi-stats" not in absent_baselines([plain, ROW])[0]
    assert absent_baselines([plain, against_score]) == []


def test_reported_rows_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "reported.json"
    assert read_reported(path) == []
    path.write_text('[{"row": "no dataset"}]')
    with pytest.raises(ResultError, match="Cannot read the reported rows"):
        read_reported(path)
