"""Any encoder written for X-ARES; see `Xares`."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import NonNegativeInt, PositiveFloat

from pianobench import (
    AudioEncoder,
    Component,
    EncodingError,
    UsageError,
    hookimpl,
)
from pianobench.errors import CheckpointAbsentError
from pianobench.foreign import told
from pianobench.untrained import draw_weights

__all__ = ["Xares"]

_DECLARED = ("sampling_rate", "output_dim", "hop_size_in_ms")
_REMEDY = "Correct the file, or name another."
_TRIED_S = (2.0, 4.0)


class Xares(AudioEncoder):
    """An encoder written for X-ARES (Zhang et al. 2025): ``xares:encoder.py``; one state.

    The file is run: name only one that is trusted. Its encoder is the one class in it that
    declares `sampling_rate`, `output_dim` and `hop_size_in_ms`; facts make an instance, as only
    that states them.

    References
    ----------
    Zhang et al.: X-ARES: a comprehensive framework for assessing audio encoder performance.
    Interspeech 2025. https://doi.org/10.48550/arXiv.2505.16369
    """

    name = "xares"
    argument = "file"
    runs_code = True
    licence = "that of the encoder and its weights"
    citation = "the encoder's authors; Zhang et al. 2025, doi:10.48550/arXiv.2505.16369"
    pretraining = "what the encoder's authors say"

    file: str = ""
    """The Python file of the encoder."""
    shortest_s: PositiveFloat = 0.5
    """Shortest piece of audio passed, in seconds: an encoder does not say what it takes."""
    weights: Literal["pretrained", "random"] = "pretrained"
    """``random`` draws the weights anew, each part of the module by its own method."""
    weights_seed: NonNegativeInt = 0
    """Seed of random weights."""

    @property
    def sample_rate(self) -> int:  # type: ignore[override] # facts depend on the file
        """Hz, as the encoder says."""
        return _facts(self.file).sample_rate

    @property
    def hop_samples(self) -> int:  # type: ignore[override] # as above
        """Samples from one frame to the next; 1 where that is no whole number."""
        facts = _facts(self.file)
        hop = facts.hop_ms * facts.sample_rate / 1000
        return round(hop) if hop == round(hop) else 1

    @property
    def chunk_s(self) -> float:  # type: ignore[override] # as above
        """About 10 s, a whole number of frames."""
        hop = self.hop_samples
        return max(1, 10 * self.sample_rate // hop) * hop / self.sample_rate

    @property
    def minimum_samples(self) -> int:  # type: ignore[override] # as above
        """Samples of the shortest piece."""
        return max(1, round(self.shortest_s * self.sample_rate))

    def load(self, device: str) -> LoadedEncoder:
        """Make the encoder, and hold what it gives against what it declares.

        Raises
        ------
        CheckpointAbsentError
            If there is no such file.
        DependencyError
            If the file imports what is not installed.
        PluginError
            If the file cannot be run, or the encoder not be made.
        UsageError
            If it holds no encoder, or several, or its weights cannot be drawn.
        EncodingError
            If the encoder's width or hop is not what it declares.
        """
        encoder = _make(self.file)
        if self.weights == "random":
            draw_weights(encoder, self.weights_seed, self.file)
        return LoadedEncoder(encoder, self.file, device)


class LoadedEncoder:
    """An encoder of X-ARES with its weights: waveforms (batch, samples) to one state."""

    def __init__(self, encoder: Any, file: str, device: str) -> None:
        import torch

        self._encoder, self._file = encoder.to(device).eval(), file
        rate_hz = 1000 / encoder.hop_size_in_ms
        random = torch.Generator().manual_seed(0)
        counts = []
        with torch.inference_mode():
            for seconds in _TRIED_S:
                samples = round(seconds * encoder.sampling_rate)
                tried = 0.1 * torch.randn(1, samples, generator=random)
                counts.append(self(tried.to(device))[0].shape[1])
        # One frame whatever the length: a vector for the whole, to which no hop applies.
        self.frame_rate_hz = None if counts == [1, 1] else rate_hz
        expected = (_TRIED_S[1] - _TRIED_S[0]) * rate_hz
        if self.frame_rate_hz and abs(counts[1] - counts[0] - expected) > max(1.0, 0.01 * expected):
            raise EncodingError(
                f"The encoder of {file!r} declares a hop of {encoder.hop_size_in_ms} ms, but makes "
                f"{counts[0]} frames of {_TRIED_S[0]:g} s and {counts[1]} of {_TRIED_S[1]:g} s. "
                "Correct its hop_size_in_ms."
            )

    def __call__(self, waveforms: Any) -> list[Any]:
        """Return the embeddings, shape (batch, frames, width)."""
        import torch

        state = self._encoder(waveforms)
        shape = tuple(state.shape) if torch.is_tensor(state) else type(state).__name__
        width = self._encoder.output_dim
        if len(shape) != 3 or shape[0] != len(waveforms) or shape[2] != width:
            raise EncodingError(
                f"The encoder of {self._file!r} returned {shape} for {len(waveforms)} waveforms; "
                f"expected a tensor ({len(waveforms)}, frames, {width}), as its output_dim says."
            )
        return [state]


class _Facts(NamedTuple):
    sample_rate: int
    hop_ms: float


@lru_cache(maxsize=16)
def _facts(file: str) -> _Facts:
    encoder = _make(file)
    return _Facts(int(encoder.sampling_rate), float(encoder.hop_size_in_ms))


def _make(file: str) -> Any:
    if not file:
        raise CheckpointAbsentError(
            "The encoder xares has no model of its own. Name a file written for X-ARES after a "
            "colon, such as xares:my_encoder.py."
        )
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise CheckpointAbsentError(
            f"There is no file {file!r}. Name the Python file of an encoder."
        )
    module = _run(path)
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and callable(getattr(value, "forward", None))
        and all(_declares(value, attribute) for attribute in _DECLARED)
    ]
    found = [each for each in found if not any(each in other.__mro__[1:] for other in found)]
    if len(found) != 1:
        names = ", ".join(sorted(each.__name__ for each in found)) or "none"
        raise UsageError(
            f"The file {file!r} has to hold one class with forward, {', '.join(_DECLARED)}; found: "
            f"{names}. Keep one encoder in the file."
        )
    with told(f"The class {found[0].__name__} of {file!r} cannot be made", _REMEDY):
        encoder = found[0]()
    if not hasattr(encoder, "eval"):
        raise UsageError(
            f"{found[0].__name__} of {file!r} is no torch module, which X-ARES asks for. Derive it "
            "from torch.nn.Module."
        )
    return encoder


def _run(path: Path) -> Any:
    name = f"pianobench_xares_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"The file {path} is no Python file. Name that of an encoder.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with told(f"The encoder file {path} cannot be run", _REMEDY):
        spec.loader.exec_module(module)
    return module


def _declares(cls: type, attribute: str) -> bool:
    """Tell whether a class has an attribute, or its __init__ sets it, without an instance."""
    for each in cls.__mro__:
        code = getattr(vars(each).get("__init__"), "__code__", None)
        if attribute in vars(each) or (code is not None and attribute in code.co_names):
            return True
    return False


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the encoder."""
    return [Xares]
