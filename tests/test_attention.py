"""Attention over frames against its formula and against torch's own attention."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from pianobench.attention import FrameAttention  # noqa: E402 - it needs torch

LENGTHS = [4, 1, 9]
WIDTH = 5


@pytest.fixture
def frames():
    return torch.from_numpy(np.random.default_rng(1).normal(size=(sum(LENGTHS), WIDTH))).float()


def attention(**options):
    torch.manual_seed(2)
    given = {"heads": 3, "hidden": 7, "dropout": 0.0}
    return FrameAttention(WIDTH, **{**given, **options}).eval()


def test_each_head_sums_whole_frames_by_a_softmax_of_its_scores(frames):
    module = attention()
    first, last = (module.score[k].weight.detach().double().numpy() for k in (0, 2))
    bias = module.score[0].bias.detach().double().numpy()
    expected = []
    for own in np.split(frames.double().numpy(), np.cumsum(LENGTHS)[:-1]):
        score = np.tanh(own @ first.T + bias) @ last.T
        weight = np.exp(score) / np.exp(score).sum(axis=0)
        expected.append(np.concatenate([weight[:, head] @ own for head in range(3)]))
    found = module(frames, LENGTHS).detach().numpy()
    assert found.shape == (3, module.width)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_linear_scores_are_those_of_a_learned_query(frames):
    module = attention(hidden=None)
    padded = torch.nn.utils.rnn.pad_sequence(torch.split(frames, LENGTHS), batch_first=True)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    query = module.score.weight.expand(len(LENGTHS), -1, -1)
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, padded, padded, attn_mask=mask[:, None], scale=1.0
    )
    torch.testing.assert_close(module(frames, LENGTHS), expected.flatten(1), atol=1e-6, rtol=0)


def test_equal_scores_give_the_mean_and_a_single_frame_itself(frames):
    module = attention(heads=1, hidden=None)
    torch.nn.init.zeros_(module.score.weight)
    expected = torch.stack([own.mean(0) for own in torch.split(frames, LENGTHS)])
    found = module(frames, LENGTHS)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    assert torch.equal(found[1], frames[LENGTHS[0]])


def test_scores_far_apart_pick_a_frame_without_overflow(frames):
    module = attention(heads=1, hidden=None)
    torch.nn.init.constant_(module.score.weight, 1e6)
    found = module(frames, LENGTHS)
    picked = [own[own.sum(1).argmax()] for own in torch.split(frames, LENGTHS)]
    torch.testing.assert_close(found, torch.stack(picked))


def test_frames_are_left_out_in_training_only_and_the_rest_makes_up_for_them(frames):
    module = attention(heads=1, dropout=0.4)
    expected = module(frames, LENGTHS)
    module.train()
    with torch.no_grad():
        drawn = torch.stack([module(frames, LENGTHS) for _ in range(3000)])
    assert (drawn[:, 1] == 0).all(1).float().mean() == pytest.approx(0.4, abs=0.05)
    torch.testing.assert_close(drawn.mean(0), expected, atol=0.1, rtol=0)
