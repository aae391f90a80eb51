"""The LSTM pooling against torch's packed LSTM, its padding, and what order says."""

from __future__ import annotations

import numpy as np
import pytest

from pianobench.sequences import Sequences
from pianobench.testing import check_component
from pianobench.training import train_network
from pianobench_lstm import Lstm
from pianobench_mlp import Mlp

torch = pytest.importorskip("torch", reason="torch is not installed")

WIDTH, LENGTHS = 3, (6, 1, 40, 25)


@pytest.fixture
def clips():
    random = np.random.default_rng(4)
    return [torch.from_numpy(random.normal(size=(n, WIDTH))).float() for n in LENGTHS]


def network(**options):
    torch.manual_seed(6)
    return Lstm(**{"units": 5, **options}).network(WIDTH).requires_grad_(False).eval()


def packed(module, clips, same_weights):
    """States of all steps, padded, and last states, (layers * 2, clips, units)."""
    sequences = torch.nn.utils.rnn.pack_sequence(clips, enforce_sorted=False)
    states, (last, _) = same_weights(module.reader, clips[0].shape[1])(sequences)
    return torch.nn.utils.rnn.unpack_sequence(states), last


@pytest.mark.parametrize("layers", [1, 2])
def test_the_last_states_are_those_of_the_packed_lstm(clips, layers, same_weights, padded):
    module = network(summary="last", layers=layers)
    _, last = packed(module, clips, same_weights)
    expected = torch.cat([last[-2], last[-1]], dim=1)
    torch.testing.assert_close(module(*padded(clips)), expected, atol=1e-6, rtol=0)


def test_the_mean_is_that_of_the_packed_lstm_over_real_frames(clips, same_weights, padded):
    module = network(summary="mean")
    states, _ = packed(module, clips, same_weights)
    expected = torch.stack([own.mean(dim=0) for own in states])
    torch.testing.assert_close(module(*padded(clips)), expected, atol=1e-6, rtol=0)


def test_attention_weighs_the_states_of_the_packed_lstm(clips, same_weights, padded):
    module = network()
    states, _ = packed(module, clips, same_weights)
    hidden, _, last = module.summary.score
    expected = []
    for own in states:
        score = torch.tanh(own @ hidden.weight.T + hidden.bias) @ last.weight.T
        expected.append((torch.softmax(score[:, 0], 0)[:, None] * own).sum(0))
    torch.testing.assert_close(module(*padded(clips)), torch.stack(expected), atol=1e-6, rtol=0)


def test_neighbouring_frames_are_averaged_before_they_are_read(clips, padded):
    averaged = [
        torch.stack([part.mean(dim=0) for part in torch.split(values, 4)]) for values in clips
    ]
    assert [len(values) for values in averaged] == [2, 1, 10, 7]
    found = network(frames_per_step=4)(*padded(clips, junk=9.0, extra=3))
    torch.testing.assert_close(found, network()(*padded(averaged)), atol=1e-6, rtol=0)


@pytest.mark.parametrize("summary", ["attention", "mean", "last"])
@pytest.mark.parametrize("junk", [0.0, float("nan")])
def test_padding_changes_not_one_bit(clips, summary, junk, padded):
    module = network(summary=summary, frames_per_step=2)
    expected = module(*padded(clips))
    assert torch.equal(module(*padded(clips, junk, extra=13)), expected)
    assert expected.shape == (4, 10)


@pytest.mark.parametrize(
    "options", [{}, {"summary": "mean", "layers": 2, "dropout": 0.5}, {"summary": "last"}]
)
def test_it_keeps_what_a_learned_pooling_promises(options):
    assert Lstm(**options).learned
    checks = check_component(Lstm(units=8, **options))
    assert [str(check) for check in checks if not check.passed] == []


def test_the_defaults_are_those_of_the_study():
    module = Lstm().network(1024)
    reference = torch.nn.LSTM(1024, 256, bidirectional=True)
    found = sum(value.numel() for value in module.parameters())
    assert found == sum(v.numel() for v in reference.parameters()) + 512 * 128 + 128 + 128


@pytest.mark.parametrize("summary", ["attention", "last"])
def test_it_learns_an_order_that_no_weights_of_frames_can_show(write_frames, summary):
    random = np.random.default_rng(7)
    clips, y = [], np.empty((200, 1))
    for index in range(200):
        # Two marks, of equal size: which comes first is the label.
        values = 0.1 * random.normal(size=(random.integers(6, 12), 2))
        first, second = np.sort(random.choice(len(values), 2, replace=False))
        y[index] = index % 2
        values[first, index % 2] = values[second, 1 - index % 2] = 2
        clips.append(values)
    means = np.array([values.mean(axis=0) for values in clips])
    assert abs(np.corrcoef(means[:, 0] - means[:, 1], y[:, 0])[0, 1]) < 0.2
    head = Mlp(hidden=32, learning_rate=0.01, epochs=40, patience=40, dropout=0)
    groups = np.array([f"u{k // 2 % 16:02}" for k in range(200)])
    pooling = Lstm(units=12, summary=summary)
    fitted = train_network(head, Sequences(pooling, write_frames(clips)), y, groups, 0)
    assert fitted.selected["validation_r2"] > 0.9
