from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pianobench import AudioEncoder, AudioError
from pianobench import forward as forward_module
from pianobench.errors import EncodingError
from pianobench.forward import States, encode_waveform, encode_waveforms
from pianobench.policy import Policy, choose_policy

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


def encode_all(
    waveforms: list[np.ndarray], loaded: Callable[[Any], Any], policy: Policy | None = None
) -> dict[int, Any]:
    """Encode clips as on an accelerator; outcomes by clip."""
    policy = policy or choose_policy(Blocks(), device="accelerator")
    readers = [lambda waveform=waveform: waveform for waveform in waveforms]
    return dict(encode_waveforms(Blocks(), loaded, readers, policy))


def means(waveform: np.ndarray) -> np.ndarray:
    return waveform.reshape(-1, 100).mean(1)


def test_on_a_cpu_chunks_are_passed_one_by_one() -> None:
    loaded = Loaded()
    encode(wave(2500), loaded)
    assert loaded.batches == [(1, 1000), (1, 1000), (1, 500)]


def test_on_an_accelerator_chunks_of_several_clips_share_batches_of_equal_length() -> None:
    loaded = Loaded()
    waveforms = [wave(n) for n in (3500, 2500, 4300, 2500, 3000)]
    outcomes = encode_all(waveforms, loaded)
    assert sorted(loaded.batches) == [(1, 300), (3, 500), (6, 1000), (8, 1000)]
    for index, waveform in enumerate(waveforms):
        np.testing.assert_allclose(outcomes[index].layers[0][:, 0], means(waveform), rtol=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(3, 60), min_size=1, max_size=12), st.integers(1, 20))
def test_clips_that_share_batches_come_out_as_they_do_alone(tenths: list[int], held_s: int) -> None:
    waveforms = [wave(100 * n + k) for k, n in enumerate(tenths)]
    policy = Policy(1000, 200, device="accelerator")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forward_module, "_HELD_S", float(held_s))
        outcomes = encode_all(waveforms, Loaded(), policy)
    assert sorted(outcomes) == list(range(len(waveforms)))
    for index, waveform in enumerate(waveforms):
        alone = encode_waveform(Blocks(), Loaded(), waveform, Policy(1000, 200))
        np.testing.assert_array_equal(outcomes[index].times_s, alone.times_s)
        for together, single in zip(outcomes[index].layers, alone.layers, strict=True):
            np.testing.assert_allclose(together, single, rtol=1e-6)


def test_the_audio_that_waits_for_others_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward_module, "_HELD_S", 5.0)
    read = []

    def reader(index: int) -> Callable[[], np.ndarray]:
        return lambda: read.append(index) or wave(1000 + index)

    policy = Policy(None, device="accelerator")
    readers = map(reader, range(100))
    for index, outcome in encode_waveforms(Blocks(), Loaded(), readers, policy):
        assert isinstance(outcome, States)
        assert len(read) - index <= 6
    assert len(read) == 100


def test_a_clip_that_cannot_be_read_or_encoded_costs_the_others_nothing() -> None:
    loaded = Loaded()

    def allergic(waveforms: np.ndarray) -> list[np.ndarray]:
        if (waveforms == 0.125).any():
            raise ValueError("an eighth")
        return loaded(waveforms)

    waveforms = [wave(2000) for _ in range(6)]
    waveforms[1] = np.full(2000, np.nan, dtype=np.float32)
    waveforms[2] = np.full(2000, 0.125, dtype=np.float32)
    waveforms[4] = wave(100)
    outcomes = encode_all(waveforms, allergic)
    assert isinstance(outcomes[1], AudioError)
    assert isinstance(outcomes[4], AudioError)
    assert isinstance(outcomes[2], EncodingError)
    assert "an eighth" in str(outcomes[2])
    for index in (0, 3, 5):
        np.testing.assert_allclose(outcomes[index].layers[0][:, 0], means(waveforms[index]), 1e-5)


def test_values_that_are_not_finite_are_laid_to_the_clip_that_has_them() -> None:
    def logarithm(waveforms: np.ndarray) -> list[np.ndarray]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return [np.log(np.abs(state)) for state in Loaded()(waveforms)]

    waveforms = [wave(1000), np.zeros(1000, dtype=np.float32), wave(1000)]
    outcomes = encode_all(waveforms, logarithm)
    assert [type(outcomes[index]) for index in range(3)] == [States, EncodingError, States]


