import hashlib
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import pianobench_fluidsynth as plugin
from pianobench import AudioError, DependencyError, Notes, write_notes
from pianobench_fluidsynth import FluidSynth, Instrument

RATE = 24_000
INSTRUMENTS = get_args(Instrument)


@pytest.fixture(autouse=True)
def installed(own_cache: Path) -> None:
    try:
        for instrument in ("fluid-grand", "musescore-grand", "timgm-grand"):
            FluidSynth(instrument=instrument).version()
    except DependencyError as error:
        pytest.skip(str(error))


def midi(path: Path, notes: list[tuple[float, float, int, int]], controls=()) -> Path:
    """Write (onset, offset, pitch, velocity) and (time, controller, value)."""
    onset, offset, pitch, velocity = (np.array(column) for column in zip(*notes, strict=True))
    time, number, value = (np.array([c[i] for c in controls]) for i in range(3))
    moved = Notes(
        onset, offset, pitch, velocity, time.astype("f8"), number.astype("i8"), value.astype("i8")
    )
    write_notes(path, moved)
    return path


def play(path: Path, instrument: str = "timgm-grand", **options: float) -> np.ndarray:
    return FluidSynth(instrument=instrument, **options).render(path, RATE)


def level(samples: np.ndarray, start_s: float, end_s: float) -> float:
    return float(np.sqrt(np.mean(samples[round(start_s * RATE) : round(end_s * RATE)] ** 2)))


CHORD = [(0.1, 1.0, 48, 100), (0.3, 1.2, 64, 70), (0.5, 0.9, 67, 90), (0.5, 1.1, 76, 60)]
PEDALLED = [(0.2, 64, 90), (1.1, 64, 0), (1.15, 64, 100)]


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_a_clip_sounds_the_same_whatever_was_played_before(tmp_path, instrument):
    path = midi(tmp_path / "a.mid", CHORD, PEDALLED)
    first = play(path, instrument)
    play(midi(tmp_path / "b.mid", [(0, 3, 50, 127)], [(0, 64, 127)]), instrument)
    np.testing.assert_array_equal(play(path, instrument), first)
    assert 0.01 < np.abs(first).max() < 1


def test_another_process_makes_the_same_samples(tmp_path):
    path = midi(tmp_path / "a.mid", CHORD, PEDALLED)
    program = (
        "import hashlib, sys, pathlib; from pianobench_fluidsynth import FluidSynth; "
        "x = FluidSynth().render(pathlib.Path(sys.argv[1]), 24000); "
        "print(hashlib.sha256(x.tobytes()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    here = hashlib.sha256(play(path, "fluid-grand").tobytes()).hexdigest()
    assert done.stdout == here + "\n"
    assert done.stderr == ""


def test_nothing_is_printed_where_continuous_integration_sets_its_variable(tmp_path):
    program = "from pianobench_fluidsynth import FluidSynth; FluidSynth().version()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"CI": "1", "PATH": "/usr/bin:/bin:/sbin", "PIANOBENCH_CACHE": str(tmp_path)},
    )
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_a_key_sounds_at_its_frequency(tmp_path, instrument):
    samples = play(midi(tmp_path / "a.mid", [(0, 2, 69, 80)]), instrument)
    spectrum = np.abs(np.fft.rfft(samples[: 2 * RATE] * np.hanning(2 * RATE), 8 * RATE))
    near = slice(8 * 400, 8 * 480)
    peak_hz = (np.argmax(spectrum[near]) + 8 * 400) / 8
    assert peak_hz == pytest.approx(440, rel=0.01)


def test_events_sound_within_a_block_of_their_time(tmp_path):
    """The instrument's own attack delay is taken from a note at time 0."""

    def first_sound(onset_s: float) -> int:
        samples = play(midi(tmp_path / "a.mid", [(onset_s, onset_s + 1, 60, 127)]))
        return int(np.argmax(np.abs(samples) > 1e-4))

    delay = first_sound(0.0)
    for onset_s in (0.1, 0.25, 1.0, 1.5375):
        assert abs(first_sound(onset_s) - delay - onset_s * RATE) <= 32 + RATE / 960 / 2


