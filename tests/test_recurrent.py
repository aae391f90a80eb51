"""Recurrent networks over sequences of unlike lengths against torch's packed sequences."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from pianobench.recurrent import BidirectionalLSTM, find_runs  # noqa: E402 - it needs torch


def test_rows_of_a_sequence_keep_their_order_wherever_they_lie():
    runs = find_runs(torch.tensor([2, 0, 2, 0, 0, 5]))
    assert runs.order.tolist() == [1, 3, 4, 0, 2, 5]
    assert runs.starts.tolist() == [0, 3, 5]
    assert runs.lengths.tolist() == [3, 2, 1]


@pytest.mark.parametrize("layers", [1, 2])
def test_it_reads_as_the_packed_lstm_does(layers, same_weights):
    torch.manual_seed(0)
    module = BidirectionalLSTM(3, 4, layers, 0.0).eval()
    # From 1 to 60: read in several batches of like length.
    lengths = [1, 60, 2, 17, 33, 5]
    random = np.random.default_rng(3)
    rows = torch.from_numpy(random.normal(size=(sum(lengths), 3))).float()
    sequence = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    packed = torch.nn.utils.rnn.pack_sequence(torch.split(rows, lengths), enforce_sorted=False)
    read, _ = same_weights(module, 3)(packed)
    expected = torch.cat(torch.nn.utils.rnn.unpack_sequence(read))
    with torch.no_grad():
        torch.testing.assert_close(module(rows, find_runs(sequence)), expected, atol=1e-6, rtol=0)
