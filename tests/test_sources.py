from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pianobench import AudioEncoder, Clip, Corpus, ScoreEncoder
from pianobench.audio import quantise, samples_digest, write_flac
from pianobench.errors import DataError
from pianobench.render import Rendered
from pianobench.sources import NoteSource, RecordingSource, RenderSource, find_sources


class Audio(AudioEncoder):
    name = "audio"
    sample_rate = 1000


class Aligned(ScoreEncoder):
    name = "aligned"
    requires = ("midi", "score_xml")


def test_a_render_goes_before_a_recording_and_is_named_by_its_samples(
    corpus: Corpus, tmp_path: Path
) -> None:
    samples = quantise(np.linspace(-0.5, 0.5, 50, dtype=np.float32))
    path = tmp_path / "render.flac"
    write_flac(path, samples, 1000)
    recording = tmp_path / "recording.wav"
    soundfile.write(recording, samples, 1000)
    clips = tuple(Clip(clip.id, audio=recording) for clip in corpus.clips)
    render = Rendered(path, samples_digest(samples), 50, 1000)
    found = find_sources(Audio(), replace(corpus, clips=clips), {clips[1].id: render})
    assert [type(source) for source in found[:3]] == [
        RecordingSource,
        RenderSource,
        RecordingSource,
    ]
    assert found[1].key == samples_digest(samples)
    assert isinstance(found[1], RenderSource)
    np.testing.assert_array_equal(found[1].waveform(1000), samples)


def test_recordings_have_the_key_of_their_bytes_and_part_not_of_their_name(
    corpus: Corpus, tmp_path: Path
) -> None:
    for name in ("one.wav", "two.wav"):
        soundfile.write(tmp_path / name, np.full(100, 0.25), 1000)
    soundfile.write(tmp_path / "other.wav", np.full(100, 0.5), 1000)
    takes = [("one.wav", 0.0), ("two.wav", 0.0), ("two.wav", 0.05), ("other.wav", 0.0)] * 12
    clips = tuple(
        Clip(clip.id, audio=tmp_path / name, start_s=start)
        for clip, (name, start) in zip(corpus.clips, takes, strict=True)
    )
    found = find_sources(Audio(), replace(corpus, clips=clips), None)
    assert found[0].key == found[1].key
    assert len({source.key for source in found}) == 3
    assert isinstance(found[2], RecordingSource)
    assert found[2].waveform(1000).shape == (50,)


def test_notes_have_the_key_of_all_files_that_are_read(corpus: Corpus, tmp_path: Path) -> None:
    midi, score = tmp_path / "a.mid", tmp_path / "a.xml"
    midi.write_bytes(b"performance")
    score.write_bytes(b"score")
    clips = tuple(Clip(clip.id, midi=midi, score_xml=score) for clip in corpus.clips)
    found = find_sources(Aligned(), replace(corpus, clips=clips), None)
    of_files = [hashlib.sha256(content).digest() for content in (b"performance", b"score")]
    assert {source.key for source in found} == {hashlib.sha256(b"".join(of_files)).hexdigest()}
    assert all(isinstance(source, NoteSource) for source in found)


def test_a_file_that_is_gone_is_an_error_that_names_it(corpus: Corpus, tmp_path: Path) -> None:
    clips = tuple(Clip(clip.id, audio=tmp_path / "gone.wav") for clip in corpus.clips)
    with pytest.raises(DataError, match=r"Cannot read .*gone\.wav: No such file"):
        find_sources(Audio(), replace(corpus, clips=clips), None)