def test_the_file_sounds_two_seconds_beyond_its_last_note(tmp_path):
    samples = play(midi(tmp_path / "a.mid", CHORD, [(40.0, 64, 0)]))
    assert samples.dtype == np.float32
    assert 0 <= len(samples) - 3.2 * RATE <= 64


def test_six_instruments_sound_different(tmp_path):
    path = midi(tmp_path / "a.mid", CHORD)
    spectra = []
    for instrument in INSTRUMENTS:
        power = np.abs(np.fft.rfft(play(path, instrument))) ** 2
        bands = np.add.reduceat(power, np.geomspace(100, len(power) - 1, 24).astype(int))
        decibel = 10 * np.log10(bands)
        spectra.append(decibel - decibel.mean())
    distance = np.abs(np.subtract.outer(spectra, spectra)[:, range(24), :, range(24)]).mean(axis=0)
    assert (distance[~np.eye(6, dtype=bool)] > 1).all()


def test_a_harder_stroke_is_louder(tmp_path):
    levels = [
        level(play(midi(tmp_path / "a.mid", [(0, 1, 60, velocity)])), 0, 1)
        for velocity in (20, 50, 80, 110)
    ]
    assert levels == sorted(levels)
    assert levels[-1] > 4 * levels[0]


def test_the_sustain_pedal_has_two_positions(tmp_path):
    """What the card says: 63 is up, 64 is down, and nothing lies between."""
    notes = [(0.1, 0.5, 60, 90), (0.6, 1.0, 64, 90)]

    def pedal(value: int) -> np.ndarray:
        return play(midi(tmp_path / "a.mid", notes, [(0.2, 64, value)]))

    np.testing.assert_array_equal(pedal(0), pedal(63))
    np.testing.assert_array_equal(pedal(64), pedal(127))
    assert level(pedal(64), 1.5, 2.0) > 10 * level(pedal(63), 1.5, 2.0)


def test_the_sostenuto_pedal_holds_only_what_is_down_when_it_falls(tmp_path):
    notes = [(0.1, 0.5, 60, 90), (0.6, 1.0, 84, 1)]
    plain = play(midi(tmp_path / "a.mid", notes))
    held = play(midi(tmp_path / "a.mid", notes, [(0.3, 66, 127)]))
    late = play(midi(tmp_path / "a.mid", notes, [(0.55, 66, 127)]))
    assert level(held, 1.5, 2.0) > 5 * level(plain, 1.5, 2.0)
    assert level(late, 1.5, 2.0) < 2 * level(plain, 1.5, 2.0)


def test_the_soft_pedal_is_ignored_as_the_card_says(tmp_path):
    plain = play(midi(tmp_path / "a.mid", CHORD))
    soft = play(midi(tmp_path / "a.mid", CHORD, [(0.0, 67, 127)]))
    np.testing.assert_array_equal(plain, soft)
    assert "ignores the soft pedal" in FluidSynth.card


@pytest.mark.parametrize("controller", [7, 10, 11, 91, 93])
def test_how_a_file_was_exported_is_not_heard(tmp_path, controller):
    plain = play(midi(tmp_path / "a.mid", CHORD))
    exported = play(midi(tmp_path / "a.mid", CHORD, [(0.0, controller, 10)]))
    np.testing.assert_array_equal(plain, exported)


def test_a_note_shorter_than_a_block_still_ends(tmp_path):
    notes = [(0.1, 0.101, 60, 100), (0.2, 1.0, 84, 1)]
    samples = play(midi(tmp_path / "a.mid", notes))
    assert level(samples, 1.5, 2.5) < 0.01 * level(samples, 0.1, 0.2)


