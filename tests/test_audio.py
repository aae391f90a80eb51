import hashlib
import os
import struct
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pianobench.audio import (
    chunk_bounds,
    quantise,
    read_audio,
    read_flac,
    samples_digest,
    write_flac,
)
from pianobench.errors import AudioError, DependencyError

UNIT = st.floats(-1, 1, width=32)


def sine(hz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("f4")


def wav(path: Path, samples: np.ndarray, rate: int = 24_000) -> Path:
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def test_a_file_at_the_wanted_rate_is_read_as_it_is(tmp_path):
    samples = sine(440, 24_000)
    read = read_audio(wav(tmp_path / "a.wav", samples), 24_000)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, samples)


def test_channels_are_averaged(tmp_path):
    left, right = sine(440, 24_000), sine(700, 24_000)
    read = read_audio(wav(tmp_path / "a.wav", np.stack([left, right], axis=1)), 24_000)
    np.testing.assert_allclose(read, (left + right) / 2, atol=1e-7)


def test_another_rate_keeps_a_tone_what_it_is(tmp_path):
    read = read_audio(wav(tmp_path / "a.wav", sine(440, 44_100), 44_100), 24_000)
    assert len(read) == 24_000
    inner = slice(1000, -1000)
    np.testing.assert_allclose(read[inner], sine(440, 24_000)[inner], atol=1e-4)


def test_what_the_lower_rate_cannot_hold_is_removed_and_not_folded_back(tmp_path):
    read = read_audio(wav(tmp_path / "a.wav", sine(15_000, 44_100), 44_100), 24_000)
    assert np.abs(read[1000:-1000]).max() < 1e-4


def test_a_part_is_read_by_seconds(tmp_path):
    samples = sine(440, 24_000)
    path = wav(tmp_path / "a.wav", samples)
    np.testing.assert_array_equal(read_audio(path, 24_000, 0.25, 0.5), samples[6_000:12_000])
    np.testing.assert_array_equal(read_audio(path, 24_000, 0.25), samples[6_000:])


def test_an_end_beyond_the_file_is_the_end_of_the_file(tmp_path):
    path = wav(tmp_path / "a.wav", sine(440, 24_000))
    assert len(read_audio(path, 24_000, 0.5, 7.0)) == 12_000


@pytest.mark.parametrize(("start_s", "end_s"), [(1.0, None), (2.0, 3.0), (0.5, 0.5), (-1.0, 0.5)])
def test_a_part_with_nothing_in_it_is_refused(tmp_path, start_s, end_s):
    path = wav(tmp_path / "a.wav", sine(440, 24_000))
    with pytest.raises(AudioError, match=r"has 1\.000 s; from .* there is nothing in it"):
        read_audio(path, 24_000, start_s, end_s)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_with_its_time(tmp_path, bad):
    samples = sine(440, 24_000)
    samples[12_000] = bad
    path = wav(tmp_path / "a.wav", samples)
    with pytest.raises(AudioError, match=r"not a number, 0\.500 s from its start"):
        read_audio(path, 24_000)


def test_an_empty_file_is_refused(tmp_path):
    path = wav(tmp_path / "a.wav", np.zeros(0, dtype=np.float32))
    with pytest.raises(AudioError, match=r"has 0\.000 s"):
        read_audio(path, 24_000)


def test_what_is_no_audio_is_refused_with_its_path(tmp_path):
    path = tmp_path / "a.wav"
    path.write_text("not audio")
    with pytest.raises(AudioError, match=r"Cannot read the audio file .*a\.wav"):
        read_audio(path, 24_000)
    with pytest.raises(AudioError, match=r"Cannot read the audio file .*absent\.wav"):
        read_audio(tmp_path / "absent.wav", 24_000)


def test_a_flac_that_breaks_off_is_refused(tmp_path):
    noise = np.random.default_rng(0).uniform(-1, 1, 48_000).astype("f4")
    path = tmp_path / "a.flac"
    write_flac(path, quantise(noise), 24_000)
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(AudioError, match=r"Cannot read|breaks off"):
        read_audio(path, 24_000)


def test_without_soxr_another_rate_names_the_command_that_installs_it(tmp_path, monkeypatch):
    path = wav(tmp_path / "a.wav", sine(440, 44_100), 44_100)
    monkeypatch.setitem(sys.modules, "soxr", None)
    assert len(read_audio(path, 44_100)) == 44_100
    with pytest.raises(DependencyError, match=r'pip install "pianobench\[audio\]"'):
        read_audio(path, 24_000)


@given(arrays(np.float32, st.integers(1, 300), elements=UNIT))
@settings(max_examples=40)
def test_flac_holds_exactly_the_quantised_numbers(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("flac") / "a.flac"
    write_flac(path, quantise(samples), 24_000)
    np.testing.assert_array_equal(read_flac(path), quantise(samples))
    assert samples_digest(read_flac(path)) == samples_digest(quantise(samples))


@given(arrays(np.float32, st.integers(1, 300), elements=UNIT))
@settings(max_examples=40)
def test_quantising_moves_a_sample_by_half_a_step_and_only_once(samples):
    once = quantise(samples)
    inside = samples <= 32767 / 32768
    assert np.abs(once - samples)[inside].max(initial=0) <= 0.5 / 32768
    np.testing.assert_array_equal(quantise(once), once)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.flac"
    write_flac(path, quantise(sine(440, 24_000)), 24_000)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_flac(path, quantise(sine(700, 24_000)), 24_000)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_a_flac_of_several_channels_is_no_render(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.zeros((10, 2), dtype=np.int16), 24_000)
    with pytest.raises(AudioError, match="2 channels"):
        read_flac(path)


def test_the_digest_is_that_of_the_float_samples():
    samples = np.array([0.0, 0.25, -1.0], dtype=np.float32)
    expected = hashlib.sha256(struct.pack("<3f", 0.0, 0.25, -1.0)).hexdigest()
    assert samples_digest(samples) == expected
    assert samples_digest(np.repeat(samples, 2)[::2]) == expected


@given(
    st.integers(1, 500), st.integers(1, 60), st.integers(1, 60), st.floats(0, 1, exclude_max=True)
)
def test_chunks_cover_the_waveform_share_the_overlap_and_only_the_last_differs(
    samples, length, minimum, share
):
    minimum = min(minimum, length, samples)
    overlap = int(share * length)
    bounds = chunk_bounds(samples, length, minimum, overlap)
    assert (bounds[0][0], bounds[-1][1]) == (0, samples)
    for (_, end), (start, _) in pairwise(bounds):
        assert end - start == overlap
    assert all(end - start == length for start, end in bounds[:-1])
    last = bounds[-1][1] - bounds[-1][0]
    assert minimum <= last < length + minimum
    assert len(bounds) == 1 or last > overlap


def test_without_a_length_the_waveform_stays_whole():
    assert chunk_bounds(7, None, 7) == [(0, 7)]


def test_a_waveform_below_the_minimum_is_refused():
    with pytest.raises(AudioError, match="6 samples is shorter than the 7"):
        chunk_bounds(6, None, 7)
    with pytest.raises(AudioError, match="0 samples"):
        chunk_bounds(0, 10, 0)
