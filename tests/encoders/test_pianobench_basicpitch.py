from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from pianobench import CheckpointError, DependencyError
from pianobench.errors import CheckpointAbsentError
from pianobench.forward import States, encode_waveform
from pianobench.policy import Policy
from pianobench_basicpitch import BasicPitch, LoadedBasicPitch, shuffle_kernels

FIXTURE = Path(__file__).parents[1] / "parity" / "basic_pitch" / "states.safetensors"
RATE_HZ = 22_050
NOTE, ONSET, CONTOUR = slice(0, 88), slice(88, 176), slice(176, 440)
A4 = 48  # keys above A0


def load(**options: Any) -> LoadedBasicPitch:
    try:
        return BasicPitch(**options).load("cpu")
    except DependencyError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def loaded() -> LoadedBasicPitch:
    return load()


@pytest.fixture
def model(loaded: LoadedBasicPitch) -> Path:
    package = importlib.metadata.distribution("basic-pitch")
    return Path(str(package.locate_file("basic_pitch/saved_models/icassp_2022/nmp.onnx")))


def tone(start_s: float, seconds: float) -> np.ndarray:
    """A decaying A4 with six harmonics."""
    after_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ - start_s
    partials = sum(np.sin(2 * np.pi * 440 * k * after_s) / k for k in range(1, 7))
    sounding = np.where(after_s >= 0, np.exp(-2 * np.maximum(after_s, 0)), 0)
    return (0.2 * sounding * partials).astype(np.float32)


def encode(loaded: Any, waveform: np.ndarray) -> States:
    return encode_waveform(BasicPitch(), loaded, waveform, Policy(chunk_samples=None))


class CentreReader:
    """Stands for the network: every value of a frame is the sample at its centre."""

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        (window,) = inputs.values()
        assert window.shape == (1, 43_844, 1)
        return [np.repeat(window[:, ::256], width, axis=2) for width in (88, 88, 264)]


def test_states_are_those_of_the_original_package(loaded: LoadedBasicPitch) -> None:
    fixture = load_file(FIXTURE)
    waveform = fixture["waveform"] / np.float32(32_768)
    (states,) = loaded(waveform[None])
    frames, width = fixture["shape"]
    assert states.shape == (1, 274, 440)  # 70,000 / 36,164 of 142; the package stops after 273
    assert (frames, width) == (273, 440)
    ours = states[0, :frames].reshape(-1)[fixture["indices"]]
    np.testing.assert_allclose(ours, fixture["values"], rtol=0, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(255, 200_000))
def test_every_frame_is_of_its_own_place_in_the_waveform(samples: int) -> None:
    ramp = np.arange(1, samples + 1, dtype=np.float32)
    states, times_s = encode(LoadedBasicPitch(CentreReader(), b"", ""), ramp)
    window, frame = np.divmod(np.arange(len(times_s)), 142)
    centre = 36_164 * window + 256 * frame
    assert len(centre) == int(samples * 142 / 36_164)
    inside = centre < samples
    assert inside[:-1].all()
    np.testing.assert_array_equal(states[0][:, 0], np.where(inside, centre + 1, 0))
    np.testing.assert_allclose(times_s, centre / RATE_HZ, rtol=0, atol=0.0058)


@pytest.mark.parametrize("start_s", [0.5, 3.3])
def test_a_tone_sounds_on_its_key_from_when_it_is_struck(
    loaded: LoadedBasicPitch, start_s: float
) -> None:
    states, times_s = encode(loaded, tone(start_s, 4.5))
    (state,) = states
    key = state[:, ONSET].max(axis=0).argmax()
    assert key == A4
    struck_s = times_s[state[:, ONSET][:, A4].argmax()]
    assert struck_s == pytest.approx(start_s, abs=0.025)
    sounding = (times_s > start_s + 0.1) & (times_s < start_s + 0.5)
    assert (state[sounding, NOTE].argmax(axis=1) == A4).all()
    assert (state[sounding, CONTOUR].argmax(axis=1) == 3 * A4 + 1).all()
    assert state[sounding, NOTE][:, A4].min() > 0.5 > state[times_s < start_s - 0.1, NOTE].max()


