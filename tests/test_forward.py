from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pianobench import AudioEncoder, AudioError
from pianobench.errors import EncodingError
from pianobench.forward import encode_waveform
from pianobench.policy import choose_policy

RATE = 1000


class Blocks(AudioEncoder):
    """Mean (state 0) and maximum (state 1) of blocks of 100 samples; keeps what it was given."""

    name = "blocks"
    sample_rate = RATE
    backend = "numpy"
    layers = 1
    chunk_s = 1.0
    minimum_samples = 250

    def load(self, device: str) -> Any:
        return Loaded()


class Loaded:
    def __init__(self) -> None:
        self.batches: list[tuple[int, ...]] = []

    def __call__(self, waveforms: np.ndarray) -> list[np.ndarray]:
        self.batches.append(waveforms.shape)
        blocks = waveforms[:, : waveforms.shape[1] // 100 * 100].reshape(len(waveforms), -1, 100)
        return [blocks.mean(2, keepdims=True), blocks.max(2, keepdims=True)]


def wave(samples: int) -> np.ndarray:
    return np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)


def encode(waveform: np.ndarray, loaded: Callable[[Any], Any]) -> Any:
    return encode_waveform(Blocks(), loaded, waveform, choose_policy(Blocks()))


def test_states_of_chunks_are_joined_over_time() -> None:
    waveform = wave(3500)
    states = encode(waveform, Loaded())
    np.testing.assert_allclose(states.layers[0][:, 0], waveform.reshape(-1, 100).mean(1), rtol=1e-5)
    np.testing.assert_array_equal(states.layers[1][:, 0], waveform.reshape(-1, 100).max(1))


def test_only_chunks_of_equal_length_share_a_batch() -> None:
    loaded = Loaded()
    encode(wave(11_500), loaded)
    assert loaded.batches == [(8, 1000), (3, 1000), (1, 500)]


def test_a_short_rest_is_joined_to_the_chunk_before() -> None:
    loaded = Loaded()
    states = encode(wave(2200), loaded)
    assert loaded.batches == [(1, 1000), (1, 1200)]
    assert states.layers[0].shape == (22, 1)


def test_frame_times_are_centres_measured_from_the_number_of_frames() -> None:
    states = encode(wave(2500), Loaded())
    np.testing.assert_allclose(states.times_s, 0.05 + 0.1 * np.arange(25), rtol=1e-12)


def test_a_frame_rate_that_the_encoder_gives_is_used() -> None:
    loaded = Loaded()
    loaded.frame_rate_hz = 8.0  # type: ignore[attr-defined]  # optional in the contract
    times_s = encode(wave(1300), loaded).times_s
    second = 1.0 + (np.arange(3) + 0.5) / 8
    np.testing.assert_allclose(times_s, [*((np.arange(10) + 0.5) / 8), *second])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_a_number_is_refused_with_its_time(bad: float) -> None:
    waveform = wave(2000)
    waveform[1234] = bad
    with pytest.raises(AudioError, match=r"not a number, at 1\.234 s"):
        encode(waveform, Loaded())


def test_a_clip_shorter_than_the_encoder_takes_is_refused() -> None:
    with pytest.raises(AudioError, match="249 samples is shorter than the 250"):
        encode(wave(249), Loaded())


def spoil(change: Callable[[list[np.ndarray]], list[np.ndarray]]) -> Callable[[Any], Any]:
    return lambda waveforms: change(Loaded()(waveforms))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s[:1], "1 states; its layers = 1 promises 2"),
        (lambda s: [*s, s[0]], "3 states"),
        (lambda s: [s[0], s[1][0]], r"shape \(1, 10, 1\), \(10, 1\)"),
        (lambda s: [s[0], s[1][:, 1:]], r"shape \(1, 9, 1\), \(1, 10, 1\)"),
        (lambda s: [np.repeat(x, 2, axis=0) for x in s], r"\(2, 10, 1\) for 1 waveforms"),
        (lambda s: [x[:, :0] for x in s], r"shape \(1, 0, 1\)"),
        (lambda s: [s[0], s[1] * np.nan], "not finite in layer 1"),
    ],
)
def test_broken_promises_are_refused_with_the_encoder_s_name(change: Any, message: str) -> None:
    with pytest.raises(EncodingError, match=f"'blocks' returned .*{message}"):
        encode(wave(1000), spoil(change))


def test_an_encoder_that_fails_is_named_with_what_it_was_given() -> None:
    def broken(waveforms: np.ndarray) -> list[np.ndarray]:
        raise RuntimeError("weights are upside down")

    with pytest.raises(EncodingError, match=r"'blocks' failed on 1000 .*upside down"):
        encode(wave(1000), broken)


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


def test_a_batch_that_does_not_fit_is_halved_until_it_does() -> None:
    loaded = Loaded()

    def small_device(waveforms: np.ndarray) -> list[np.ndarray]:
        if len(waveforms) > 3:
            raise OutOfMemoryError
        return loaded(waveforms)

    waveform = wave(8000)
    states = encode(waveform, small_device)
    assert [shape[0] for shape in loaded.batches] == [2, 2, 2, 2]
    np.testing.assert_array_equal(states.layers[1][:, 0], waveform.reshape(-1, 100).max(1))


def test_a_device_that_holds_not_even_one_chunk_is_an_error() -> None:
    def tiny_device(waveforms: np.ndarray) -> list[np.ndarray]:
        raise OutOfMemoryError

    with pytest.raises(EncodingError, match="OutOfMemoryError"):
        encode(wave(8000), tiny_device)


def test_torch_encoders_get_float32_tensors_without_gradient_in_one_thread() -> None:
    torch = pytest.importorskip("torch")
    seen = []

    class Doubling(AudioEncoder):
        name = "doubling"
        sample_rate = RATE
        chunk_s = None

        def load(self, device: str) -> Any:
            def states(waveforms: Any) -> Any:
                seen.append((waveforms.dtype, torch.is_grad_enabled(), torch.get_num_threads()))
                return (2 * waveforms[:, :, None].to(torch.bfloat16),)

            return states

    before = torch.get_num_threads()
    waveform = np.array([0.5, -0.25, 1.0], dtype=np.float32)
    states = encode_waveform(
        Doubling(), Doubling().load("cpu"), waveform, choose_policy(Doubling())
    )
    assert seen == [(torch.float32, False, 1)]
    assert torch.get_num_threads() == before
    assert states.layers[0].dtype == np.float32
    assert states.layers[0].tolist() == [[1.0], [-0.5], [2.0]]
