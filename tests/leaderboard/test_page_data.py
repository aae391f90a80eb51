"""What the page holds of a board: all rows, in few characters."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from pianobench.leaderboard import Board
from pianobench.leaderboard.board import CurveRecord
from pianobench.leaderboard.page_data import page_data, run_lengths

Unpack = Callable[[Any], list[Any]]


def with_curves(board: Board, models: int, epochs: int, protocols: tuple[str, ...]) -> Board:
    """Give every row of the first dataset curves on these protocols."""
    curves = tuple(
        CurveRecord(
            fold=str(model),
            seed=0,
            best=epochs // 2,
            loss=tuple(1 / (2 + epoch) for epoch in range(epochs)),
            validation_r2=tuple(epoch / epochs for epoch in range(epochs)),
        )
        for model in range(models)
    )
    (dataset,) = board.datasets
    rows = []
    for row in dataset.rows:
        drawn = {
            name: scores.model_copy(update={"curves": curves if name in protocols else ()})
            for name, scores in row.scores.items()
        }
        rows.append(row.model_copy(update={"scores": drawn}))
    return board.model_copy(
        update={"datasets": (dataset.model_copy(update={"rows": tuple(rows)}),)}
    )


def test_every_row_is_there_with_its_numbers_in_thousandths(
    published_board: Board, unpack: Unpack
) -> None:
    (held,) = page_data(published_board)["datasets"]
    (dataset,) = published_board.datasets
    rows = unpack(held["rows"])
    assert [row["name"] for row in rows] == [row.name for row in dataset.rows]
    for row, shown in zip(dataset.rows, rows, strict=True):
        for protocol, scores in row.scores.items():
            found = shown["scores"][protocol]
            assert found["r2"] == pytest.approx(scores.r2, abs=0.0005)
            assert found["dimensions"]["r2"] == pytest.approx(scores.dimensions.r2, abs=0.0005)
            assert scores.categories is not None
            assert found["categories"]["r2"] == pytest.approx(scores.categories.r2, abs=0.0005)
            if scores.dimensions.g_high is not None:
                high = [r2 + h for r2, h in zip(*found["dimensions"].values(), strict=True)]
                assert high == pytest.approx(scores.dimensions.g_high, abs=0.001)


def test_protocols_name_rows_by_place_and_verdicts_as_runs(published_board: Board) -> None:
    (held,) = page_data(published_board)["datasets"]
    (dataset,) = published_board.datasets
    for protocol, shown in zip(dataset.protocols, held["protocols"], strict=True):
        assert [dataset.rows[place].name for place in shown["rows"]] == list(protocol.rows)
        assert tuple(map(expanded, shown["verdicts"])) == protocol.verdicts
        pairs = protocol.comparable * (protocol.comparable - 1) // 2
        assert sum(shown["pairs"].values()) == (pairs if protocol.scope else 0)


def expanded(runs: str) -> str:
    return re.sub(r"(\d+)(\D)", lambda run: int(run[1]) * run[2], runs)


def test_runs_are_shortened() -> None:
    assert run_lengths("w" * 12 + "nwe") == "12wnwe"
    assert run_lengths("") == ""


@pytest.mark.parametrize(("epochs", "shown"), [(40, 40), (500, 59)])
def test_curves_are_whole_or_thinned_with_the_first_the_last_and_the_kept_epoch(
    published_board: Board, unpack: Unpack, epochs: int, shown: int
) -> None:
    board = with_curves(published_board, models=4, epochs=epochs, protocols=("piece",))
    (held,) = page_data(board)["datasets"]
    curve = unpack(held["rows"])[0]["scores"]["piece"]["curves"][0]
    assert len(curve["epochs"]) == shown
    assert {0, epochs // 2, epochs - 1} <= set(curve["epochs"])
    assert curve["loss_1e5"][:2] == [50_000, 33_333]
    assert len(curve["validation_r2"]) == shown


def test_with_too_many_curves_only_the_ranking_protocol_has_them_and_then_none(
    published_board: Board,
) -> None:
    def drawn(models: int) -> list[str]:
        board = with_curves(published_board, models, 3, ("piece", "unseen"))
        (held,) = page_data(board)["datasets"]
        return list(held["curves"]["protocols"])

    assert "unseen" in drawn(300)
    assert drawn(600) == ["piece"]
    assert drawn(1500) == []
