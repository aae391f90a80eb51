"""Clips as sequences of frames: padding, buckets, standardisation, and training on them."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from pianobench import NetworkHead, Pooling
from pianobench.ensemble import Ensemble
from pianobench.errors import PluginError, ResultError, StoreError, UsageError
from pianobench.fitting import Material, Member, fit_and_predict
from pianobench.model_files import read_network, save_network
from pianobench.sequences import Sequences
from pianobench.training import train_network
from pianobench.values import Fold

torch = pytest.importorskip("torch", reason="torch is not installed")

LENGTHS = (4, 1, 30, 9, 17, 12, 3, 25)


class MaskedMean(Pooling):
    """Learns nothing, so that what a head makes of it is known."""

    name = "masked-mean"

    def network(self, width):
        class Network(torch.nn.Module):
            def forward(self, values, mask, levels):
                return (values * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)

        return Network()


class Last(MaskedMean):
    """Breaks the contract: one vector per frame."""

    name = "last"

    def network(self, width):
        class Network(torch.nn.Module):
            def forward(self, values, mask, levels):
                return values

        return Network()


class Attention(Pooling):
    """Weighs frames by one of their columns, which it has to find."""

    name = "attention"

    def network(self, width):
        class Network(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.score = torch.nn.Linear(width, 1)

            def forward(self, values, mask, levels):
                score = self.score(values).squeeze(2).masked_fill(~mask, -torch.inf)
                return (torch.softmax(score, 1)[:, :, None] * values).sum(1)

        return Network()


class Linear(NetworkHead):
    """No hidden layer."""

    name: ClassVar[str] = "linear"

    def network(self, width, dimensions):
        return torch.nn.Linear(width, dimensions)


@pytest.fixture
def stored(write_frames):
    """Write clips of values, shape (frames, width); return them as sequences."""
    return lambda clips, pooling=None, layers=1: Sequences(
        pooling or MaskedMean(), write_frames(clips, layers)
    )


@pytest.fixture
def clips():
    random = np.random.default_rng(2)
    return [random.normal([5.0, -1.0, 1e4], [2.0, 0.1, 3.0], size=(n, 3)) for n in LENGTHS]


def test_columns_are_standardised_over_all_frames(stored, clips):
    clips = [np.column_stack([values, np.full(len(values), 0.1)]) for values in clips]
    sequences = stored(clips)
    every = np.concatenate(clips).astype(np.float32).astype(np.float64)
    measured = sequences.standardisation()
    np.testing.assert_allclose(measured.mean, every.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(measured.std[:3], every[:, :3].std(axis=0), rtol=1e-9)
    assert measured.std[3] == 0


def test_batches_hold_each_clip_once_padded_to_the_longest(stored, clips):
    sequences = stored(clips)
    measured = sequences.standardisation()
    batches = sequences.batches(measured)
    order = torch.Generator().manual_seed(3)
    seen = []
    for batch in batches.shuffled(3, order):
        values, mask, levels = batch.inputs
        assert len(batch.clips) <= 3
        for row, index in enumerate(batch.clips.tolist()):
            frames = LENGTHS[index]
            expected = (clips[index] - measured.mean) / measured.std
            assert mask[row].tolist() == [True] * frames + [False] * (mask.shape[1] - frames)
            np.testing.assert_allclose(values[row, :frames].numpy(), expected, atol=1e-3)
            assert not values[row, frames:].any()
            assert levels["beat"][row, :frames].tolist() == [k // 2 for k in range(frames)]
            seen.append(index)
        assert mask.shape[1] == max(LENGTHS[index] for index in batch.clips.tolist())
    assert sorted(seen) == list(range(len(LENGTHS)))


def test_clips_of_like_length_share_a_batch_and_the_order_is_drawn_anew(stored, clips):
    batches = stored(clips).batches(stored(clips).standardisation())
    order = torch.Generator().manual_seed(3)
    epochs = [[b.clips.tolist() for b in batches.shuffled(2, order)] for _ in range(6)]
    by_length = np.argsort(LENGTHS).reshape(4, 2).tolist()
    assert all(sorted(map(sorted, epoch)) == sorted(map(sorted, by_length)) for epoch in epochs)
    assert len({str(epoch) for epoch in epochs}) > 1
    again = torch.Generator().manual_seed(3)
    assert [b.clips.tolist() for b in batches.shuffled(2, again)] == epochs[0]


def test_layers_are_side_by_side_or_averaged(stored, clips):
    sequences = stored([np.hstack([values, values + 2]) for values in clips], layers=2)
    assert sequences.read(0)[0].shape == (4, 6)
    np.testing.assert_allclose(
        replace(sequences, how="mean").read(0)[0], clips[0] + 1, rtol=1e-6, atol=1e-3
    )


def test_layers_whose_weights_are_learned_stay_side_by_side(stored, clips):
    sequences = stored([np.hstack([values, values + 2]) for values in clips], layers=2)
    weighted = replace(sequences, how="weighted")
    assert weighted.layers == (0, 1)
    np.testing.assert_array_equal(weighted.read(0)[0], sequences.read(0)[0])
    module = weighted.network(Linear(), 2)
    assert module.head.in_features == 3
    assert weighted.learned(module) == {"layer_weights": {"0": 0.5, "1": 0.5}}
    assert sequences.learned(sequences.network(Linear(), 2)) == {}


def test_a_head_is_given_standardised_columns_as_without_a_learned_pooling(stored):
    frames, means, _, _ = problem()
    sequences = stored([np.column_stack([values, np.ones(len(values))]) for values in frames])
    module = sequences.network(Linear(), 2)
    given, order = [], []
    module.head.register_forward_hook(lambda _, inputs, __: given.append(inputs[0]))
    for batch in sequences.batches(sequences.standardisation()).in_order():
        module(*batch.inputs)
        order.append(batch.clips)
    expected = (means - means.mean(axis=0)) / means.std(axis=0)
    columns = torch.cat(given)[torch.argsort(torch.cat(order))].numpy()
    np.testing.assert_allclose(columns[:, :3], expected, atol=1e-4)
    assert not columns[:, 3].any()


def test_columns_far_beyond_those_of_training_are_brought_near(stored):
    frames, _, _, _ = problem()
    module = stored(frames).network(Linear(), 2)
    given = []
    module.head.register_forward_hook(lambda _, inputs, __: given.append(inputs[0]))
    module(torch.tensor([[[1e4, -1e4, 0.0]]]), torch.ones(1, 1, dtype=torch.bool), {})
    assert given[0][0, :2].tolist() == [10, -10]
    assert abs(given[0][0, 2]) < 1


def test_a_pooling_may_hand_on_what_it_makes_as_it_is(stored, clips):
    class Raw(MaskedMean):
        standardised = False

    module = stored(clips, Raw()).network(Linear(), 2)
    assert module.centre.tolist() == [0] * 3
    assert module.scale.tolist() == [1] * 3


def test_clips_of_one_frame_are_refused_where_all_are(stored, clips):
    stored(clips).require_frames()
    with pytest.raises(UsageError, match=r"single frame of every clip.*'masked-mean' has nothing"):
        stored([values[:1] for values in clips]).require_frames()


def test_frames_that_are_too_many_to_hold_are_read_again(stored, clips, monkeypatch):
    sequences = stored(clips)
    measured = sequences.standardisation()
    held = list(sequences.batches(measured).in_order())
    monkeypatch.setattr("pianobench.sequences._HELD_BYTES", 100)
    for one, other in zip(held, sequences.batches(measured).in_order(), strict=True):
        torch.testing.assert_close(one.inputs[0], other.inputs[0], rtol=0, atol=0)


def problem(clips=60):
    random = np.random.default_rng(4)
    frames = [random.normal(size=(random.integers(2, 20), 3)) for _ in range(clips)]
    means = np.array([values.mean(axis=0) for values in frames])
    y = 0.5 + means @ random.normal(size=(3, 2)) + 0.05 * random.normal(size=(clips, 2))
    groups = np.array([f"u{k % 12:02}" for k in range(clips)])
    return frames, means, y, groups


def test_a_head_behind_the_mean_finds_the_least_squares_solution(stored):
    frames, means, y, groups = problem()
    with_one = np.column_stack([means, np.ones(len(means))])
    solution = with_one @ np.linalg.lstsq(with_one, y, rcond=None)[0]
    head = Linear(learning_rate=0.02, weight_decay=0, batch_size=60, epochs=400, patience=400)
    x = stored(frames)
    fitted = train_network(head, x, y, groups, 0, validation=(x, solution))
    np.testing.assert_allclose(fitted.predict(x), solution, atol=5e-4)
    turned = np.arange(len(frames))[::-1]
    np.testing.assert_allclose(fitted.predict(x[turned]), fitted.predict(x)[turned], atol=1e-6)


def test_the_pooling_is_trained_with_the_head_on_what_the_mean_cannot_see(stored):
    random = np.random.default_rng(5)
    # One frame of each clip is marked in the last column; its first column is the label.
    frames = [random.normal(size=(random.integers(5, 15), 3)) for _ in range(150)]
    for values in frames:
        values[:, 2] = 0
        values[random.integers(len(values)), 2] = 1
    y = np.array([values[values[:, 2] == 1, :1][0] for values in frames])
    groups = np.array([f"u{k % 15:02}" for k in range(150)])
    head = Linear(learning_rate=0.05, weight_decay=0, batch_size=50, epochs=80, patience=80)
    r2 = {
        pooling.name: train_network(head, stored(frames, pooling), y, groups, 0).selected[
            "validation_r2"
        ]
        for pooling in (MaskedMean(), Attention())
    }
    assert r2["masked-mean"] < 0.5
    assert r2["attention"] > 0.8


def test_the_same_seed_gives_the_same_network(stored):
    frames, _, y, groups = problem()
    x = stored(frames, Attention())
    one, other, third = (
        train_network(Linear(epochs=3), x, y, groups, seed).predict(x) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, other)
    assert np.abs(one - third).max() > 1e-4


def test_a_network_with_its_pooling_is_kept_and_read_back(stored, tmp_path):
    clips, _, y, groups = problem(30)
    sequences, head = stored(clips, Attention()), Linear(epochs=2, learning_rate=0.01)
    network = train_network(head, sequences, y, groups, 0)
    path = save_network(tmp_path, "1", 0, head, network, sequences)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    read = read_network(path, head, sequences[np.arange(2)])
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(read.predict(sequences), network.predict(sequences))


def test_a_network_is_not_read_under_another_pooling(stored, tmp_path):
    clips, _, y, groups = problem(30)
    sequences, head = stored(clips, MaskedMean()), Linear(epochs=1)
    network = train_network(head, sequences, y, groups, 0)
    path = save_network(tmp_path, "1", 0, head, network, sequences)
    with pytest.raises(ResultError, match=r"trained on .*'masked-mean'.* given .*'attention'"):
        read_network(path, head, stored(clips, Attention()))


def test_what_a_pooling_raises_names_head_pooling_fold_and_seed(stored):
    class Raising(MaskedMean):
        """Fails to be made."""

        name = "raising"

        def network(self, width):
            raise ValueError(f"no network for {width}")

    clips, _, y, groups = problem(30)
    head, fold = Linear(epochs=1), Fold("7", np.arange(20), np.arange(20, 30))
    material = Material(head, stored(clips, Raising()), y, Ensemble(30), np.ones(30), None)
    with pytest.raises(
        PluginError, match=r"'7' \(seed 3\) .* pooling 'raising': ValueError: no network for"
    ) as raised:
        fit_and_predict(material, Member(0, fold, groups, 3))
    assert f"head {head.name!r}" in str(raised.value)


def test_batches_of_pairs_are_padded_like_others(stored, clips):
    batches = stored(clips).batches(stored(clips).standardisation())
    batch = batches.of(torch.tensor([3, 1]))
    assert batch.clips.tolist() == [3, 1]
    values, mask, _ = batch.inputs
    assert mask.sum(1).tolist() == [LENGTHS[3], LENGTHS[1]]
    assert values.shape[:2] == mask.shape == (2, LENGTHS[3])


def test_a_pooling_that_returns_no_vector_per_clip_is_refused(stored):
    frames, _, y, groups = problem()
    with pytest.raises(PluginError, match=r"pooling 'last' returns shape .* asks for \(clips"):
        train_network(Linear(), stored(frames, Last()), y, groups, 0)


def test_a_damaged_file_is_removed_so_that_it_is_made_again(stored, clips):
    sequences = stored(clips)
    sequences.paths[0].write_bytes(b"not frames")
    with pytest.raises(StoreError, match="gone or damaged"):
        sequences.read(0)
    assert not sequences.paths[0].exists()
