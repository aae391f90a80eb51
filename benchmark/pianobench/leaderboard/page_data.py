"""What the page holds of a board: its content in few characters, as JSON values.

Numbers are in thousandths (``board.json`` has more digits), rows are packed as columns, verdicts
are run lengths, curves are thinned where there are many. Of the two intervals of a dimension or
category the page has that of the protocol's scope, as half its width.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from .board import Board, BoardRow, CurveRecord, DatasetBoard, Estimates, ProtocolScores
from .columns import pack
from .rows import RANKING

__all__ = ["page_data"]

# Characters that the curves of all rows may take together, and about how many one epoch takes.
_CURVES = 700_000
_EPOCH = 11
_MOST_EPOCHS = 60
_FEWEST_EPOCHS = 5


def page_data(board: Board) -> dict[str, Any]:
    """Select and pack.

    Returns
    -------
    dict
        As `Board`, except that of a dataset ``rows`` are packed and protocols name rows by their
        place among them; of a row, ``files`` are names in its folder.
    """
    return {
        **board.model_dump(mode="json", exclude={"datasets"}),
        "ranking": RANKING,
        "datasets": [_dataset(dataset) for dataset in board.datasets],
    }


def run_lengths(letters: str) -> str:
    """Shorten what repeats.

    Examples
    --------
    >>> run_lengths("wwwnw")
    '3wnw'
    """
    runs = ((letter, len(list(run))) for letter, run in itertools.groupby(letters))
    return "".join(letter if count == 1 else f"{count}{letter}" for letter, count in runs)


def _dataset(dataset: DatasetBoard) -> dict[str, Any]:
    places = {row.name: place for place, row in enumerate(dataset.rows)}
    protocols = [
        protocol.model_dump(mode="json", exclude={"rows", "verdicts"})
        | {
            "rows": [places[name] for name in protocol.rows],
            "verdicts": [run_lengths(letters) for letters in protocol.verdicts],
            "pairs": {letter: "".join(protocol.verdicts).count(letter) for letter in "wen"},
        }
        for protocol in dataset.protocols
    ]
    drawn, epochs = _curves_shown(dataset)
    return {
        **dataset.model_dump(mode="json", exclude={"rows", "protocols"}),
        "protocols": protocols,
        "curves": {"protocols": drawn, "epochs": epochs},
        "rows": pack([_row(row, drawn, epochs) for row in dataset.rows]),
    }


def _row(row: BoardRow, drawn: Sequence[str], epochs: int) -> dict[str, Any]:
    folder = f"results/{row.name}/"
    return {
        **row.model_dump(mode="json", exclude={"scores", "files"}),
        "files": [path.removeprefix(folder) for path in row.files],
        "scores": {
            protocol: _scores(scores, folder, epochs if protocol in drawn else 0)
            for protocol, scores in row.scores.items()
        },
    }


def _scores(scores: ProtocolScores, folder: str, epochs: int) -> dict[str, Any]:
    apart = {"files", "dimensions", "categories", "curves"}
    return {
        **scores.model_dump(mode="json", exclude=apart),
        "files": [path.removeprefix(folder) for path in scores.files],
        "dimensions": _estimates(scores.dimensions),
        "categories": None if scores.categories is None else _estimates(scores.categories),
        "curves": [_curve(curve, epochs) for curve in scores.curves] if epochs else None,
        "curve_count": len(scores.curves),
    }


def _estimates(estimates: Estimates) -> dict[str, Any]:
    low, high = estimates.c_low, estimates.c_high
    if estimates.g_low is not None:
        low, high = estimates.g_low, estimates.g_high
    half = None
    if low is not None and high is not None:
        half = [(top - bottom) / 2 for bottom, top in zip(low, high, strict=True)]
    return {"r2": list(estimates.r2), "half": half}


def _curve(curve: CurveRecord, epochs: int) -> dict[str, Any]:
    """Take up to so many epochs, densest at the start where most happens, and the one kept."""
    last = len(curve.loss) - 1
    shown = {round(last * (step / (epochs - 1)) ** 2) for step in range(epochs)}
    at = sorted(shown | {curve.best}) if last >= epochs else list(range(last + 1))
    return {
        "fold": curve.fold,
        "seed": curve.seed,
        "best": curve.best,
        "epochs": at,
        # Losses are small: in thousandths they would be steps.
        "loss_1e5": [round(1e5 * curve.loss[epoch]) for epoch in at],
        "validation_r2": [curve.validation_r2[epoch] for epoch in at],
    }


def _curves_shown(dataset: DatasetBoard) -> tuple[list[str], int]:
    """Say of which protocols curves are shown, and with how many epochs each.

    All of them where there is room; else those of the protocol that ranks; else none.
    """
    names = [protocol.name for protocol in dataset.protocols]
    for drawn in (names, [name for name in names if name == RANKING]):
        count = sum(len(curves) for name in drawn for curves in _curves_of(dataset, name))
        epochs = min(_MOST_EPOCHS, _CURVES // (_EPOCH * max(1, count)))
        if epochs >= _FEWEST_EPOCHS:
            return drawn, epochs
    return [], 0


def _curves_of(dataset: DatasetBoard, protocol: str) -> Iterator[Sequence[CurveRecord]]:
    return (row.scores[protocol].curves for row in dataset.rows if protocol in row.scores)