def test_the_end_of_a_first_stroke_does_not_end_the_second(tmp_path):
    """Two voices on one key: the note-off of the first comes while the second is held."""
    both = play(midi(tmp_path / "a.mid", [(0.0, 0.6, 60, 90), (0.5, 2.0, 60, 90)]))
    alone = play(midi(tmp_path / "b.mid", [(0.0, 0.5, 60, 90), (0.5, 2.0, 60, 90)]))
    np.testing.assert_array_equal(both, alone)


def test_gain_scales_every_sample(tmp_path):
    path = midi(tmp_path / "a.mid", CHORD)
    quarter = play(path, gain_db=-40 * np.log10(2))
    np.testing.assert_allclose(quarter, play(path) / 4, atol=1e-6)


def test_a_rate_beyond_fluidsynths_is_refused(tmp_path):
    with pytest.raises(AudioError, match="8,000 to 96,000 Hz, not at 4,000"):
        FluidSynth(instrument="timgm-grand").render(midi(tmp_path / "a.mid", CHORD), 4_000)


def test_the_version_names_the_library_the_soundfont_and_the_gain(own_cache):
    path = plugin._soundfont("TimGM6mb.sf2")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    version = FluidSynth(instrument="timgm-bright").version()
    assert f"TimGM6mb.sf2 {digest}" in version
    assert version.startswith("FluidSynth ")
    assert f"gain {plugin._GAIN}" in version


def test_a_soundfont_is_hashed_again_only_when_it_changed(tmp_path, monkeypatch):
    font = tmp_path / "a.sf2"
    font.write_bytes(b"one")
    assert plugin._file_digest(font) == hashlib.sha256(b"one").hexdigest()
    plugin._file_digest.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(hashlib, "file_digest", None)
        assert plugin._file_digest(font) == hashlib.sha256(b"one").hexdigest()
    plugin._file_digest.cache_clear()
    font.write_bytes(b"three")
    assert plugin._file_digest(font) == hashlib.sha256(b"three").hexdigest()


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PIANOBENCH_CACHE", str(tmp_path / "file"))
    font = tmp_path / "a.sf2"
    font.write_bytes(b"one")
    assert plugin._file_digest(font) == hashlib.sha256(b"one").hexdigest()


def test_an_absent_soundfont_names_the_packages(monkeypatch, tmp_path):
    monkeypatch.setattr(plugin, "_FOLDERS", ())
    monkeypatch.setenv("PIANOBENCH_DATA", str(tmp_path))
    with pytest.raises(DependencyError, match=r"FluidR3_GM\.sf2 .*apt-get install fluidsynth "):
        FluidSynth().version()


def test_an_absent_library_names_the_command_that_installs_it(monkeypatch):
    plugin._library.cache_clear()
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    with pytest.raises(DependencyError, match=r'pip install "pianobench\[audio\]"; apt-get'):
        FluidSynth().version()


def test_a_file_that_is_no_soundfont_is_refused(tmp_path, monkeypatch):
    (tmp_path / "soundfonts").mkdir()
    (tmp_path / "soundfonts" / "TimGM6mb.sf2").write_bytes(b"junk")
    monkeypatch.setenv("PIANOBENCH_DATA", str(tmp_path))
    with pytest.raises(AudioError, match=r"cannot open preset 0/0 of .*TimGM6mb\.sf2"):
        play(midi(tmp_path / "a.mid", CHORD))


LOUDEST = (
    "Beethoven_WoO80_thema_8bars_Score2_1.mid",
    "Beethoven_WoO80_var6_8bars_Score_5.mid",
    "Schubert_D935_no.3_4bars_Score_21.mid",
)


@pytest.mark.data
@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_the_loudest_percepiano_clips_stay_within_full_scale(data_root, instrument):
    paths = [next((data_root / "percepiano").rglob(f"all_2rounds/{name}")) for name in LOUDEST]
    assert 0.4 < max(np.abs(play(path, instrument)).max() for path in paths) < 0.6