class Smooth(AudioEncoder):
    """State 0: the samples; state 1: their mean over 21, silence beyond the ends."""

    name = "smooth"
    sample_rate = RATE
    backend = "numpy"
    layers = 1
    chunk_s = 0.1
    hop_samples = 1

    def load(self, device: str) -> Any:
        def states(waveforms: np.ndarray) -> list[np.ndarray]:
            around = [np.convolve(w, np.ones(21) / 21, "same") for w in waveforms]
            return [waveforms[:, :, None], np.array(around)[:, :, None]]

        return states


@pytest.mark.parametrize("samples", [100, 101, 350, 421, 1000])
@pytest.mark.parametrize("overlap", [20, 21, 40, 49])
def test_overlapped_chunks_give_what_the_whole_gives_where_the_overlap_spans_the_context(
    samples: int, overlap: int
) -> None:
    waveform, encoder = wave(samples), Smooth()
    loaded = encoder.load("cpu")
    whole = encode_waveform(encoder, loaded, waveform, Policy(None))
    chunked = encode_waveform(encoder, loaded, waveform, Policy(100, overlap))
    np.testing.assert_allclose(chunked.times_s, whole.times_s, rtol=1e-9)
    np.testing.assert_array_equal(chunked.layers[0][:, 0], waveform)
    np.testing.assert_allclose(chunked.layers[1], whole.layers[1], atol=1e-6)


def test_without_overlap_frames_near_a_cut_differ_and_no_others() -> None:
    waveform, encoder = wave(400), Smooth()
    loaded = encoder.load("cpu")
    whole = encode_waveform(encoder, loaded, waveform, Policy(None)).layers[1][:, 0]
    cut = encode_waveform(encoder, loaded, waveform, Policy(100)).layers[1][:, 0]
    differs = np.flatnonzero(np.abs(cut - whole) > 1e-6)
    distance = np.min([np.abs(differs - at + 0.5) for at in (100, 200, 300)], axis=0)
    assert 50 < len(differs) <= 60
    assert distance.max() < 10


def test_frames_of_overlapping_chunks_meet_with_a_rate_that_the_encoder_gives() -> None:
    loaded = Loaded()
    loaded.frame_rate_hz = 10.0  # type: ignore[attr-defined]  # optional in the contract
    for overlap in (100, 200, 300):
        waveform = wave(5300)
        states = encode_waveform(Blocks(), loaded, waveform, Policy(1000, overlap))
        np.testing.assert_allclose(states.times_s, (np.arange(53) + 0.5) / 10, rtol=1e-9)
        np.testing.assert_allclose(states.layers[0][:, 0], means(waveform), rtol=1e-5)


def test_an_encoder_that_gives_its_states_one_by_one_is_stopped_after_the_last_wanted() -> None:
    computed = []

    def one_by_one(waveforms: np.ndarray) -> Any:
        for layer, state in enumerate(Loaded()(waveforms)):
            computed.append(layer)
            yield state

    waveform = wave(900)
    first = encode_waveform(Blocks(), one_by_one, waveform, choose_policy(Blocks()), last_layer=0)
    assert computed == [0]
    at_once = encode_waveform(Blocks(), Loaded(), waveform, choose_policy(Blocks()), last_layer=0)
    for states in (first, at_once):
        assert len(states.layers) == 1
        np.testing.assert_allclose(states.layers[0][:, 0], means(waveform), rtol=1e-5)


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


@pytest.mark.parametrize(
    "error", [OutOfMemoryError(), RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)")]
)
def test_a_batch_that_does_not_fit_is_halved_for_good(error: Exception) -> None:
    loaded, tried = Loaded(), []

    def small_device(waveforms: np.ndarray) -> list[np.ndarray]:
        tried.append(len(waveforms))
        if len(waveforms) > 3:
            raise error
        return loaded(waveforms)

    waveforms = [wave(8000 + k) for k in range(3)]
    outcomes = encode_all(waveforms, small_device)
    assert tried[:3] == [8, 4, 2]
    assert max(tried[2:]) == 2
    for index in range(3):
        blocks = waveforms[index][:8000].reshape(-1, 100).max(1)
        np.testing.assert_array_equal(outcomes[index].layers[1][:, 0], blocks)


def test_a_device_that_holds_not_even_one_chunk_is_an_error() -> None:
    def tiny_device(waveforms: np.ndarray) -> list[np.ndarray]:
        raise OutOfMemoryError

    outcomes = encode_all([wave(8000), wave(3000)], tiny_device)
    for index in (0, 1):
        assert isinstance(outcomes[index], EncodingError)
        assert "OutOfMemoryError" in str(outcomes[index])
        assert "--chunk" in str(outcomes[index])


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
