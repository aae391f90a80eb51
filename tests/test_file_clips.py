"""Files as clips: what is taken, and one clear reason for what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from pianobench.errors import UsageError
from pianobench.file_clips import clips_of_files
from pianobench.notes import write_notes
from pianobench.probes import probe_notes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    write_notes(tmp_path / "b.mid", probe_notes(2))
    tone = 0.1 * np.sin(np.arange(24_000))
    soundfile.write(tmp_path / "deep" / "a.WAV", tone, 24_000)
    soundfile.write(tmp_path / "late.flac", np.concatenate([np.zeros(200_000), tone]), 24_000)
    (tmp_path / "notes.txt").write_text("not music")
    return tmp_path


def test_a_folder_is_all_its_midi_and_audio_each_once(folder: Path) -> None:
    clips, failures = clips_of_files([folder, folder / "b.mid"])
    assert [clip.id for clip in clips] == [
        str(folder / name) for name in ("b.mid", "deep/a.WAV", "late.flac")
    ]
    assert [clip.midi or clip.audio for clip in clips] == [Path(clip.id) for clip in clips]
    assert clips[0].audio is None
    assert not failures


def test_files_that_cannot_be_clips_are_told_one_by_one(folder: Path) -> None:
    (folder / "torn.wav").write_bytes(b"RIFF")
    soundfile.write(folder / "silent.wav", np.full(48_000, 2e-5), 24_000)
    reasons = {
        "torn.wav": "Cannot read the audio file",
        "silent.wav": "is silent: nothing in it is louder than -80 dB",
        "notes.txt": "neither MIDI nor audio by its ending",
        "absent.mid": "There is no file",
    }
    clips, failures = clips_of_files([folder / "b.mid", *(folder / name for name in reasons)])
    assert [clip.id for clip in clips] == [str(folder / "b.mid")]
    assert {Path(name).name for name in failures} == set(reasons)
    for name, why in reasons.items():
        assert why in str(failures[str(folder / name)])
        assert str(folder / name) in str(failures[str(folder / name)])


def test_a_folder_without_music_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no file that ends in \.mid"):
        clips_of_files([tmp_path])
