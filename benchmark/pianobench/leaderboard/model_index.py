"""Every row as an entry of a model index, as the Hugging Face hub reads it from a model's card.

One file holds all rows; an author copies their entry into the card of their model. See
https://huggingface.co/docs/hub/model-cards#evaluation-results.
"""

from __future__ import annotations

from .board import Board, BoardRow, DatasetBoard, ProtocolScores
from .text import yaml_text

__all__ = ["model_index"]

_METRICS = {
    "r2_human": "R2, human takes",
    "r2_within_passage": "R2 within passages",
    "accuracy_within_passage": "pairs of takes in the right order",
    "spearman": "Spearman correlation",
}


def model_index(board: Board) -> str:
    """Write the index of a board, as YAML."""
    lines = ["# Written by `bench leaderboard`; copy the entry of your model into its card."]
    entries = [
        line for dataset in board.datasets for row in dataset.rows for line in _entry(dataset, row)
    ]
    return "\n".join([*lines, "model-index:" if entries else "model-index: []", *entries]) + "\n"


def _entry(dataset: DatasetBoard, row: BoardRow) -> list[str]:
    lines = [f"- name: {yaml_text(row.name)}", "  results:"]
    for protocol, scores in row.scores.items():
        lines += [
            "  - task:",
            "      type: audio-regression",
            "      name: Piano performance assessment",
            "    dataset:",
            f"      type: {yaml_text(dataset.dataset)}",
            f"      name: {yaml_text(dataset.dataset)}",
            f"      config: {yaml_text(protocol)}",
            "      split: test",
            f"      revision: {yaml_text(f'{dataset.version} {dataset.digest[:12]}')}",
            "    metrics:",
            *_metrics(protocol, scores),
            "    source:",
            "      name: pianobench",
            f"      url: {yaml_text(row.files[0])}",
        ]
    return lines


def _metrics(protocol: str, scores: ProtocolScores) -> list[str]:
    named = f"R2, protocol {protocol}"
    if scores.c is not None:
        named += f", 95% interval {scores.c.low:.3f} to {scores.c.high:.3f}"
    found = [("r2", named, scores.r2)]
    found += [
        (name, label, scores.metrics[name])
        for name, label in _METRICS.items()
        if name in scores.metrics
    ]
    return [
        line
        for kind, label, value in found
        for line in (
            f"    - type: {yaml_text(kind)}",
            f"      name: {yaml_text(label)}",
            f"      value: {value:.6f}",
        )
    ]
