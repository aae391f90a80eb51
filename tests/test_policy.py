from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pianobench import AudioEncoder
from pianobench.errors import UsageError
from pianobench.policy import Policy, choose_policy


class Framed(AudioEncoder):
    """100 frames a second."""

    name = "framed"
    sample_rate = 24_000
    chunk_s = 10.0
    hop_samples = 240
    minimum_samples = 1_025


class Whole(Framed):
    name = "whole"
    chunk_s = None


class Arrays(Framed):
    name = "arrays"
    backend = "numpy"


def test_an_encoder_s_own_choices_stand_where_none_are_made() -> None:
    assert choose_policy(Framed()) == Policy(240_000, 0, "float32", "cpu")
    assert choose_policy(Whole()) == Policy(None, 0, "float32", "cpu")
    assert choose_policy(Arrays()) == Policy(240_000, 0, "float32", "cpu")


def test_choices_are_taken_in_samples() -> None:
    policy = choose_policy(
        Whole(), chunk_s=5.0, overlap_s=0.5, precision="bfloat16", device="cuda:1"
    )
    assert policy == Policy(120_000, 12_000, "bfloat16", "cuda:1")


@given(st.integers(5, 5000), st.integers(0, 2499))
def test_whole_numbers_of_frames_are_taken_however_seconds_are_rounded(
    frames: int, overlap: int
) -> None:
    assume(2 * overlap < frames)
    policy = choose_policy(Framed(), chunk_s=frames / 100, overlap_s=overlap / 100)
    assert (policy.chunk_samples, policy.overlap_samples) == (240 * frames, 240 * overlap)


@pytest.mark.parametrize(
    ("encoder", "asked", "message"),
    [
        (Framed(), {"chunk_s": 1.004}, r"1\.004 s is not a whole .*every 0\.01 s.*is 1 s"),
        (Framed(), {"overlap_s": 0.123}, r"overlap of 0\.123 s .*nearest is 0\.12 s"),
        (Framed(), {"chunk_s": 0.0001}, r"nearest is 0\.01 s"),
        (Framed(), {"chunk_s": 0.04}, "shorter than the 1025 samples at 24000 Hz"),
        (Framed(), {"overlap_s": 5.0}, "half of a chunk of 10.0 s or more"),
        (Whole(), {"overlap_s": 1.0}, r"passed whole clips.*Give --chunk"),
        (Arrays(), {"precision": "bfloat16"}, "does not run on torch, so --precision bfloat16"),
        (Framed(), {"precision": "tf32"}, "tf32 is a mode of NVIDIA GPUs; the device is 'cpu'"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_can(
    encoder: AudioEncoder, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        choose_policy(encoder, **asked)
