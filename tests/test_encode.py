from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from pianobench import AudioEncoder, AudioError, Clip, Corpus, Frames, Pooling, ScoreEncoder
from pianobench import clip_features as clip_features_module
from pianobench import encode as encode_module
from pianobench import parallel as parallel_module
from pianobench.audio import quantise, samples_digest, write_flac
from pianobench.encode import describe_features, encode_corpus, feature_root
from pianobench.encoding import EncodingTime
from pianobench.errors import DataError, EncodingError, UsageError
from pianobench.inventory import list_namespaces
from pianobench.policy import Policy
from pianobench.render import Rendered
from pianobench.studies.applied import subset

RATE = 1000
COUNTED: list[int] = []


class Mean(Pooling):
    name = "mean"

    def pool(self, frames: Frames) -> Any:
        return frames.values.mean(axis=1)


class Blocks(AudioEncoder):
    """State k is the mean of blocks of 10 samples, plus k."""

    name = "blocks"
    sample_rate = RATE
    backend = "numpy"
    layers = 2
    chunk_s = 0.5
    offset: float = 0.0

    def load(self, device: str) -> Any:
        def states(waveforms: np.ndarray) -> list[np.ndarray]:
            COUNTED.append(len(waveforms))
            blocks = waveforms.reshape(len(waveforms), -1, 10).mean(2, keepdims=True)
            return [blocks + k + self.offset for k in range(3)]

        return states


def rendered(folder: Path, waveform: np.ndarray) -> Rendered:
    digest = samples_digest(waveform)
    path = folder / f"{digest}.flac"
    write_flac(path, waveform, RATE)
    return Rendered(path, digest, len(waveform), RATE)


