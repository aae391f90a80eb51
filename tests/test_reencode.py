from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from pianobench import AudioEncoder, Clip, Corpus, Pooling, Renderer, ScoreEncoder
from pianobench.encode import encode_corpus, feature_root
from pianobench.inventory import StoredNamespace, list_namespaces
from pianobench.plugins import Registry
from pianobench.reencode import TOLERANCE, Reencoded, reencode
from pianobench.render import Rendered, render_clips
from pianobench.testing.music import write_notes_of

OWN_ENCODER = '''
import numpy as np
from pianobench import AudioEncoder, hookimpl


class Scaled(AudioEncoder):
    """Loudness of blocks, times a weight that a file may hold."""

    name = "scaled"
    sample_rate = 8000
    backend = "numpy"
    chunk_s = 1.0
    weights_options = ("weight",)
    weight: float = 1.0

    def load(self, device):
        if self.weight < 0:
            raise FileNotFoundError("weights.bin")

        def states(waveforms):
            whole = waveforms[:, : waveforms.shape[1] // 800 * 800]
            blocks = np.abs(whole).reshape(len(whole), -1, 800)
            return [self.weight * blocks.mean(2, keepdims=True)]

        states.weights_digest = f"weight {self.weight}"
        return states


@hookimpl
def bench_components():
    return [Scaled]
'''


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    (tmp_path / "own.py").write_text(OWN_ENCODER)
    return Registry([tmp_path / "own.py"])


@pytest.fixture
def renders(tmp_path: Path) -> Path:
    return tmp_path / "renders"


@pytest.fixture
def played(corpus: Corpus, registry: Registry, tmp_path: Path) -> Corpus:
    """The small corpus with music in its files."""
    clips = []
    for number, clip in enumerate(corpus.clips):
        onset = 0.5 + np.arange(3) / 4
        midi = write_notes_of(tmp_path / f"{clip.id}.mid", onset, np.full(3, 40 + number))
        clips.append(Clip(clip.id, midi=midi))
    return replace(corpus, clips=tuple(clips))


def encoded(
    registry: Registry, played: Corpus, renders: Path, cache: Path, weight: float
) -> StoredNamespace:
    """Encode the corpus, as rendered by tone, into a store."""
    tone = registry.create(Renderer, "renderer", "tone")
    waveforms: dict[str, Rendered] = render_clips(tone, played.clips[:6], 8000, renders, 1)
    encoder = registry.create(AudioEncoder, "encoder", "scaled", {"weight": weight})
    mean = registry.create(Pooling, "pooling", "mean")
    six = replace(
        played,
        clips=played.clips[:6],
        targets=played.targets[:6],
        groups={name: of[:6] for name, of in played.groups.items()},
        human=None if played.human is None else played.human[:6],
        raters=None if played.raters is None else played.raters[:6],
    )
    encode_corpus(encoder, six, mean, [0], waveforms=waveforms, cache=cache)
    (found,) = list_namespaces(feature_root(cache))
    return found


def test_rendered_clips_are_found_by_their_key_and_encoded_with_the_weights_of_the_first_run(
    registry: Registry, played: Corpus, renders: Path, tmp_path: Path
) -> None:
    namespace = encoded(registry, played, renders, tmp_path / "cache", 2.0)
    outcome = reencode(namespace, registry, renders, None, 4)
    assert outcome == Reencoded(4, 0.0)
    assert outcome.agrees
    assert outcome.text().startswith("agrees: 4 clips")
    assert reencode(namespace, registry, renders, None, 100).clips == 6


def test_values_that_differ_beyond_rounding_are_told(
    registry: Registry, played: Corpus, renders: Path, tmp_path: Path
) -> None:
    namespace = encoded(registry, played, renders, tmp_path / "cache", 1.0)
    (shard,) = namespace.folder.glob("*.safetensors")
    values = load_file(shard)["layer.0"]
    metadata = {"keys": header(shard)}
    for change, agrees in ((TOLERANCE / 10, True), (TOLERANCE * 10, False)):
        changed = values.copy()
        changed[:] += change * np.abs(values).max()
        save_file({"layer.0": changed}, shard, metadata)
        outcome = reencode(namespace, registry, renders, None, 6)
        assert outcome.agrees is agrees
        assert outcome.difference == pytest.approx(change, rel=0.05)
    assert "DIFFERS" in outcome.text()
    changed[0] = np.nan
    save_file({"layer.0": changed}, shard, metadata)
    assert reencode(namespace, registry, renders, None, 6).difference == np.inf


def header(shard: Path) -> str:
    with safe_open(shard, framework="np") as opened:
        return str(opened.metadata()["keys"])


def test_weights_that_are_gone_or_others_are_told(
    registry: Registry, played: Corpus, renders: Path, tmp_path: Path
) -> None:
    namespace = encoded(registry, played, renders, tmp_path / "cache", 1.0)
    for weight, reason in ((-1.0, "weights.bin"), (3.0, "encoder.fingerprint was 'weight 1.0'")):
        kept = {**namespace.provenance, "weights_options": {"weight": weight}}
        other = StoredNamespace(namespace.folder, namespace.description, kept, 6, 1, 1, 0, ())
        outcome = reencode(other, registry, renders, None, 3)
        assert outcome.clips == 0
        assert not outcome.agrees
        assert reason in outcome.text()


def test_clips_that_are_not_at_hand_and_descriptions_that_mean_nothing_are_told(
    registry: Registry, played: Corpus, renders: Path, tmp_path: Path
) -> None:
    namespace = encoded(registry, played, renders, tmp_path / "cache", 1.0)
    nowhere = reencode(namespace, registry, tmp_path / "nowhere", None, 3)
    assert "None of its 6 clips is at hand" in nowhere.reason
    for description in ({}, {"encoder": {"name": "scaled"}}, {"encoder": 1, "pooling": 2}):
        odd = StoredNamespace(namespace.folder, description, {}, 0, 0, 0, 0, ())
        assert "cannot be used" in reencode(odd, registry, renders, None, 3).reason
    unknown = {**namespace.description, "encoder": {"name": "scald", "options": {}}}
    odd = StoredNamespace(namespace.folder, unknown, {}, 0, 0, 0, 0, ())
    assert "Did you mean 'scaled'" in reencode(odd, registry, renders, None, 3).reason


def test_features_that_another_device_rounds_otherwise_are_not_condemned(
    registry: Registry, played: Corpus, renders: Path, tmp_path: Path
) -> None:
    namespace = encoded(registry, played, renders, tmp_path / "cache", 1.0)
    given = {**namespace.description["input"], "precision": "tf32", "device": "cuda"}
    described = {**namespace.description, "input": given}
    other = replace(namespace, description=described)
    outcome = reencode(other, registry, renders, None, 3, "cpu")
    assert outcome.clips == 0
    assert "Verify it with --device cuda" in outcome.text()


def test_clips_of_notes_are_found_in_a_dataset(
    registry: Registry, played: Corpus, renders: Path, tmp_path: Path
) -> None:
    encoder = registry.create(ScoreEncoder, "encoder", "midi-stats")
    mean = registry.create(Pooling, "pooling", "mean")
    encode_corpus(encoder, played, mean, [0], cache=tmp_path / "cache")
    (namespace,) = list_namespaces(feature_root(tmp_path / "cache"))
    assert "--dataset" in reencode(namespace, registry, renders, None, 3).reason
    assert reencode(namespace, registry, renders, played, 3) == Reencoded(3, 0.0)
