from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from pianobench_mel import LogMel, attack_weights, hz_to_mel, mel_filters, mel_to_hz, rises


def encode(waveform: np.ndarray, **options: Any) -> np.ndarray:
    """Encode one waveform to (frames, width)."""
    (state,) = LogMel(**options).load("cpu")(np.asarray(waveform, dtype=np.float32)[None])
    return state[0]


def levels(waveform: np.ndarray, **options: Any) -> np.ndarray:
    """Encode one waveform and keep the levels alone, (frames, bands)."""
    state = encode(waveform, lags=(), **options)
    return state[:, : state.shape[1] // 2]


def sine(hz: float, level_db: float, seconds: float = 0.5) -> np.ndarray:
    t = np.arange(round(24_000 * seconds)) / 24_000
    return 10 ** (level_db / 20) * np.sin(2 * np.pi * hz * t)


def levels_by_definition(waveform: np.ndarray, frame: int, bands: int) -> np.ndarray:
    """One frame from the sums of the definition, without a fast transform or matrix product."""
    n, rate = 512, 24_000
    start = int((frame + 0.5) * 240) - n // 2
    samples = [waveform[t] if 0 <= t < len(waveform) else 0.0 for t in range(start, start + n)]
    window = [0.5 - 0.5 * np.cos(2 * np.pi * t / n) for t in range(n)]
    power = []
    for k in range(n // 2 + 1):
        turn = np.exp(-2j * np.pi * k * np.arange(n) / n)
        power.append(abs(sum(np.multiply(samples, window) * turn)) ** 2 / (sum(window) / 2) ** 2)
    mel = [2595 * np.log10(1 + f / 700) for f in (100.0, 9000.0)]
    step = (mel[1] - mel[0]) / (bands + 1)
    edges = [700 * (10 ** ((mel[0] + i * step) / 2595) - 1) for i in range(bands + 2)]
    result = []
    for low, centre, high in zip(edges, edges[1:], edges[2:], strict=False):
        total = 0.0
        for k, p in enumerate(power):
            f = k * rate / n
            if low < f <= centre:
                total += p * (f - low) / (centre - low)
            elif centre < f < high:
                total += p * (high - f) / (high - centre)
        result.append(max(-100.0, 10 * np.log10(total) if total else -np.inf))
    return np.array(result)


@pytest.mark.parametrize("frame", [0, 3, 9])
def test_levels_are_those_of_the_definition(frame: int) -> None:
    waveform = np.random.default_rng(0).normal(0, 0.1, 2400).astype(np.float32)
    options = {"bands": 8, "window": 512, "hop": 240, "low_hz": 100.0, "high_hz": 9000.0}
    state = levels(waveform, **options)
    assert state.shape == (10, 8)
    np.testing.assert_allclose(
        state[frame], levels_by_definition(waveform, frame, 8), rtol=0, atol=1e-3
    )


def test_a_full_scale_sine_is_0_db_in_its_bin() -> None:
    # Bin 100 of 2048; a filter that is 1 there and 0 at its neighbours' sees only that bin.
    waveform = sine(100 * 24_000 / 2048, 0.0)
    encoder = LogMel(lags=())
    window = np.hanning(2049)[:-1].astype(np.float32)
    alone = np.zeros((64, 1025), dtype=np.float32)
    alone[0, 100] = 1.0
    level = encoder._levels(waveform.astype(np.float32), window, alone)
    np.testing.assert_allclose(level[5:-5, 0], 0.0, atol=0.01)
    assert np.all(level[:, 1] == -100.0)


def test_loudness_is_kept_level_by_level() -> None:
    loud, soft = (levels(sine(440.0, level)) for level in (-10.0, -30.0))
    above = soft[5:-5].max(axis=0) > -70
    np.testing.assert_allclose((loud - soft)[5:-5][:, above], 20.0, atol=1e-3)


@pytest.mark.parametrize("hz", [55.0, 261.6, 1000.0, 4186.0])
def test_a_sine_is_loudest_in_the_band_around_it(hz: float) -> None:
    ends = 2595 * np.log10(1 + np.array([30.0, 11_000.0]) / 700)
    centres = np.linspace(ends[0], ends[1], 66)[1:-1]
    nearest = np.abs(centres - 2595 * np.log10(1 + hz / 700)).argmin()
    assert levels(sine(hz, -20.0))[10].argmax() == nearest


def test_silence_is_the_floor_and_does_not_rise() -> None:
    state = encode(np.zeros(24_000), floor_db=-80.0)
    assert state.shape == (50, 64 * 5)
    np.testing.assert_array_equal(state[:, :64], -80.0)
    np.testing.assert_array_equal(state[:, 64:], 0.0)


def test_the_frame_that_holds_a_click_in_its_middle_is_the_loudest() -> None:
    click = np.zeros(24_000)
    click[20 * 480 + 240] = 1.0
    level = levels(click)
    assert level.mean(axis=1).argmax() == 20


def test_rises_compare_with_the_frame_a_lag_before() -> None:
    level = np.array([[0.0, 5.0], [3.0, 4.0], [1.0, 9.0], [7.0, 9.0]])
    assert rises(level, 1).tolist() == [[0, 0], [3, 0], [0, 5], [6, 0]]
    assert rises(level, 2).tolist() == [[0, 0], [3, 0], [1, 4], [4, 5]]
    assert rises(level, 10).tolist() == [[0, 0], [3, 0], [1, 4], [7, 4]]


def test_attacks_are_weighted_by_the_share_of_their_frame_in_the_rises() -> None:
    rise = np.array([[0.0, 0.0], [1.0, 3.0], [2.0, 0.0], [0.0, 6.0]])
    # Mean rises 0, 2, 1, 3; their squares sum to 14 over 4 frames.
    expected = np.array([0, 4, 1, 9]) * 4 / 14
    np.testing.assert_allclose(attack_weights(rise, 2.0)[:, 0], expected, rtol=1e-12)
    assert attack_weights(np.zeros((3, 2)), 2.0).tolist() == [[1.0], [1.0], [1.0]]
    assert attack_weights(rise, 0.0).tolist() == [[1.0]] * 4


def test_the_state_holds_levels_then_rises_lag_by_lag_then_attacks() -> None:
    waveform = np.random.default_rng(2).normal(0, 0.1, 24_000)
    level = levels(waveform, bands=10)
    state = encode(waveform, bands=10, lags=(2, 5), attack_lag=3)
    attacks = (level + 100) * attack_weights(rises(level, 3), 6.0)
    expected = np.hstack([level, rises(level, 2), rises(level, 5), attacks])
    np.testing.assert_allclose(state, expected, rtol=1e-6)


def test_the_mean_of_the_attacks_is_the_spectrum_at_a_lone_onset() -> None:
    ringing = sine(440.0, -20.0, 2.0) * np.exp(-4 * np.arange(48_000) / 24_000)
    waveform = np.concatenate([np.zeros(12_000), ringing])
    state = encode(waveform, attack_lag=1)
    attacks = state[:, -64:].mean(axis=0) - 100
    onset = rises(state[:, :64], 1).mean(axis=1).argmax()
    assert 23 <= onset <= 25
    np.testing.assert_allclose(attacks, state[onset, :64], atol=3.0)
    assert np.abs(attacks - state[:, :64].mean(axis=0)).max() > 20


@settings(deadline=None, max_examples=25)
@given(
    level=arrays(np.float64, (6, 2), elements=st.floats(-100, 0)),
    lag=st.integers(1, 8),
    gain=st.floats(-50, 50),
)
def test_rises_do_not_depend_on_the_overall_level(level: np.ndarray, lag: int, gain: float) -> None:
    np.testing.assert_allclose(rises(level + gain, lag), rises(level, lag), atol=1e-9)


def test_the_mel_scale_holds_its_two_fixed_points_and_can_be_inverted() -> None:
    np.testing.assert_allclose(hz_to_mel(np.array([0.0, 1000.0])), [0.0, 1000.0], atol=0.02)
    hz = np.linspace(0, 12_000, 100)
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hz)), hz, atol=1e-8)


