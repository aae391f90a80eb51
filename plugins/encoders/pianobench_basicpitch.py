"""basic-pitch: a small network that transcribes any instrument; see `BasicPitch`.

The model is read from the installed basic-pitch package and run by onnxruntime; the package itself
is never imported, since it wants TensorFlow.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pianobench import CheckpointError, Component, DependencyError, PretrainedEncoder, hookimpl
from pianobench.errors import CheckpointAbsentError

__all__ = ["BasicPitch", "LoadedBasicPitch", "shuffle_kernels"]

Floats = NDArray[np.float32]

_PACKAGED = "basic-pitch"
_PACKAGED_MODEL = Path("basic_pitch/saved_models/icassp_2022/nmp.onnx")
_INSTALL_MODEL = 'pip install --no-deps "basic-pitch>=0.4.0"'

# How the package itself cuts a recording (basic_pitch/inference.py and constants.py, 0.4.0).
_RATE_HZ = 22_050
_WINDOW = 43_844  # samples
_FRAMES = 172  # of a window, 256 samples apart
_DROPPED = 15  # frames at either end
_KEPT = _FRAMES - 2 * _DROPPED
_BEFORE = _DROPPED * 256
_STEP = _WINDOW - 2 * _BEFORE

_INPUT = "serving_default_input_2:0"
# The order of the states' columns, with the width of each.
_OUTPUTS = {
    "StatefulPartitionedCall:1": 88,  # note
    "StatefulPartitionedCall:2": 88,  # onset
    "StatefulPartitionedCall:0": 264,  # contour
}


class BasicPitch(PretrainedEncoder):
    """basic-pitch (Bittner et al. 2022): how likely each key sounds and is struck, frame by frame.

    One state of width 440, all probabilities: that each of the 88 keys from A0 sounds, that each
    is struck, and that there is a pitch in each of 264 thirds of a semitone.

    The network takes windows of 43,844 samples (2 s) and nothing else, so it is passed whole clips
    and cuts them as the package does: every 36,164 samples, from 3,840 before the beginning, and
    without the first and last 15 of a window's 172 frames. The 142 frames kept lie 256 samples
    apart within a window, a little more than their share of a step; times count 86.6 frames a
    second and are at most 6 ms off. The package counts 86, and so loses the last 0.7% of a clip.
    Each window's spectrum is scaled by its own loudest and softest point, so that how loud a clip
    is hardly reaches the states: of renders at half the amplitude they differ by 0.004 (root mean
    square).

    Random weights are the trained ones, shuffled within each convolution; the constant-Q transform
    before them, which is not learned, and the biases stay.

    References
    ----------
    Bittner et al.: A lightweight instrument-agnostic model for polyphonic note transcription and
    multipitch estimation. ICASSP 2022. https://doi.org/10.1109/ICASSP43922.2022.9746549
    """

    name = "basic-pitch"
    licence = "Apache-2.0"
    citation = "Bittner et al. 2022, doi:10.1109/ICASSP43922.2022.9746549"
    pretraining = (
        "transcription, supervised: GuitarSet, iKala, MAESTRO, MedleyDB-Pitch, Slakh (as the "
        "package's own training code lists them). By ASAP's metadata MAESTRO holds the takes of "
        "three of PercePiano's pianists of D935 no. 3; it has their notes, not their ratings"
    )
    overlaps = ("maestro", "percepiano")
    sample_rate = _RATE_HZ
    backend = "numpy"
    layers = 0
    chunk_s = None
    minimum_samples = 255  # one frame
    default_pooling = "mean+std+max"
    default_head = "kernel-ridge"

    checkpoint: str = _PACKAGED
    """The installed package, or an .onnx file with the same inputs and outputs."""

    def load(self, device: str) -> LoadedBasicPitch:  # noqa: ARG002 - it runs on the CPU only
        """Read the weights, and shuffle them if they are to be random.

        Raises
        ------
        CheckpointError
            If there is no such file, or it is not a basic-pitch model.
        DependencyError
            If onnxruntime or basic-pitch is not installed.
        """
        found = _find_model(self.checkpoint)
        model, source = found.path.read_bytes(), found.source
        session = _start_session(model, self.checkpoint)
        if self.weights == "random":
            model = shuffle_kernels(model, self.weights_seed, self.checkpoint)
            source = f"random, seed {self.weights_seed}"
            session = _start_session(model, self.checkpoint)
        return LoadedBasicPitch(session, model, source)


class LoadedBasicPitch:
    """A basic-pitch with its weights: waveforms (batch, samples) to one state."""

    frame_rate_hz: ClassVar[float] = _KEPT / _STEP * _RATE_HZ

    def __init__(self, session: Any, model: bytes, source: str) -> None:
        self._session = session
        self.source = source
        cut = f"{_WINDOW} {_STEP} {_BEFORE} {_DROPPED}"
        self.weights_digest = hashlib.sha256(cut.encode() + model).hexdigest()

    def __call__(self, waveforms: Floats) -> list[Floats]:
        """Encode to a list of one state, (batch, frames, 440)."""
        return [np.stack([self._encode(waveform) for waveform in waveforms])]

    def _encode(self, waveform: Floats) -> Floats:
        # Window by window: an hour of them at once would take 13 GB.
        frames = len(waveform) * _KEPT // _STEP
        kept = [self._run(window) for window in _windows(waveform, math.ceil(frames / _KEPT))]
        return np.concatenate(kept)[:frames]

    def _run(self, window: Floats) -> Floats:
        outputs = self._session.run(list(_OUTPUTS), {_INPUT: window[None, :, None]})
        joined: Floats = np.concatenate([output[0] for output in outputs], axis=1)
        return joined[_DROPPED:-_DROPPED]


def _windows(waveform: Floats, count: int) -> Iterator[Floats]:
    after = max(0, (count - 1) * _STEP + _WINDOW - _BEFORE - len(waveform))
    padded = np.pad(waveform, (_BEFORE, after))
    for start in range(0, count * _STEP, _STEP):
        yield padded[start : start + _WINDOW]


def shuffle_kernels(model: bytes, seed: int, name: str) -> bytes:
    """Shuffle the values of every learned convolution kernel of an ONNX model among themselves.

    Learned are the kernels that reach over both time and pitch; those of the constant-Q transform
    reach over time alone.

    Parameters
    ----------
    model : bytes
        The weights lie in it as raw float32.
    seed : int
    name : str
        Of the model, for messages.

    Raises
    ------
    CheckpointError
        If it holds no such kernel, or one that is not raw.

    References
    ----------
    The layout is that of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, read without the
    onnx package; https://protobuf.dev/programming-guides/encoding/
    """
    random = np.random.default_rng(seed)
    shuffled = bytearray(model)
    whole = slice(0, len(model))
    kernels: list[list[slice]] = []
    for graph in _fields(model, whole)[7]:
        for initializer in _fields(model, graph)[5]:
            fields = _fields(model, initializer)
            sizes, (element_type,) = fields[1], fields[2]
            if len(sizes) == 4 and min(sizes[2:]) > 1 and element_type == 1:
                kernels.append(fields[9])
    # A model that keeps trained kernels must not pass for random.
    if not kernels or not all(kernels):
        raise CheckpointError(
            f"The weights of the model {name!r} cannot be shuffled: of {len(kernels)} convolution "
            f"kernels of float32 over time and pitch {sum(map(bool, kernels))} are stored as raw "
            "data. Leave --weights random out, or name an .onnx file that stores them so."
        )
    for (raw,) in kernels:
        values = np.frombuffer(model[raw], dtype="<f4")
        shuffled[raw] = random.permutation(values).tobytes()
    return bytes(shuffled)


def _fields(model: bytes, message: slice) -> dict[int, list[Any]]:
    """Read one protocol buffer message: by field, its numbers, or where its contents lie."""
    found: dict[int, list[Any]] = defaultdict(list)
    at = message.start
    while at < message.stop:
        key, at = _number(model, at)
        field, coding = divmod(key, 8)
        if coding == 0:
            value, at = _number(model, at)
            found[field].append(value)
        else:
            length, at = _number(model, at) if coding == 2 else ({1: 8, 5: 4}[coding], at)
            found[field].append(slice(at, at + length))
            at += length
    return found


def _number(model: bytes, at: int) -> tuple[int, int]:
    """Read a number of 7 bits a byte, the lowest first; return what comes after it as well."""
    number = shift = 0
    while model[at] >= 128:
        number |= (model[at] - 128) << shift
        shift += 7
        at += 1
    return number | model[at] << shift, at + 1


class _Found(NamedTuple):
    path: Path
    source: str


def _find_model(checkpoint: str) -> _Found:
    if checkpoint != _PACKAGED:
        path = Path(checkpoint).expanduser()
        if not path.is_file():
            raise CheckpointAbsentError(
                f"There is no basic-pitch model {checkpoint!r}. Name an .onnx file, or leave the "
                f"checkpoint out to use the installed package: {_INSTALL_MODEL}"
            )
        return _Found(path, "file")
    try:
        package = importlib.metadata.distribution(_PACKAGED)
    except importlib.metadata.PackageNotFoundError:
        found, version = None, "not installed"
    else:
        found, version = Path(str(package.locate_file(_PACKAGED_MODEL))), package.version
    if found is None or not found.is_file():
        raise DependencyError(
            f"The encoder basic-pitch reads {_PACKAGED_MODEL.name} from the package basic-pitch "
            f"({version}). Install it without its own dependencies, of which none is needed: "
            f"{_INSTALL_MODEL}"
        )
    return _Found(found, f"{_PACKAGED} {version}")


def _start_session(model: bytes, checkpoint: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise DependencyError(
            f"The encoder basic-pitch needs onnxruntime, which cannot be imported ({error}): "
            'pip install "pianobench[basic-pitch]"'
        ) from error
    options = onnxruntime.SessionOptions()
    # Sums must not depend on how many threads take part.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no other root
        raise CheckpointError(
            f"onnxruntime cannot read the model {checkpoint!r}: {error}. Name an .onnx file of "
            "basic-pitch."
        ) from error
    shapes = {end.name: end.shape[1:] for end in (*session.get_inputs(), *session.get_outputs())}
    expected = {_INPUT: [_WINDOW, 1]}
    expected |= {name: [_FRAMES, width] for name, width in _OUTPUTS.items()}
    if shapes != expected:
        raise CheckpointError(
            f"The model {checkpoint!r} has inputs and outputs {shapes}; basic-pitch has "
            f"{expected}. Name an .onnx file of basic-pitch."
        )
    return session


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the encoder."""
    return [BasicPitch]
