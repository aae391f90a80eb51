"""What the harness adds to an encoder: time, and memory with the size of the corpus.

``pytest tests/benchmarks/test_encoding_speed.py --benchmark-columns=min`` measures; the ratios are
in the extra information of each benchmark. Where both sides compute in one thread, their processor
times are compared: those hardly depend on what else the machine does. Wall times are told beside.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile

from pianobench import AudioEncoder, Clip, Corpus, Dimension, Pooling
from pianobench.audio import chunk_bounds, quantise, samples_digest
from pianobench.encode import Encoded, encode_corpus
from pianobench.plugins import Registry
from pianobench.render import Rendered
from pianobench.store import SHARD_ROWS, FeatureStore, Row

torch = pytest.importorskip("torch")

PARITY = Path(__file__).parents[1] / "parity"
RATE = 24_000


class Sound(NamedTuple):
    """A corpus of renders."""

    corpus: Corpus
    waveforms: dict[str, Rendered]

    @property
    def duration_s(self) -> float:
        return sum(rendered.duration_s for rendered in self.waveforms.values())


class Took(NamedTuple):
    """Processor and wall time, in seconds."""

    processor_s: float
    wall_s: float


def sound(folder: Path, clips: int, seconds: float) -> Sound:
    """Tones of different pitches and of lengths that differ by up to a third."""
    folder.mkdir()
    waveforms = {}
    for number in range(clips):
        samples = round(RATE * seconds * (1 + number % 11 / 30))
        time_s = np.arange(samples) / RATE
        waveform = quantise((0.3 * np.sin((300 + number) * time_s)).astype(np.float32))
        path = folder / f"{number}.flac"
        soundfile.write(path, waveform, RATE, subtype="PCM_16")
        waveforms[str(number)] = Rendered(path, samples_digest(waveform), samples, RATE)
    corpus = Corpus(
        name="tones",
        version="1",
        clips=tuple(Clip(name) for name in waveforms),
        dimensions=(Dimension("timing"),),
        targets=np.zeros((clips, 1)),
        groups={},
        human=np.ones(clips, dtype=bool),
        raters=np.ones(clips),
    )
    return Sound(corpus, waveforms)


def muq(folder: Path, **changes: int) -> AudioEncoder:
    """MuQ with random weights, of toy width but for what is changed."""
    configuration = json.loads((PARITY / "muq_config_tiny.json").read_text())
    configuration["w2v2_config"] |= {"num_attention_heads": 8, "intermediate_size": 2048}
    configuration |= changes
    configuration["w2v2_config"]["hidden_size"] = configuration["encoder_dim"]
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(configuration))
    options = {"weights": "random", "checkpoint": str(folder)}
    return Registry().create(AudioEncoder, "encoder", "muq", options)


def mean() -> Pooling:
    return Registry().create(Pooling, "pooling", "mean")


def timed(work: Callable[[], Any]) -> tuple[Took, Any]:
    processor, wall = time.process_time(), time.perf_counter()
    done = work()
    return Took(time.process_time() - processor, time.perf_counter() - wall), done


class Watched(AudioEncoder):
    """Another encoder, the processor time inside which is added up."""

    name = "watched"
    sample_rate = RATE
    hop_samples = 960
    minimum_samples = 1_025
    inner: AudioEncoder

    @property
    def layers(self) -> int:  # type: ignore[override]  # a fact that depends on an option
        return self.inner.layers

    def load(self, device: str) -> Any:
        return _Watched(self.inner.load(device))


class _Watched:
    inside_s = 0.0

    def __init__(self, loaded: Any) -> None:
        self.loaded = loaded
        self.weights_digest = loaded.weights_digest
        self.frame_rate_hz = loaded.frame_rate_hz

    def __call__(self, waveforms: Any) -> list[Any]:
        started = time.process_time()
        states = list(self.loaded(waveforms))
        _Watched.inside_s += time.process_time() - started
        return states


def bare(encoder: AudioEncoder, loaded: Any, sounds: list[np.ndarray]) -> None:
    """Encode the same chunks, one by one as on a CPU, and do nothing with the states."""
    with torch.inference_mode():
        for waveform in sounds:
            for start, end in chunk_bounds(len(waveform), 10 * RATE, encoder.minimum_samples):
                list(loaded(torch.from_numpy(waveform[None, start:end])))


def test_encoding_against_a_bare_loop_over_the_same_model_and_batches(
    benchmark: Any, tmp_path: Path
) -> None:
    inner = muq(tmp_path / "muq", encoder_dim=512, encoder_depth=6, conv_dim=128)
    encoder = Watched(inner=inner)
    tones = sound(tmp_path / "tones", 12, 8.0)
    pooling = mean()

    def run(cache: Path) -> Took:
        """Encode; the processor time outside of the model, and the wall time."""
        _Watched.inside_s = 0.0
        took, _ = timed(
            lambda: encode_corpus(
                encoder, tones.corpus, pooling, [1], waveforms=tones.waveforms, cache=cache
            )
        )
        return Took(took.processor_s - _Watched.inside_s, took.wall_s)

    loaded = inner.load("cpu")
    sounds = [rendered.waveform() for rendered in tones.waveforms.values()]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    added, wall = [], []
    try:
        for turn in range(3):
            whole = run(tmp_path / str(turn))
            inside_s = _Watched.inside_s
            # Once a run, however many clips: weights and their digest, the fixed signals.
            (kept,) = (tmp_path / str(turn)).rglob("provenance.json")
            kept.unlink()
            start = run(tmp_path / str(turn))
            inside_s -= _Watched.inside_s
            added.append((whole.processor_s - start.processor_s) / inside_s)
            alone, _ = timed(lambda: bare(inner, loaded, sounds))
            wall.append((whole.wall_s - start.wall_s) / alone.wall_s)
    finally:
        torch.set_num_threads(threads)
    benchmark.pedantic(bare, (inner, loaded, sounds[:2]), rounds=1)
    benchmark.extra_info["audio s/s of the bare loop"] = round(tones.duration_s / alone.wall_s, 1)
    shares = [round(float(share), 4) for share in added]
    benchmark.extra_info["outside of the model, share of the time in it"] = shares
    ratios = [round(float(ratio), 3) for ratio in wall]
    benchmark.extra_info["wall time against the bare loop"] = ratios
    assert np.median(added) <= 0.05


def test_ten_ranges_of_layers_against_one_pass(benchmark: Any, tmp_path: Path) -> None:
    encoder = muq(tmp_path / "muq", encoder_dim=64, encoder_depth=12, conv_dim=64)
    tones = sound(tmp_path / "tones", 160, 8.0)
    pooling, cache = mean(), tmp_path / "cache"
    ranges = [range(first, last + 1) for first in (0, 4, 8) for last in (9, 10, 11, 12)][:10]

    def run(layers: range) -> Encoded:
        return encode_corpus(
            encoder, tones.corpus, pooling, layers, waveforms=tones.waveforms, cache=cache
        )

    one, first = timed(lambda: run(ranges[0]))
    nine, others = timed(lambda: [run(layers) for layers in ranges[1:]])
    benchmark.pedantic(run, (ranges[0],), rounds=3)
    assert [encoded.time.encoded for encoded in (first, *others)] == [160] + 9 * [0]
    more = [n / o for n, o in zip(nine, one, strict=True)]
    benchmark.extra_info["audio s"] = round(tones.duration_s)
    benchmark.extra_info["nine more ranges, in passes of processor time"] = round(more[0], 3)
    benchmark.extra_info["nine more ranges, in passes of wall time"] = round(more[1], 3)
    benchmark.extra_info["ten passes, in passes"] = 10
    assert more[0] <= 0.05


def test_reading_four_layers_of_all_clips(benchmark: Any, tmp_path: Path) -> None:
    clips, layers, width = 7_212, 13, 1_024
    random = np.random.default_rng(0)
    keys = [f"{number:064x}" for number in random.permutation(clips)]
    store = FeatureStore(tmp_path, {"of": "random numbers"})
    for start in range(0, clips, SHARD_ROWS):
        part = keys[start : start + SHARD_ROWS]
        values = random.normal(size=(layers, len(part), width)).astype(np.float32)
        store.write([Row(key, list(values[:, row])) for row, key in enumerate(part)])

    def read() -> dict[int, np.ndarray]:
        return FeatureStore(tmp_path, {"of": "random numbers"}).read(keys, [9, 10, 11, 12])

    found = benchmark.pedantic(read, rounds=5, warmup_rounds=1)
    assert found[12].shape == (clips, width)
    reads = [timed(read)[0] for _ in range(10)]
    copies = [timed(lambda: [values.copy() for values in found.values()])[0] for _ in range(10)]
    read_s, copy_s = (np.min(took, axis=0) for took in (reads, copies))
    benchmark.extra_info["seconds of processor and of wall time"] = read_s.round(3).tolist()
    benchmark.extra_info["one copy of the same bytes"] = copy_s.round(3).tolist()
    assert read_s[0] <= 0.2


PEAK = """
import json, resource, sys
from pathlib import Path
from pianobench import AudioEncoder, Clip, Corpus, Dimension, Pooling
from pianobench.encode import encode_corpus
from pianobench.plugins import Registry
from pianobench.render import Rendered
import numpy as np

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6