def test_half_as_loud_is_hardly_another_clip(loaded: LoadedBasicPitch) -> None:
    clip = tone(0.5, 2.0)
    ((loud, soft, silent),) = loaded(np.stack([clip, 0.5 * clip, 0 * clip]))
    assert np.sqrt(np.mean((loud - soft) ** 2)) < 0.1 * np.sqrt(np.mean((loud - silent) ** 2))


def test_waveforms_of_a_batch_do_not_meet(loaded: LoadedBasicPitch) -> None:
    one, other = tone(0.2, 2.0), np.random.default_rng(0).normal(0, 0.3, 44_100).astype(np.float32)
    (both,) = loaded(np.stack([one, other]))
    for state, waveform in zip(both, [one, other], strict=True):
        np.testing.assert_array_equal(state, loaded(waveform[None])[0][0])


def test_random_weights_follow_their_seed(loaded: LoadedBasicPitch) -> None:
    waveform = tone(0.2, 1.0)[None]
    one, again, other = (load(weights="random", weights_seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one(waveform)[0], again(waveform)[0])
    assert one.weights_digest == again.weights_digest
    assert len({one.weights_digest, other.weights_digest, loaded.weights_digest}) == 3
    for unlike in (other, loaded):
        assert np.abs(one(waveform)[0] - unlike(waveform)[0]).max() > 0.1


def test_shuffling_moves_the_learned_kernels_of_the_published_model_alone(model: Path) -> None:
    trained = model.read_bytes()
    shuffled = shuffle_kernels(trained, 0, "it")
    assert sorted(shuffled) == sorted(trained)
    moved = np.frombuffer(trained, np.uint8) != np.frombuffer(shuffled, np.uint8)
    # The convolutions of basic_pitch/models.py: channels out x in x time x pitch.
    learned = (
        (8 * 8 * 3 * 39 + 1 * 8 * 5 * 5)  # contour
        + (32 * 1 * 7 * 7 + 1 * 32 * 7 * 3)  # note
        + (32 * 8 * 5 * 5 + 1 * 33 * 3 * 3)  # onset
    )
    # Exponents of neighbours agree often; more than half of the 4 bytes of a value do not.
    assert 2 * learned < moved.sum() < 4 * learned


def field(number: int, content: bytes | int) -> bytes:
    """Write one field of a protocol buffer message."""

    def coded(value: int) -> bytes:
        low, rest = value % 128, value // 128
        return bytes([low + 128]) + coded(rest) if rest else bytes([low])

    if isinstance(content, int):
        return coded(8 * number) + coded(content)
    return coded(8 * number + 2) + coded(len(content)) + content


def tensor(values: np.ndarray, name: str, element_type: int = 1) -> bytes:
    sizes = b"".join(field(1, size) for size in values.shape)
    return sizes + field(2, element_type) + field(8, name.encode()) + field(9, values.tobytes())


@given(
    kernel=st.tuples(*[st.integers(1, 6)] * 2, *[st.integers(2, 6)] * 2),
    taps=st.integers(1, 300),
    seed=st.integers(0, 5),
)
def test_shuffling_keeps_what_is_not_a_kernel_over_time_and_pitch(
    kernel: tuple[int, ...], taps: int, seed: int
) -> None:
    learned = np.random.default_rng(0).normal(size=kernel).astype("<f4")
    others = [
        tensor(np.arange(taps, dtype="<f4").reshape(1, 1, 1, taps), "transform"),
        tensor(np.arange(taps, dtype="<f4"), "bias"),
        tensor(np.arange(16, dtype="<i4").reshape(2, 2, 2, 2), "shape", element_type=6),
    ]
    tensors = [others[0], tensor(learned, "kernel"), *others[1:]]
    graph = field(2, b"a graph") + b"".join(field(5, t) for t in tensors)
    fixed = bytes([(9 << 3) + 1, *range(8), (10 << 3) + 5, *range(4)])  # of 64 and of 32 bits
    before = field(1, 8) + fixed
    after = field(8, b"its opset")
    shuffled = shuffle_kernels(before + field(7, graph) + after, seed, "it")
    drawn = np.random.default_rng(seed).permutation(learned.ravel())
    assert shuffled == before + field(7, graph.replace(learned.tobytes(), drawn.tobytes())) + after


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ([tensor(np.ones((1, 1, 1, 9), "<f4"), "transform")], "of 0 .* 0 are stored"),
        ([tensor(np.ones((2, 1, 3, 3), "<f2"), "half", element_type=10)], "of 0 .* 0 are stored"),
        (
            [
                tensor(np.ones((2, 1, 3, 3), "<f4"), "kernel"),
                b"".join(field(1, 2) for _ in range(4)) + field(2, 1) + field(4, bytes(64)),
            ],
            "of 2 .* 1 are stored",
        ),
    ],
)
def test_a_model_that_would_keep_trained_kernels_is_refused(
    tensors: list[bytes], said: str
) -> None:
    graph = b"".join(field(5, each) for each in tensors)
    with pytest.raises(CheckpointError, match=f"'my.onnx' cannot be shuffled: {said}"):
        shuffle_kernels(field(7, graph), 0, "my.onnx")


