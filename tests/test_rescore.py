"""Rescoring: a stored result agrees with itself, and whatever is edited is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pianobench import Corpus

Disagreements = Callable[..., list[str]]


def test_a_stored_result_agrees_with_itself(
    stored: Path, corpus: Corpus, disagreements: Disagreements
) -> None:
    assert disagreements(stored, corpus) == []


def test_a_changed_prediction_is_named(
    stored: Path, corpus: Corpus, disagreements: Disagreements
) -> None:
    path = stored / "predictions-piece.csv"
    lines = path.read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:3], "0.999999", *cells[4:]])
    path.write_text("\n".join(lines) + "\n")
    found = disagreements(stored, corpus)
    assert any("predictions_sha256 is stored as" in line for line in found)
    assert any("scores.metrics.r2 is stored as" in line for line in found)


def test_a_changed_metric_is_named(
    stored: Path, corpus: Corpus, disagreements: Disagreements
) -> None:
    path = stored / "result.json"
    given = json.loads(path.read_text())
    given["protocols"]["piece"]["scores"]["metrics"]["r2"] += 1e-6
    path.write_text(json.dumps(given))
    (line,) = disagreements(stored, corpus)
    assert "scores.metrics.r2" in line


def test_other_labels_are_named(stored: Path, corpus: Corpus, disagreements: Disagreements) -> None:
    targets = corpus.targets.copy()
    targets[0, 0] += 0.01
    other = replace(corpus, targets=targets)
    assert any("data.digest is stored as" in line for line in disagreements(stored, other))


def test_a_clip_moved_to_another_fold_is_named(
    stored: Path, corpus: Corpus, disagreements: Disagreements
) -> None:
    path = stored / "predictions-piece.csv"
    clip = corpus.ids[0]
    own = next(line for line in path.read_text().splitlines() if line.startswith(f"{clip},"))
    fold = own.split(",")[1]
    other = "2" if fold != "2" else "3"
    path.write_text(path.read_text().replace(f"{clip},{fold},", f"{clip},{other},"))
    found = disagreements(stored, corpus)
    assert any("another fold" in line and clip in line for line in found)


def test_a_missing_clip_is_named(
    stored: Path, corpus: Corpus, disagreements: Disagreements
) -> None:
    path = stored / "predictions-piece.csv"
    clip = corpus.ids[7]
    kept = [line for line in path.read_text().splitlines() if not line.startswith(f"{clip},")]
    path.write_text("\n".join(kept) + "\n")
    assert any(
        "1 clips are missing" in line and clip in line for line in disagreements(stored, corpus)
    )


def _set(given: Any, path: str, value: object) -> None:
    *parents, last = path.split(".")
    for key in parents:
        given = given[int(key) if key.isdigit() else key]
    given[last] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", "another"),
        ("config_digest", "0" * 64),
        ("data.clips", 1202),
        ("data.dataset", "percepiano"),
        ("data.version", "2"),
        ("components.encoder.name", "muq"),
        ("components.head.options", {"alpha": 3}),
        ("protocols.piece.ranked", False),
        ("protocols.piece.flags", ["harmless"]),
        ("protocols.piece.unit", ["clip"]),
        ("protocols.piece.folds", 5),
        ("protocols.piece.split_digest", "0" * 64),
        ("protocols.piece.audit.ok", False),
        ("protocols.piece.seeds", [0]),
        ("protocols.piece.selected", []),
        ("protocols.piece.predictions", "../elsewhere.csv"),
        ("protocols.piece.scores.clips", 47),
        ("protocols.piece.scores.limits", ["none"]),
        ("config.selection", "test-fold"),
        ("config.protocols", ["piece", "work"]),
    ],
)
def test_whatever_a_table_shows_is_checked(
    stored: Path, corpus: Corpus, disagreements: Disagreements, path: str, value: object
) -> None:
    file = stored / "result.json"
    given = json.loads(file.read_text())
    _set(given, path, value)
    file.write_text(json.dumps(given))
    assert disagreements(stored, corpus)


def test_a_run_that_peeked_cannot_claim_a_rank(
    stored: Path, corpus: Corpus, disagreements: Disagreements
) -> None:
    file = stored / "result.json"
    given = json.loads(file.read_text())
    given["config"]["selection"] = "test-fold"
    file.write_text(json.dumps(given))
    found = disagreements(stored, corpus)
    assert any("ranked is stored as True and recomputed as False" in line for line in found)