renders = {Path(path).stem: Rendered(Path(path), *of) for path, *of in json.load(sys.stdin)}
corpus = Corpus("tones", "1", tuple(map(Clip, renders)), (Dimension("timing"),),
    np.zeros((len(renders), 1)), {}, human=np.ones(len(renders), dtype=bool),
    raters=np.ones(len(renders)))
registry = Registry()
encoder = registry.create(AudioEncoder, "encoder", "muq", {"checkpoint": sys.argv[1]})
loaded = encoder.load("cpu")
import torch
with torch.inference_mode():
    list(loaded(torch.zeros(1, 24_000)))
before = peak()
del loaded
mean = registry.create(Pooling, "pooling", "mean")
encoded = encode_corpus(encoder, corpus, mean, range(encoder.layers + 1), waveforms=renders,
    cache=Path(sys.argv[2]))
assert encoded.time.encoded == len(renders)
print(before, peak())
"""


def test_peak_memory_does_not_depend_on_the_number_of_clips(benchmark: Any, tmp_path: Path) -> None:
    tones = sound(tmp_path / "tones", 7_212, 1.0)
    described = [[str(r.path), r.digest, r.samples, RATE] for r in tones.waveforms.values()]
    peaks: dict[int, tuple[float, float]] = {}

    def measure() -> None:
        for clips in (1_202, 7_212):
            done = subprocess.run(
                [sys.executable, "-c", PEAK, str(PARITY / "muq_tiny"), str(tmp_path / f"{clips}")],
                input=json.dumps(described[:clips]),
                capture_output=True,
                text=True,
                check=True,
            )
            model, peak = map(float, done.stdout.split())
            peaks[clips] = (model, peak)

    benchmark.pedantic(measure, rounds=1)
    for clips, (model, peak) in peaks.items():
        benchmark.extra_info[f"GB with the model alone, then with {clips} clips"] = (
            round(model, 3),
            round(peak, 3),
        )
        assert peak < model + 1