def waveform(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return quantise(random.uniform(-0.5, 0.5, 10 * (60 + seed % 7)).astype(np.float32))


@pytest.fixture
def waveforms(corpus: Corpus, tmp_path: Path) -> dict[str, Rendered]:
    """The clips of the small corpus; the last two sound the same."""
    seeds = [*range(len(corpus.clips) - 1), len(corpus.clips) - 2]
    return {
        clip.id: rendered(tmp_path, waveform(seed))
        for clip, seed in zip(corpus.clips, seeds, strict=True)
    }


@pytest.fixture(autouse=True)
def count_anew() -> None:
    COUNTED.clear()


def expected(waveforms: dict[str, Rendered], layer: int) -> np.ndarray:
    means = [w.waveform().astype(np.float64).mean() + layer for w in waveforms.values()]
    return np.array(means)[:, None]


def test_layers_come_in_the_order_of_the_corpus(
    corpus: Corpus, waveforms: dict[str, Rendered], tmp_path: Path
) -> None:
    encoded = encode_corpus(
        Blocks(), corpus, Mean(), [0, 2], waveforms=waveforms, cache=tmp_path / "cache"
    )
    assert sorted(encoded.layers) == [0, 2]
    for layer in (0, 2):
        np.testing.assert_allclose(encoded.layers[layer], expected(waveforms, layer), atol=1e-6)
    np.testing.assert_allclose(encoded.features("mean"), expected(waveforms, 1), atol=1e-6)
    assert encoded.features().shape == (48, 2)


def test_a_second_run_encodes_nothing_and_gives_the_same_bits(
    corpus: Corpus, waveforms: dict[str, Rendered], tmp_path: Path
) -> None:
    runs = [
        encode_corpus(Blocks(), corpus, Mean(), [k], waveforms=waveforms, cache=tmp_path / "cache")
        for k in (1, 2, 1)
    ]
    assert [(r.time.encoded, r.time.cached) for r in runs] == [(47, 1), (0, 48), (0, 48)]
    assert runs[0].time.audio_s == pytest.approx(
        sum(w.duration_s for w in {w.digest: w for w in waveforms.values()}.values())
    )
    assert runs[2].time.audio_s == 0
    assert runs[0].digest == runs[2].digest != runs[1].digest
    assert runs[0].namespace == runs[1].namespace
    (stored,) = list_namespaces(feature_root(tmp_path / "cache"))
    assert stored.shards == 1
    assert stored.description["input"] == {
        "sample_rate": 1000,
        "minimum_samples": 1,
        "chunk_samples": 500,
        "overlap_samples": 0,
        "precision": "float32",
    }


def test_what_the_encoder_makes_of_fixed_signals_is_computed_once_and_kept(
    corpus: Corpus, waveforms: dict[str, Rendered], tmp_path: Path
) -> None:
    class Sourced(Blocks):
        """Has weights of a digest and a source."""

        weights_options = ("offset",)

        def load(self, device: str) -> Any:
            real = super().load(device)

            def states(waveforms: np.ndarray) -> Any:
                return real(waveforms)

            states.weights_digest = "same"  # type: ignore[attr-defined]  # optional
            states.source = f"folder {self.offset}"  # type: ignore[attr-defined]  # optional
            return states

    def run(offset: float) -> Any:
        COUNTED.clear()
        return encode_corpus(
            Sourced(offset=offset), corpus, Mean(), [0], waveforms=waveforms, cache=tmp_path
        )

    first, calls = run(0.0), len(COUNTED)
    again = run(1.0)
    assert (calls > 0, COUNTED) == (True, [])
    assert (first.provenance["source"], again.provenance["source"]) == ("folder 0.0", "folder 1.0")
    assert first.provenance["signals"] == again.provenance["signals"]
    assert first.provenance["signals"]["click"]["frames"] == 200
    (stored,) = list_namespaces(feature_root(tmp_path))
    assert stored.provenance == {
        "source": "folder 0.0",
        "signals": first.provenance["signals"],
        "device": first.provenance["signals_device"],
        "weights_options": {"offset": 0.0},
    }


def test_options_and_poolings_have_their_own_namespace(
    corpus: Corpus, waveforms: dict[str, Rendered], tmp_path: Path
) -> None:
    class Shifted(Mean):
        """Same name and options, other code."""

        def pool(self, frames: Frames) -> Any:
            return frames.values.mean(axis=1) + 1

    namespaces = {
        encode_corpus(
            encoder, corpus, pooling, [0], waveforms=waveforms, cache=tmp_path / "cache"
        ).namespace
        for encoder in (Blocks(), Blocks(offset=0.5))
        for pooling in (Mean(), Shifted())
    }
    assert len(namespaces) == 4


def test_a_run_that_is_stopped_goes_on_where_it_was(
    corpus: Corpus,
    waveforms: dict[str, Rendered],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = clip_features_module.encode_waveform
    done = []

    def stopped(*given: Any) -> Any:
        if len(done) == 20:
            raise KeyboardInterrupt
        done.append(1)
        return real(*given)

    monkeypatch.setattr(clip_features_module, "encode_waveform", stopped)
    monkeypatch.setattr(encode_module, "SHARD_ROWS", 8)
    with pytest.raises(KeyboardInterrupt):
        encode_corpus(Blocks(), corpus, Mean(), [0], waveforms=waveforms, cache=tmp_path / "cache")
    monkeypatch.setattr(clip_features_module, "encode_waveform", real)
    again = encode_corpus(
        Blocks(), corpus, Mean(), [0], waveforms=waveforms, cache=tmp_path / "cache"
    )
    assert (again.time.encoded, again.time.cached) == (27, 21)
    np.testing.assert_allclose(again.layers[0], expected(waveforms, 0), atol=1e-6)


def test_a_bad_clip_is_named_after_the_others_are_stored(
    corpus: Corpus, waveforms: dict[str, Rendered], tmp_path: Path
) -> None:
    bad = corpus.clips[5].id
    waveforms[bad].path.write_bytes(b"fLaC")
    waveforms[corpus.clips[9].id].path.unlink()
    with pytest.raises(
        AudioError, match=f"^2 of 47 clips .* are kept. Clip '{bad}': The cached render .*removed"
    ):
        encode_corpus(Blocks(), corpus, Mean(), [0], waveforms=waveforms, cache=tmp_path / "cache")
    COUNTED.clear()
    for index in (5, 9):
        waveforms[corpus.clips[index].id] = rendered(tmp_path, waveform(index))
    again = encode_corpus(
        Blocks(), corpus, Mean(), [0], waveforms=waveforms, cache=tmp_path / "cache"
    )
    assert again.time.encoded == 2


def test_clips_that_fail_are_counted_among_those_that_were_stored_before(
    corpus: Corpus, waveforms: dict[str, Rendered], tmp_path: Path
) -> None:
    good = subset(corpus, np.arange(len(corpus.clips)) >= 12)
    encode_corpus(Blocks(), good, Mean(), [0], waveforms=waveforms, cache=tmp_path / "cache")
    bad = [clip.id for clip in corpus.clips[:12]]
    known = {waveforms[clip.id].path for clip in good.clips}
    broken = [waveforms[clip].path for clip in bad if waveforms[clip].path not in known]
    for path in broken:
        path.write_bytes(b"fLaC")
    with pytest.raises(AudioError, match=f"^{len(broken)} of 47 clips .* are kept"):
        encode_corpus(Blocks(), corpus, Mean(), [0], waveforms=waveforms, cache=tmp_path / "cache")


def test_an_encoder_that_works_on_no_clip_is_given_up_soon(
    corpus: Corpus, waveforms: dict[str, Rendered], tmp_path: Path
) -> None:
    class Broken(Blocks):
        name = "broken"

        def load(self, device: str) -> Any:
            real = super().load(device)

            def states(waveforms: np.ndarray) -> Any:
                # The fingerprint and the facts are taken from three signals each, of four chunks.
                if len(COUNTED) < 24:
                    return real(waveforms)
                COUNTED.append(1)
                raise ValueError("no")

            return states

    with pytest.raises(EncodingError, match="None of the first 10 clips can be encoded"):
        encode_corpus(Broken(), corpus, Mean(), [0], waveforms=waveforms, cache=tmp_path / "cache")
    assert len(COUNTED) == 6 * 4 + 10


def test_a_pooling_that_makes_nan_is_refused_with_the_clip(
    corpus: Corpus, waveforms: dict[str, Rendered], tmp_path: Path
) -> None:
    class Logarithm(Pooling):
        name = "logarithm"

        def pool(self, frames: Frames) -> Any:
            with np.errstate(invalid="ignore"):
                return np.log(frames.values.mean(axis=1))

    with pytest.raises(EncodingError, match=r"Clip 'p0_.*pooling 'logarithm' makes values"):
        encode_corpus(
            Blocks(), corpus, Logarithm(), [0], waveforms=waveforms, cache=tmp_path / "cache"
        )


def test_recordings_are_decoded_from_their_start_to_their_end(
    corpus: Corpus, tmp_path: Path
) -> None:
    samples = waveform(3)
    path = tmp_path / "take.wav"
    soundfile.write(path, samples, RATE, subtype="FLOAT")
    parts = [(0.0, 0.1), (0.1, 0.3), (0.2, None)]
    recorded = replace(
        corpus,
        clips=tuple(
            Clip(clip.id, audio=path, start_s=parts[i % 3][0], end_s=parts[i % 3][1])
            for i, clip in enumerate(corpus.clips)
        ),
    )
    encoded = encode_corpus(Blocks(), recorded, Mean(), [0], cache=tmp_path / "cache")
    assert encoded.time.encoded == 3
    means = [samples[:100].mean(), samples[100:300].mean(), samples[200:].mean()]
    np.testing.assert_allclose(encoded.layers[0][:3, 0], means, atol=1e-6)


def test_a_clip_without_render_or_recording_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'p0_.*neither a render nor a recording"):
        encode_corpus(Blocks(), corpus, Mean(), [0], cache=tmp_path)


def test_a_render_at_another_rate_is_refused(
    corpus: Corpus, waveforms: dict[str, Rendered], tmp_path: Path
) -> None:
    other = {clip: replace(w, sample_rate=8000) for clip, w in waveforms.items()}
    with pytest.raises(
        UsageError, match="rendered at 8000 Hz, but the encoder 'blocks' takes 1000"
    ):
        encode_corpus(Blocks(), corpus, Mean(), [0], waveforms=other, cache=tmp_path)


class Bytes(ScoreEncoder):
    """Mean byte of the score, as an encoder that needs more than the performance."""

    name = "bytes"
    requires = ("midi", "score_midi")

    def encode(self, clip: Clip) -> Frames:
        assert clip.score_midi is not None
        content = np.frombuffer(clip.score_midi.read_bytes(), dtype=np.uint8).astype(np.float64)
        if not len(content):
            raise ValueError("an empty score")
        return Frames(content[None, :, None], np.arange(len(content)) / 1.0, {})


def scored(corpus: Corpus, folder: Path, contents: Iterable[bytes]) -> Corpus:
    clips = []
    for number, (clip, content) in enumerate(zip(corpus.clips, contents, strict=True)):
        score = folder / f"{number}.mid"
        score.write_bytes(content)
        (folder / "same.mid").write_bytes(b"performance")
        clips.append(replace(clip, midi=folder / "same.mid", score_midi=score))
    return replace(corpus, clips=tuple(clips))


def test_clips_of_notes_are_told_apart_by_all_files_that_are_read(
    corpus: Corpus, tmp_path: Path
) -> None:
    clips = scored(corpus, tmp_path, [bytes([1 + n % 5, 2]) for n in range(48)])
    encoded = encode_corpus(Bytes(), clips, Mean(), [0], cache=tmp_path / "cache")
    assert (encoded.time.encoded, encoded.time.cached) == (5, 43)
    assert encoded.fingerprint == "revision 1"
    assert encoded.provenance == {}
    np.testing.assert_allclose(encoded.layers[0][:, 0], [(3 + n % 5) / 2 for n in range(48)])


def test_a_clip_of_notes_that_fails_is_named(corpus: Corpus, tmp_path: Path) -> None:
    clips = scored(corpus, tmp_path, [b"", *[bytes([n]) for n in range(1, 48)]])
    failing = clips.clips[0].id
    with pytest.raises(
        EncodingError, match=f"'{failing}': The encoder 'bytes' failed.*empty score"
    ):
        encode_corpus(Bytes(), clips, Mean(), [0], cache=tmp_path / "cache")
    (stored,) = list_namespaces(feature_root(tmp_path / "cache"))
    assert stored.shards == 1


def test_clips_that_lack_a_file_are_counted(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="48 of 48 clips of 'small' have no score_midi"):
        encode_corpus(Bytes(), corpus, Mean(), [0], cache=tmp_path)


def test_an_encoder_of_notes_must_keep_its_number_of_layers(corpus: Corpus, tmp_path: Path) -> None:
    class Deep(Bytes):
        layers = 3

    clips = scored(corpus, tmp_path, [bytes([n + 1]) for n in range(48)])
    with pytest.raises(EncodingError, match="returned 1 states; its layers = 3 promises 4"):
        encode_corpus(Deep(), clips, Mean(), [0], cache=tmp_path / "cache")


OWN_ENCODER = """
import os
import numpy as np
from pianobench import AudioEncoder, Pooling


class Process(AudioEncoder):
    name = "process"
    sample_rate = 1000
    backend = "numpy"
    chunk_s = None

    def load(self, device):
        def states(waveforms):
            return [np.abs(waveforms[:, :, None])]

        states.weights_digest = "1"
        return states


class MeanAndProcess(Pooling):
    name = "mean-and-process"

    def pool(self, frames):
        return np.concatenate([frames.values.mean(axis=1), [[os.getpid()]] * len(frames.values)], 1)
"""


@pytest.mark.slow
def test_several_processes_give_the_same_features(
    corpus: Corpus,
    waveforms: dict[str, Rendered],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import importlib

    (tmp_path / "own_process.py").write_text(OWN_ENCODER)
    monkeypatch.syspath_prepend(tmp_path)
    own = importlib.import_module("own_process")
    monkeypatch.setattr(parallel_module, "_WORTH_PROCESSES_S", 0.0)
    encoded = encode_corpus(
        own.Process(),
        corpus,
        own.MeanAndProcess(),
        [0],
        waveforms=waveforms,
        cache=tmp_path / "cache",
        jobs=2,
    )
    means = [np.abs(w.waveform()).mean() for w in waveforms.values()]
    np.testing.assert_allclose(encoded.layers[0][:, 0], means, rtol=1e-5)
    assert len(set(encoded.layers[0][:, 1].tolist())) >= 2


ENCODE_ALL = """
import sys, time
from pathlib import Path
import numpy as np
from pianobench import AudioEncoder, Clip, Corpus, Dimension, Pooling
from pianobench import encode as encode_module, store as store_module
from pianobench.encode import encode_corpus

encode_module.FLUSH_EVERY_S = 0.1
encode_module.SHARD_ROWS = store_module.SHARD_ROWS = 8


class Slow(AudioEncoder):
    name = "slow"
    sample_rate = 1000
    backend = "numpy"

    def load(self, device):
        def states(waveforms):
            time.sleep(0.01)
            return [np.abs(waveforms.reshape(len(waveforms), -1, 10))]

        states.weights_digest = "1"
        return states


class Mean(Pooling):
    name = "mean"

    def pool(self, frames):
        return frames.values.mean(axis=1)


recordings = sorted(Path(sys.argv[1]).glob("*.wav"))
corpus = Corpus(
    name="recorded",
    version="1",
    clips=tuple(Clip(path.stem, audio=path) for path in recordings),
    dimensions=(Dimension("timing"),),
    targets=np.zeros((len(recordings), 1)),
    groups={},
    human=np.ones(len(recordings), dtype=bool),
    raters=np.ones(len(recordings)),
)
print("ready", flush=True)
encoded = encode_corpus(Slow(), corpus, Mean(), [0], cache=Path(sys.argv[2]))
print(encoded.time.encoded, encoded.digest)
"""


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """A folder of 60 recordings."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for seed in range(60):
        soundfile.write(folder / f"{seed:02}.wav", waveform(seed), RATE, subtype="FLOAT")
    return folder


def started(recordings: Path, cache: Path) -> subprocess.Popen[str]:
    """Encode the recordings in a process of its own, which has just begun to."""
    process = subprocess.Popen(
        [sys.executable, "-c", ENCODE_ALL, str(recordings), str(cache)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_a_run_killed_at_any_instant_and_started_again_gives_the_same_bits(
    recordings: Path, tmp_path: Path
) -> None:
    whole, _ = started(recordings, tmp_path / "whole").communicate()
    random = np.random.default_rng(3)
    for after_s in random.uniform(0.0, 0.6, 6):
        with started(recordings, tmp_path / "killed") as process:
            time.sleep(after_s)
            process.kill()
    resumed, _ = started(recordings, tmp_path / "killed").communicate()
    assert whole.split()[0] == "60"
    assert int(resumed.split()[0]) < 60
    assert resumed.split()[1] == whole.split()[1]


@pytest.mark.slow
def test_several_runs_at_once_on_one_store_do_each_other_no_harm(
    recordings: Path, tmp_path: Path
) -> None:
    alone, _ = started(recordings, tmp_path / "alone").communicate()
    processes = [started(recordings, tmp_path / "shared") for _ in range(3)]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert {output.split()[1] for output in outputs} == {alone.split()[1]}
    (stored,) = list_namespaces(feature_root(tmp_path / "shared"))
    assert (stored.clips, stored.faults) == (60, ())


def test_the_digest_of_features_is_that_of_their_bytes(
    corpus: Corpus, waveforms: dict[str, Rendered], tmp_path: Path
) -> None:
    encoded = encode_corpus(Blocks(), corpus, Mean(), [1], waveforms=waveforms, cache=tmp_path)
    content = b"1 (48, 1)" + encoded.layers[1].astype("<f4").tobytes()
    assert encoded.digest == hashlib.sha256(content).hexdigest()


def test_reduced_precision_is_kept_apart_by_device_and_full_precision_is_not() -> None:
    def found(precision: str, device: str) -> dict[str, Any]:
        policy = Policy(None, 0, precision, device)  # type: ignore[arg-type]  # literals
        return describe_features(Blocks(), Mean(), policy)[0]["input"]

    assert "device" not in found("float32", "cuda")
    assert "device" not in found("bfloat16", "cpu")
    assert found("bfloat16", "cuda:1")["device"] == "cuda"


def test_what_several_renders_took_is_added_up() -> None:
    times = [EncodingTime(1.5, 3, 0, 20.0), EncodingTime(0.5, 1, 2, 4.0)]
    assert EncodingTime.total(times) == EncodingTime(2.0, 4, 2, 24.0)
