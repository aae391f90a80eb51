"""How large the page of 2,000 rows is, and how soon it answers in a browser.

``pytest tests/benchmarks/test_page_speed.py --benchmark-columns=min,median`` prints times; sizes
and the time until the table answers are in the extra information of each benchmark. Times depend on
the machine, so none is asserted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pianobench.comparison import Span
from pianobench.leaderboard import Board
from pianobench.leaderboard.board import (
    BoardRow,
    CurveRecord,
    DatasetBoard,
    Estimates,
    ProtocolScores,
    Standing,
)
from pianobench.leaderboard.page import page

ROWS = 2000
LIMIT_BYTES = 6_000_000
# Rows this near to each other are now told apart and now not.
NEAR = 120
EPOCHS = 60
MODELS = 12
INTERACTIVE = "return performance.getEntriesByName('interactive')[0].startTime"
ROOT = Path(__file__).parents[2]


def synthetic_board() -> Board:
    """The published rows over and over, every one with numbers of its own."""
    rng = np.random.default_rng(0)
    published = Board.model_validate_json((ROOT / "leaderboard" / "board.json").read_text())
    (dataset,) = published.datasets
    rows = [synthetic_row(dataset.rows[i % len(dataset.rows)], i, rng) for i in range(ROWS)]
    protocols = []
    for protocol in dataset.protocols:
        names = [row.name for row in rows if protocol.name in row.scores]
        compared = len(names) if protocol.scope else 0
        verdicts = [
            "".join(np.where(rng.random(i) < np.clip((i - np.arange(i)) / NEAR, 0, 1), "w", "n"))
            for i in range(compared)
        ]
        given = {"rows": tuple(names), "comparable": compared, "verdicts": tuple(verdicts)}
        protocols.append(protocol.model_copy(update=given))
    many: DatasetBoard = dataset.model_copy(
        update={"rows": tuple(rows), "protocols": tuple(protocols)}
    )
    return published.model_copy(update={"datasets": (many,)})


def synthetic_row(row: BoardRow, number: int, rng: np.random.Generator) -> BoardRow:
    digest = rng.bytes(32).hex()
    scores = {name: synthetic_scores(of, number, rng) for name, of in row.scores.items()}
    if number % 2:
        curves = tuple(synthetic_curve(model, rng) for model in range(MODELS))
        scores["piece"] = scores["piece"].model_copy(update={"curves": curves})
    name = f"{row.name[:-8]}{digest[:8]}"
    encoder = row.encoder.model_copy(update={"fingerprint": digest})
    options = (f"encoder.option={digest[:6]}",)
    return row.model_copy(
        update={"name": name, "encoder": encoder, "options": options, "scores": scores}
    )


def synthetic_scores(
    scores: ProtocolScores, number: int, rng: np.random.Generator
) -> ProtocolScores:
    def noisy(values: dict[str, float]) -> dict[str, float]:
        return {name: value + rng.normal(0, 0.1) for name, value in values.items()}

    r2 = 0.6 - number / 3000 + rng.normal(0, 0.001)
    standing = scores.standing and Standing(
        best_rank=max(1, number - 40),
        worst_rank=number + 40,
        may_be_best=number < 5,
        verdict="worse" if number else None,
        difference=-number / 3000,
        difference_low=-number / 3000 - rng.random() / 9,
        difference_high=-number / 3000 + rng.random() / 9,
        p_adjusted=float(rng.random()),
        group_first=max(1, number - NEAR),
        group_last=min(ROWS, number + NEAR),
        group_size=int(rng.integers(20, 100)),
    )
    width = rng.random()
    return scores.model_copy(
        update={
            "r2": r2,
            "c": scores.c and Span(low=r2 - width / 9, high=r2 + width / 9),
            "g": scores.g and Span(low=r2 - width / 8, high=r2 + width / 8),
            "of_ceiling": r2 / 0.745,
            "metrics": noisy(scores.metrics),
            "folds": noisy(scores.folds),
            "r2_per_seed": noisy(scores.r2_per_seed),
            "dimensions": synthetic_estimates(scores.dimensions, rng),
            "categories": scores.categories and synthetic_estimates(scores.categories, rng),
            "standing": standing,
        }
    )


def synthetic_estimates(estimates: Estimates, rng: np.random.Generator) -> Estimates:
    r2 = rng.normal(0.4, 0.2, len(estimates.r2))
    if estimates.c_low is None:
        return Estimates(r2=r2.tolist())
    c, g = rng.uniform(0.03, 0.2, (2, len(r2)))
    return Estimates(
        r2=r2.tolist(),
        c_low=(r2 - c).tolist(),
        c_high=(r2 + c).tolist(),
        g_low=(r2 - g).tolist(),
        g_high=(r2 + g).tolist(),
    )


def synthetic_curve(model: int, rng: np.random.Generator) -> CurveRecord:
    r2 = 0.5 - 0.5 * np.exp(-np.arange(EPOCHS) / 9) + rng.normal(0, 0.02, EPOCHS)
    loss = 0.02 + 0.05 * np.exp(-np.arange(EPOCHS) / 9) + rng.random(EPOCHS) / 1000
    return CurveRecord.model_construct(
        fold=str(model % 4),
        seed=model // 4,
        best=int(r2.argmax()),
        loss=tuple(loss.tolist()),
        validation_r2=tuple(r2.tolist()),
    )


@pytest.fixture(scope="module")
def board() -> Board:
    return synthetic_board()


def test_writing_the_page_of_2000_rows(benchmark, board):
    text = benchmark.pedantic(page, args=[board], rounds=3)
    size = len(text.encode())
    benchmark.extra_info["MB"] = round(size / 1e6, 2)
    assert size < LIMIT_BYTES


@pytest.mark.browser
def test_loading_the_page_of_2000_rows(benchmark, board, browser, tmp_path):
    path = tmp_path / "index.html"
    path.write_text(page(board), encoding="utf-8")
    # Of the page's own thread, so that what else the machine does is no part of it.
    browser.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    loads = []

    def load() -> None:
        browser.get(path.as_uri())
        loads.append(browser.execute_script(INTERACTIVE) / 1000)

    benchmark.pedantic(load, rounds=5)
    metrics = browser.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    (busy_s,) = (each["value"] for each in metrics if each["name"] == "TaskDuration")
    benchmark.extra_info["interactive after, s"] = [round(after_s, 2) for after_s in loads]
    benchmark.extra_info["processor time of the last load, s"] = round(busy_s, 2)