def test_a_file_of_the_same_weights_is_the_same_encoder(
    loaded: LoadedBasicPitch, model: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "retrained.onnx"
    copied.write_bytes(model.read_bytes())
    from_file = load(checkpoint=str(copied))
    assert from_file.weights_digest == loaded.weights_digest
    version = importlib.metadata.version("basic-pitch")
    assert (loaded.source, from_file.source) == (f"basic-pitch {version}", "file")


def test_the_package_is_never_imported(loaded: LoadedBasicPitch) -> None:
    code = (
        "import sys, pianobench_basicpitch as p; early = 'onnxruntime' in sys.modules; "
        "p.BasicPitch().load('cpu'); print(early, 'basic_pitch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert (done.stdout, done.stderr) == ("False False\n", "")


def test_an_absent_package_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(DependencyError, match=r'\(not.*pip install --no-deps "basic-pitch>=0\.4'):
        BasicPitch().load("cpu")


def test_a_package_without_the_onnx_file_is_told_with_its_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = SimpleNamespace(version="0.2.6", locate_file=lambda path: tmp_path / path)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: old)
    with pytest.raises(DependencyError, match=r"nmp\.onnx from the package basic-pitch \(0\.2\.6"):
        BasicPitch().load("cpu")


def test_an_absent_onnxruntime_is_told_with_the_command_that_installs_it(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DependencyError, match=r'pip install "pianobench\[basic-pitch\]"'):
        BasicPitch().load("cpu")


def test_an_absent_file_is_an_absent_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointAbsentError, match=r"no basic-pitch model '.*nowhere\.onnx'"):
        BasicPitch(checkpoint=str(tmp_path / "nowhere.onnx")).load("cpu")


@pytest.mark.parametrize("weights", ["pretrained", "random"])
@pytest.mark.parametrize("kept", [0, 100_000])
def test_a_damaged_file_is_refused(model: Path, tmp_path: Path, kept: int, weights: Any) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(model.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"cannot read the model '.*damaged\.onnx'"):
        BasicPitch(checkpoint=str(damaged), weights=weights).load("cpu")


def test_another_model_is_refused(model: Path) -> None:
    from onnxruntime import datasets

    other = datasets.get_example("sigmoid.onnx")
    with pytest.raises(CheckpointError, match=r"inputs and outputs .*; basic-pitch has .*43844"):
        BasicPitch(checkpoint=other).load("cpu")
