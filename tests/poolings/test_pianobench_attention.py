"""The attention pooling: what it promises, padding, and which frame counts."""

from __future__ import annotations

import numpy as np
import pytest

from pianobench.sequences import Sequences
from pianobench.testing import check_component
from pianobench.training import train_network
from pianobench_attention import Attention
from pianobench_mlp import Mlp

torch = pytest.importorskip("torch", reason="torch is not installed")


@pytest.mark.parametrize(
    "options", [{}, {"heads": 4, "hidden": None}, {"heads": 2, "dropout": 0.5}]
)
def test_it_keeps_what_a_learned_pooling_promises(options):
    assert Attention(**options).learned
    checks = check_component(Attention(**options))
    assert [str(check) for check in checks if not check.passed] == []


def test_the_defaults_are_those_of_the_study():
    module = Attention().network(1024)
    shapes = [tuple(value.shape) for value in module.parameters()]
    assert shapes == [(256, 1024), (256,), (1, 256)]


@pytest.mark.parametrize("junk", [0.0, 1e30, float("nan")])
def test_padding_changes_not_one_bit(junk, padded):
    torch.manual_seed(3)
    module = Attention(heads=2).network(5).eval()
    clips = [torch.randn(frames, 5) for frames in (7, 1, 40)]
    expected = module(*padded(clips))
    assert torch.equal(module(*padded(clips, junk, extra=13)), expected)
    assert expected.shape == (3, 10)
    assert torch.equal(expected[1], clips[1][0].repeat(2))


def test_it_learns_which_frame_counts_where_the_mean_sees_none(write_frames):
    random = np.random.default_rng(5)
    clips, y = [], np.empty((160, 1))
    for index in range(160):
        values = random.normal(size=(random.integers(6, 14), 4))
        # One frame is marked, and the others hide it from the mean.
        values[:, 3] = 0
        values[:, 0] -= values[:, 0].mean()
        values[marked := random.integers(len(values)), 3] = 1
        y[index] = values[marked, 0]
        clips.append(values)
    head = Mlp(hidden=32, learning_rate=0.01, epochs=40, patience=40, dropout=0)
    groups = np.array([f"u{k % 16:02}" for k in range(160)])
    x = Sequences(Attention(hidden=32), write_frames(clips))
    means = np.array([values.mean(axis=0) for values in clips])
    assert train_network(head, means, y, groups, 0).selected["validation_r2"] < 0.1
    assert train_network(head, x, y, groups, 0).selected["validation_r2"] > 0.75
