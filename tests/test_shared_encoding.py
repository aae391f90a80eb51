"""One pass for several purposes: what is kept is what each would have kept alone."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pianobench import AudioEncoder, Corpus, Dataset, Pooling, Renderer, ScoreEncoder
from pianobench.corpus import load_corpus
from pianobench.encode import encode_corpus
from pianobench.errors import EncodingError
from pianobench.frame_encoding import encode_frames
from pianobench.frame_store import read_frames
from pianobench.plugins import Registry
from pianobench.render import render_clips
from pianobench.shared_encoding import encode_once

PLUGIN = '''
import numpy as np
from pianobench import AudioEncoder, Frames, ScoreEncoder, hookimpl, read_notes

encoded = []
stopped_after = []


class Notes(ScoreEncoder):
    """Pitches, once and twice and three times."""

    name = "counted"
    layers = 2
    fails: str = ""

    def encode(self, clip):
        if clip.id == self.fails:
            raise ValueError("no")
        encoded.append(clip.id)
        notes = read_notes(clip.midi)
        values = np.stack([notes.pitch, notes.velocity], axis=1)
        return Frames(np.stack([values * k for k in (1.0, 2.0, 3.0)]), notes.onset, {})


class Sound(AudioEncoder):
    """Levels of 10 ms, made only when they are taken."""

    name = "levels"
    sample_rate = 8000
    backend = "numpy"
    layers = 2
    hop_samples = 80

    def load(self, device):
        def states(batch):
            frames = np.abs(batch[:, : batch.shape[1] // 80 * 80]).reshape(len(batch), -1, 80)
            for layer in range(3):
                stopped_after.append(layer)
                yield (layer + 1) * frames.mean(axis=2, keepdims=True)

        return states


@hookimpl
def bench_components():
    return [Notes, Sound]
'''


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    path = tmp_path / "counted.py"
    path.write_text(PLUGIN)
    return Registry([path])


@pytest.fixture
def demo(registry: Registry, own_cache: Path) -> Corpus:
    return load_corpus(registry.create(Dataset, "dataset", "demo"), None, own_cache)


def pooling(registry: Registry, name: str) -> Pooling:
    return registry.create(Pooling, "pooling", name)


def test_every_clip_is_encoded_once_and_kept_as_each_purpose_alone_keeps_it(
    registry: Registry, demo: Corpus, own_cache: Path, tmp_path: Path
) -> None:
    encoder = registry.create(ScoreEncoder, "encoder", "counted")
    counted = sys.modules[type(encoder).__module__].encoded
    mean, most = pooling(registry, "mean"), pooling(registry, "max")
    encode_corpus(encoder, demo, mean, [], cache=own_cache)
    counted.clear()
    encode_once(encoder, demo, [mean, most, (0, 2)], cache=own_cache)
    # Of the means everything was there, of the others nothing.
    clips = [clip for clip in counted if clip != "probe"]
    assert sorted(clips) == sorted(demo.ids)
    counted.clear()
    for of in (mean, most):
        shared = encode_corpus(encoder, demo, of, [0, 1, 2], cache=own_cache)
        alone = encode_corpus(encoder, demo, of, [0, 1, 2], cache=tmp_path / "alone")
        assert shared.time.encoded == 0
        assert shared.digest == alone.digest
    shared_frames = encode_frames(encoder, demo, [0, 2], cache=own_cache)
    assert shared_frames.time.encoded == 0
    kept = read_frames(shared_frames.paths[5])
    expected = encoder.encode(demo.clips[5])
    np.testing.assert_array_equal(kept.layers[2], expected.values[2].astype(np.float32))


def test_a_clip_that_fails_is_named_and_the_others_are_kept(
    registry: Registry, demo: Corpus, own_cache: Path
) -> None:
    fails = demo.ids[7]
    encoder = registry.create(ScoreEncoder, "encoder", "counted", {"fails": fails})
    kept = [pooling(registry, "mean"), pooling(registry, "max")]
    with pytest.raises(EncodingError, match=f"1 of 120 clips cannot be encoded.*{fails}"):
        encode_once(encoder, demo, kept, cache=own_cache)
    counted = sys.modules[type(encoder).__module__].encoded
    counted.clear()
    with pytest.raises(EncodingError, match=fails):
        encode_once(encoder, demo, kept, cache=own_cache)
    assert [clip for clip in counted if clip != "probe"] == []


def first(corpus: Corpus, clips: int) -> Corpus:
    return replace(
        corpus,
        clips=corpus.clips[:clips],
        targets=corpus.targets[:clips],
        groups={kind: of[:clips] for kind, of in corpus.groups.items()},
        human=corpus.human[:clips],
        raters=corpus.raters[:clips],
        ratings=None,
    )


def test_sound_passes_once_and_no_further_than_frames_alone_need(
    registry: Registry, demo: Corpus, own_cache: Path, tmp_path: Path
) -> None:
    few = first(demo, 3)
    encoder = registry.create(AudioEncoder, "encoder", "levels")
    tone = registry.create(Renderer, "renderer", "tone")
    heard = render_clips(tone, few.clips, 8000, own_cache / "renders", 1)
    stopped = sys.modules[type(encoder).__module__].stopped_after
    # What the fingerprint is taken from passes too, before the clips do.
    encode_once(encoder, few, [(0,), (0, 1)], waveforms=heard, cache=own_cache)
    assert stopped[-2:] == [0, 1]
    mean = pooling(registry, "mean")
    encode_once(encoder, few, [mean, (1,)], waveforms=heard, cache=own_cache)
    assert stopped[-1] == 2
    shared = encode_corpus(encoder, few, mean, [0, 1, 2], waveforms=heard, cache=own_cache)
    alone = encode_corpus(encoder, few, mean, [0, 1, 2], waveforms=heard, cache=tmp_path / "alone")
    assert (shared.time.encoded, alone.time.encoded) == (0, 3)
    assert shared.digest == alone.digest
    for layers in ([0], [0, 1], [1]):
        frames = encode_frames(encoder, few, layers, waveforms=heard, cache=own_cache)
        assert frames.time.encoded == 0
        assert list(read_frames(frames.paths[0]).layers) == layers
