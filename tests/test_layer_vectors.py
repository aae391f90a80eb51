"""Weights of layers: exact from pooled layers, learned with the head, told in the result."""

from __future__ import annotations

import numpy as np
import pytest

from pianobench import NetworkHead, Pooling
from pianobench.layer_vectors import LayerVectors
from pianobench.sequences import Sequences
from pianobench.training import train_network
from pianobench_mlp import Mlp
from pianobench_statistics import Mean, Std

torch = pytest.importorskip("torch", reason="torch is not installed")

from pianobench.pooled_network import LayerMix  # noqa: E402 - it needs torch

SCORES = np.array([0.04, -0.11, 0.07])


def weights_of(scores):
    powers = np.exp(10 * scores)
    return powers / powers.sum()


def mix_of(scores):
    mix = LayerMix(len(scores), learning_rate=0.001)
    mix.scores.data = torch.from_numpy(scores).float()
    return mix.requires_grad_(False)


class FrameMean(Pooling):
    """The mean, in the place of a pooling that is learned."""

    name = "frame-mean"
    standardised = False

    def network(self, width):
        class Network(torch.nn.Module):
            def forward(self, values, mask, levels):
                return (values * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)

        return Network()


class Nothing(NetworkHead):
    """Shows what the head is given."""

    name = "nothing"

    def network(self, width, dimensions):
        return torch.nn.Identity()


def test_layers_start_with_equal_weights():
    assert LayerMix(4, 0.1).weights().tolist() == [0.25] * 4


def test_the_mix_is_the_weighted_sum_of_layers_side_by_side():
    layers = np.random.default_rng(0).normal(size=(6, 9, 3, 4))
    found = mix_of(SCORES)(torch.from_numpy(layers.reshape(6, 9, 12)).float())
    expected = np.einsum("ctlw,l->ctw", layers, weights_of(SCORES))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(("pooling", "exact"), [(Mean(), True), (Std(), False)])
def test_mixing_stored_statistics_is_pooling_of_mixed_frames_for_the_mean_only(pooling, exact):
    from pianobench import Frames

    assert pooling.linear is exact
    values = np.random.default_rng(1).normal(size=(3, 50, 4))
    stored = pooling.pool(Frames(values, np.arange(50.0), {}))
    mixed = np.tensordot(weights_of(SCORES), values, axes=1)[None]
    expected = pooling.pool(Frames(mixed, np.arange(50.0), {}))
    found = mix_of(SCORES)(torch.from_numpy(stored.reshape(1, 12)).float())
    assert (np.abs(found.numpy() - expected).max() < 1e-6) == exact


def test_pooled_layers_give_the_head_what_frames_would(write_frames):
    random = np.random.default_rng(2)
    clips = [random.normal(size=(n, 12)) for n in (5, 1, 30, 9)]
    sequences = Sequences(FrameMean(), write_frames(clips, layers=3), "weighted")
    vectors = LayerVectors(np.array([values.mean(axis=0) for values in clips]), (0, 1, 2))
    measured = vectors.standardisation()
    given = []
    for inputs in (sequences, vectors):
        module = inputs.network(Nothing(), 4)
        module.mix = mix_of(SCORES)
        parts = [
            (batch.clips, module(*batch.inputs)) for batch in inputs.batches(measured).in_order()
        ]
        order = torch.argsort(torch.cat([clips for clips, _ in parts]))
        given.append(torch.cat([part for _, part in parts])[order])
    torch.testing.assert_close(given[0], given[1], atol=2e-6, rtol=0)


def problem():
    """Clips of three layers, in which only layer 8 tells the label; it is the smallest."""
    random = np.random.default_rng(3)
    layers = random.normal(size=(200, 3, 5)) * np.array([10.0, 1.0, 100.0])[:, None]
    y = layers[:, 1] @ random.normal(size=(5, 2)) + 0.1 * random.normal(size=(200, 2))
    groups = np.array([f"u{k % 20:02}" for k in range(200)])
    return LayerVectors(layers.reshape(200, 15), (4, 8, 12)), y, groups


def test_the_layer_that_tells_the_label_is_found_and_told():
    x, y, groups = problem()
    fitted = train_network(
        Mlp(hidden=32, learning_rate=2e-3, batch_size=16, epochs=40), x, y, groups, 0
    )
    found = fitted.selected["layer_weights"]
    assert list(found) == ["4", "8", "12"]
    assert sum(found.values()) == pytest.approx(1, abs=1e-6)
    assert found["8"] > 0.9
    np.testing.assert_allclose(fitted.predict(x[:7]), fitted.predict(x)[:7], atol=1e-5)


def test_the_weights_of_frames_are_found_through_a_learned_pooling(write_frames):
    random = np.random.default_rng(4)
    clips = [random.normal(size=(random.integers(2, 6), 6)) for _ in range(120)]
    y = np.array([values[:, 2:4].mean(axis=0) for values in clips])
    groups = np.array([f"u{k % 12:02}" for k in range(120)])
    x = Sequences(FrameMean(), write_frames(clips, layers=3), "weighted")
    head = Mlp(hidden=16, learning_rate=2e-2, batch_size=8, epochs=25)
    found = train_network(head, x, y, groups, 0).selected["layer_weights"]
    assert list(found) == ["0", "1", "2"]
    assert found["1"] > 0.7


@pytest.mark.parametrize("learning_rate", [1e-5, 1e-2])
def test_scores_move_alike_whatever_the_step_size_of_the_head(learning_rate):
    mix = LayerMix(2, learning_rate)
    optimizer = torch.optim.Adam(mix.parameters(), lr=learning_rate)
    for _ in range(100):
        optimizer.zero_grad()
        mix(torch.tensor([[1.0, -1.0]])).sum().backward()
        optimizer.step()
    # Each score has moved by nearly 1, in opposite directions.
    assert mix.weights()[0].item() == pytest.approx(1 / (1 + np.exp(2)), abs=0.04)
