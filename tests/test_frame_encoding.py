"""Frames kept for learned poolings: the layers asked for, nothing twice, nothing lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pianobench import AudioEncoder, Clip, Corpus, Frames, ScoreEncoder, alignment
from pianobench.encoding import describe_encoder
from pianobench.errors import EncodingError
from pianobench.frame_encoding import encode_frames, frame_root, open_frames
from pianobench.frame_store import read_frames
from pianobench.render import Rendered, render_clips
from pianobench.testing.music import write_notes_of
from pianobench_han import Han
from pianobench_scorestats import ScoreStatistics
from pianobench_tone import Tone


class Ticks(ScoreEncoder):
    """Pitch and onset of each note, and twice that; fails on a note of pitch 1."""

    name = "ticks"
    layers = 1

    def encode(self, clip: Clip) -> Frames:
        from pianobench import read_notes

        notes = read_notes(clip.midi)
        if 1 in notes.pitch:
            raise EncodingError(f"Clip {clip.id!r} has a pitch of 1.")
        values = np.stack([notes.pitch, notes.onset], axis=1)
        return Frames(
            np.stack([values, 2 * values]), notes.onset, {"beat": np.arange(len(notes)) // 2}
        )


taken: list[int] = []


class OneByOne(AudioEncoder):
    """Five states of 10 ms frames, made only when they are taken."""

    name = "one-by-one"
    sample_rate = 8_000
    backend = "numpy"
    layers = 4
    hop_samples = 80

    def load(self, device: str):  # type: ignore[no-untyped-def]
        def states(batch):  # type: ignore[no-untyped-def]
            frames = batch[:, : batch.shape[1] // 80 * 80].reshape(len(batch), -1, 80)
            for layer in range(5):
                taken.append(layer)
                yield (layer + 1) * frames.mean(axis=2, keepdims=True)

        return states


@pytest.fixture
def played(tmp_path: Path, corpus: Corpus) -> Corpus:
    """The corpus with a MIDI file for each clip; the last two are the same performance."""
    clips = []
    for index, clip in enumerate(corpus.clips):
        path = tmp_path / f"{clip.id}.mid"
        pitch = 40 + min(index, len(corpus.clips) - 2)
        write_notes_of(path, np.arange(3.0 + index % 2), np.full(3 + index % 2, pitch))
        clips.append(replace(clip, midi=path))
    clips[-1] = replace(clips[-1], midi=clips[-2].midi)
    return replace(corpus, clips=tuple(clips))


def test_the_frames_of_each_clip_are_kept_as_they_are(played: Corpus, own_cache: Path) -> None:
    encoded = encode_frames(Ticks(), played, [1], cache=own_cache)
    assert encoded.time[1:3] == (47, 1)
    assert encoded.paths[-1] == encoded.paths[-2]
    for clip, path in zip(played.clips, encoded.paths, strict=True):
        kept, expected = read_frames(path), Ticks().encode(clip)
        assert list(kept.layers) == [1]
        np.testing.assert_array_equal(kept.layers[1], expected.values[1].astype(np.float32))
        np.testing.assert_array_equal(kept.levels["beat"], expected.levels["beat"])


def test_what_is_stored_is_not_encoded_again_and_layers_lie_apart(
    played: Corpus, own_cache: Path
) -> None:
    one = encode_frames(Ticks(), played, [1], cache=own_cache)
    again = encode_frames(Ticks(), played, [1], cache=own_cache)
    assert (again.paths, again.time.encoded) == (one.paths, 0)
    other = encode_frames(Ticks(), played, [0, 1], cache=own_cache)
    assert other.namespace != one.namespace
    assert other.time.encoded == 47
    assert {path.name for path in frame_root(own_cache).iterdir()} == {
        one.namespace,
        other.namespace,
    }


def test_a_clip_that_fails_is_named_and_the_others_are_kept(
    played: Corpus, own_cache: Path, tmp_path: Path
) -> None:
    bad = write_notes_of(tmp_path / "bad.mid", np.arange(3.0), np.ones(3, dtype=np.int64))
    clips = (replace(played.clips[0], midi=bad), *played.clips[1:])
    with pytest.raises(EncodingError, match=r"1 of 47 clips cannot be encoded.*pitch of 1"):
        encode_frames(Ticks(), replace(played, clips=clips), [1], cache=own_cache)
    assert encode_frames(Ticks(), played, [1], cache=own_cache).time.encoded == 1


def test_an_encoder_of_audio_is_stopped_after_the_last_layer(
    played: Corpus, own_cache: Path
) -> None:
    few = replace(played.ordered(), clips=played.clips)
    waveforms: dict[str, Rendered] = dict(
        render_clips(Tone(), few.clips, 8_000, own_cache / "renders", 1)
    )
    encode_frames(OneByOne(), few, [0], waveforms=waveforms, cache=own_cache)
    taken.clear()
    encoded = encode_frames(OneByOne(), few, [1, 2], waveforms=waveforms, cache=own_cache)
    # The fingerprint and the description of signals need all states; clips need three.
    assert taken.count(2) - taken.count(4) == 47
    kept = read_frames(encoded.paths[0])
    waveform = waveforms[few.clips[0].id].waveform()
    frames = waveform[: len(waveform) // 80 * 80].reshape(-1, 80).mean(axis=1)
    assert list(kept.layers) == [1, 2]
    np.testing.assert_allclose(kept.layers[2][:, 0], 3 * frames, atol=1e-6)
    assert kept.levels == {}


class Revised(Ticks):
    """The same, of a later revision."""

    revision = "2"


class Measured(Ticks):
    """The same values, with beats of another length."""

    notes: int = 3

    def encode(self, clip: Clip) -> Frames:
        frames = super().encode(clip)
        return Frames(
            frames.values, frames.times_s, {"beat": np.arange(len(frames.times_s)) // self.notes}
        )


class Coded(Ticks):
    """The same values and beats, by other code."""

    def encode(self, clip: Clip) -> Frames:
        return super().encode(clip)


class Rewritten(Ticks):
    """Code that was changed in its levels alone."""

    def encode(self, clip: Clip) -> Frames:
        return Measured().encode(clip)


def test_another_revision_option_or_level_gives_another_namespace(own_cache: Path) -> None:
    encoders = [Ticks(), Coded(), Revised(), Measured(), Measured(notes=4), Rewritten()]
    described = [describe_encoder(encoder, None)[0] for encoder in encoders]
    digests = [
        open_frames(encoder, of, [1], own_cache).namespace.digest
        for encoder, of in zip(encoders, described, strict=True)
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 5
    assert described[0] == described[5], "levels are no part of what pooled features are kept under"


@pytest.mark.parametrize("name", ["han", "score-stats"])
def test_another_revision_of_alignments_gives_another_namespace(
    name: str, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alignment, "symbolic_versions", lambda: "partitura 1")
    encoder: ScoreEncoder = {"han": Han, "score-stats": ScoreStatistics}[name]()

    def digest() -> str:
        described = describe_encoder(encoder, None)[0]
        return open_frames(encoder, described, [0], own_cache).namespace.digest

    before = digest()
    assert digest() == before
    monkeypatch.setattr(alignment, "_REVISION", 99)
    assert digest() != before
