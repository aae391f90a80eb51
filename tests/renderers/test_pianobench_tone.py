from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pianobench import Notes, write_notes
from pianobench_tone import Tone

RATE = 16_000


def midi(path: Path, notes: list[tuple[float, float, int, int]], pedal=()) -> Path:
    """Write (onset, offset, pitch, velocity) and (time, value) of the sustain pedal."""
    onset, offset, pitch, velocity = (np.array(column) for column in zip(*notes, strict=True))
    time = np.array([t for t, _ in pedal], dtype=np.float64)
    value = np.array([v for _, v in pedal], dtype=np.int64)
    number = np.full(len(time), 64)
    write_notes(path, Notes(onset, offset, pitch, velocity, time, number, value))
    return path


def level(samples: np.ndarray, start_s: float, end_s: float) -> float:
    return float(np.sqrt(np.mean(samples[round(start_s * RATE) : round(end_s * RATE)] ** 2)))


@pytest.mark.parametrize("pitch", [45, 57, 69, 81])
def test_a_key_sounds_at_its_frequency(tmp_path, pitch):
    samples = Tone(brightness=0).render(midi(tmp_path / "a.mid", [(0, 2, pitch, 80)]), RATE)
    spectrum = np.abs(np.fft.rfft(samples[: 2 * RATE] * np.hanning(2 * RATE)))
    peak_hz = np.argmax(spectrum) / 2  # bins of a 2 s window are half a hertz apart
    assert peak_hz == pytest.approx(440 * 2 ** ((pitch - 69) / 12), abs=0.5)


@given(st.integers(1, 127), st.integers(1, 127))
@settings(max_examples=20)
def test_level_follows_the_square_of_velocity(tmp_path_factory, one, other):
    folder = tmp_path_factory.mktemp("tone")
    first = Tone(brightness=0).render(midi(folder / "a.mid", [(0, 1, 60, one)]), RATE)
    second = Tone(brightness=0).render(midi(folder / "b.mid", [(0, 1, 60, other)]), RATE)
    np.testing.assert_allclose(first / one**2, second / other**2, atol=1e-11)
    assert level(first, 0, 1) / level(second, 0, 1) == pytest.approx((one / other) ** 2, rel=1e-4)


def test_a_harder_stroke_is_brighter(tmp_path):
    def centroid_hz(velocity: int) -> float:
        samples = Tone().render(midi(tmp_path / "a.mid", [(0, 1, 60, velocity)]), RATE)
        power = np.abs(np.fft.rfft(samples[:RATE])) ** 2
        return float((np.fft.rfftfreq(RATE, 1 / RATE) * power).sum() / power.sum())

    assert centroid_hz(30) < centroid_hz(70) < centroid_hz(120)


def test_nothing_sounds_before_the_onset(tmp_path):
    samples = Tone().render(midi(tmp_path / "a.mid", [(0.5, 1, 60, 100)]), RATE)
    assert (samples[: RATE // 2] == 0).all()
    assert level(samples, 0.5, 0.52) > 0.01


def test_the_file_sounds_two_seconds_beyond_its_last_note(tmp_path):
    samples = Tone().render(midi(tmp_path / "a.mid", [(0.5, 1.5, 60, 100)]), RATE)
    assert samples.dtype == np.float32
    assert samples.shape == (round(3.5 * RATE),)


def test_a_released_key_is_damped_and_a_pedalled_one_rings_until_the_pedal_is_up(tmp_path):
    notes = [(0.0, 0.5, 48, 100), (3.0, 3.5, 90, 1)]
    dry = Tone().render(midi(tmp_path / "dry.mid", notes), RATE)
    wet = Tone().render(midi(tmp_path / "wet.mid", notes, [(0.25, 64), (1.5, 63)]), RATE)
    assert level(dry, 1.0, 1.5) < 1e-3 * level(dry, 0.0, 0.5)
    assert level(wet, 1.0, 1.5) > 0.1 * level(wet, 0.0, 0.5)
    assert level(wet, 2.0, 2.5) < 1e-3 * level(wet, 0.0, 0.5)


def test_a_pedal_pressed_after_the_release_holds_nothing(tmp_path):
    notes = [(0.0, 0.5, 48, 100)]
    dry = Tone().render(midi(tmp_path / "dry.mid", notes), RATE)
    late = Tone().render(midi(tmp_path / "late.mid", notes, [(0.6, 127)]), RATE)
    np.testing.assert_array_equal(dry, late)


def test_a_pedal_that_is_never_lifted_holds_to_the_end(tmp_path):
    samples = Tone().render(midi(tmp_path / "a.mid", [(0, 0.5, 36, 100)], [(0.0, 127)]), RATE)
    assert level(samples, 2.0, 2.4) > 0.05 * level(samples, 0.0, 0.5)


def test_striking_a_key_again_damps_what_still_sounds(tmp_path):
    """With the pedal down a hundred strokes sound like two at most: the new and the damped."""
    notes = [(0.1 * i, 0.1 * i + 0.05, 60, 127) for i in range(100)]
    samples = Tone().render(midi(tmp_path / "a.mid", notes, [(0.0, 127)]), RATE)
    once = Tone().render(midi(tmp_path / "b.mid", notes[:1], [(0.0, 127)]), RATE)
    assert np.abs(samples).max() < 2 * np.abs(once).max()


@given(st.lists(st.tuples(st.integers(21, 108), st.integers(1, 127)), min_size=2, max_size=6))
@settings(max_examples=20, deadline=None)
def test_different_keys_add_up(tmp_path_factory, keys):
    folder = tmp_path_factory.mktemp("tone")
    notes = [(0.0, 1.0, pitch, velocity) for pitch, velocity in dict(keys).items()]
    together = Tone().render(midi(folder / "all.mid", notes), RATE)
    apart = [Tone().render(midi(folder / "one.mid", [note]), RATE) for note in notes]
    np.testing.assert_allclose(together, np.sum(apart, axis=0), atol=1e-6)


def test_gain_scales_every_sample(tmp_path):
    path = midi(tmp_path / "a.mid", [(0, 1, 60, 100)])
    half = Tone(gain_db=-20 * np.log10(2)).render(path, RATE)
    np.testing.assert_allclose(half, Tone().render(path, RATE) / 2, atol=1e-6)


def test_equal_files_give_equal_samples(tmp_path):
    path = midi(tmp_path / "a.mid", [(0, 1, 60, 100), (0.5, 2, 67, 60)], [(0.2, 90)])
    np.testing.assert_array_equal(Tone().render(path, RATE), Tone().render(path, RATE))


@pytest.mark.parametrize("pitch", [0, 127])
def test_keys_no_piano_has_are_played_without_folding_back(tmp_path, pitch):
    samples = Tone().render(midi(tmp_path / "a.mid", [(0, 1, pitch, 100)]), RATE)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1


def test_a_brightness_outside_its_range_is_refused():
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Tone(brightness=1.5)


@pytest.mark.data
@pytest.mark.slow
def test_no_percepiano_clip_goes_beyond_full_scale(data_root):
    paths = sorted((data_root / "percepiano").rglob("all_2rounds/*.mid"))
    assert len(paths) == 1202
    peaks = [float(np.abs(Tone().render(path, RATE)).max()) for path in paths]
    assert 0.4 < max(peaks) < 0.6