def test_filters_sum_to_one_between_the_outer_centres() -> None:
    filters = mel_filters(2048, 24_000, 40, 30.0, 11_000.0)
    hz = np.arange(1025) * 24_000 / 2048
    ends = hz_to_mel(np.array([30.0, 11_000.0]))
    edges = mel_to_hz(np.linspace(ends[0], ends[1], 42))
    inner = (hz >= edges[1]) & (hz <= edges[-2])
    np.testing.assert_allclose(filters[inner].sum(axis=1), 1.0, rtol=1e-12)
    assert np.all(filters[(hz <= edges[0]) | (hz >= edges[-1])] == 0)


@settings(deadline=None, max_examples=15)
@given(samples=st.integers(1, 3000))
def test_any_length_gives_a_frame_for_every_hop_begun(samples: int) -> None:
    state = encode(np.random.default_rng(samples).normal(0, 0.1, samples))
    assert state.shape == (-(-samples // 480), 320)
    assert np.isfinite(state).all()


def test_long_audio_in_parts_equals_short_audio() -> None:
    waveform = np.random.default_rng(4).normal(0, 0.1, 480 * 1100).astype(np.float32)
    whole = levels(waveform, bands=8)
    part = levels(waveform[480 * 1000 : 480 * 1100], bands=8)
    np.testing.assert_allclose(whole[1005:1095], part[5:95], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hop": 4096}, "hop of 4096 skips samples"),
        ({"low_hz": 900.0, "high_hz": 800.0}, "low_hz 900.0 is not below"),
        ({"bands": 500}, "too short for 500 bands"),
        ({"high_hz": 13_000.0}, "less than or equal to 12000"),
        ({"lags": (0,)}, "greater than 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LogMel(**options)


def test_it_travels_between_processes() -> None:
    assert pickle.loads(pickle.dumps(LogMel(bands=40))) == LogMel(bands=40)


DIGEST = """
import hashlib, numpy as np
from pianobench_mel import LogMel
waveforms = np.random.default_rng(0).normal(0, 0.1, (1, 240_000)).astype(np.float32)
print(hashlib.sha256(LogMel().load("cpu")(waveforms)[0].tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_the_number_of_threads_does_not_change_a_bit() -> None:
    digests = set()
    for threads in ("1", "2", "4"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        command = [sys.executable, "-c", DIGEST]
        digests.add(subprocess.check_output(command, env=environment, text=True))
    assert len(digests) == 1
