"""The gate: where it starts, and that it finds which model to trust for which clip."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from pianobench.metrics import pooled_r2
from pianobench.studies import fusion_gate
from pianobench.studies.fusion_gate import Gate, learn_gate
from pianobench.studies.fusion_rules import FUSIONS


def two_experts(clips: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make a model that is right where labels are high, and one that is where they are low."""
    rng = np.random.default_rng(seed)
    targets = 0.5 + 0.1 * rng.normal(size=(clips, 2))
    wrong = 0.15 * np.abs(rng.normal(size=(2, clips, 2)))
    high = targets > 0.5
    return targets, np.stack([targets + ~high * wrong[0], targets - high * wrong[1]])


def test_before_training_the_gate_is_the_weighted_mean() -> None:
    import torch

    network = Gate(start=(0.8, 0.2)).network(4, 2)
    rows = torch.tensor([[1.0, 2.0, 3.0, 6.0]])
    assert network(rows).tolist() == [pytest.approx([1.4, 2.8])]


def test_a_gate_finds_which_model_to_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusion_gate, "_SEEDS", (0,))
    targets, predictions = two_experts(160, seed=0)
    passages = np.arange(160) // 8
    new_targets, new = two_experts(200, seed=1)
    gated = learn_gate(predictions, targets, passages)
    weighted = FUSIONS["weighted"](predictions, targets, passages)
    found = pooled_r2(new_targets, gated.fuse(new)).mean()
    assert found > pooled_r2(new_targets, weighted.fuse(new)).mean() + 0.02
    low, high = new.min(axis=0), new.max(axis=0)
    assert ((gated.fuse(new) >= low - 1e-5) & (gated.fuse(new) <= high + 1e-5)).all()
    assert sum(gated.learned["weights"]) == pytest.approx(1)


def test_labels_of_any_scale_give_the_same_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusion_gate, "_SEEDS", (0,))
    targets, predictions = two_experts(60, seed=0)
    passages = np.arange(60) // 6
    plain = learn_gate(predictions, targets, passages).fuse(predictions)
    scaled = learn_gate(100 * predictions - 7, 100 * targets - 7, passages)
    assert scaled.fuse(100 * predictions - 7) == pytest.approx(100 * plain - 7, abs=1e-2)
