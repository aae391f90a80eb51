"""Any module of the HEAR API; see `Hear`."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any, Literal

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

__all__ = ["Hear"]

_FUNCTIONS = ("load_model", "get_timestamp_embeddings")
_REMEDY = "Correct the module or its model_file, or name another."
_TRIED_S = 4.0
# Timestamps may be rounded to whole milliseconds.
_EVEN_MS = 1.0


class Hear(AudioEncoder):
    """A module of the HEAR API (Turian et al. 2022): ``hear:module``; one state.

    The state is that of `get_timestamp_embeddings`; the rate of its frames is measured from the
    module's own timestamps where they are even, and otherwise frames are spread over the waveform.
    The API states the sample rate on a loaded model alone, so that facts load it.

    References
    ----------
    Turian et al.: HEAR: holistic evaluation of audio representations. PMLR 176, 2022.
    https://doi.org/10.48550/arXiv.2203.03022
    """

    name = "hear"
    argument = "module"
    runs_code = True
    licence = "that of the module and its weights"
    citation = "the module's authors; Turian et al. 2022, doi:10.48550/arXiv.2203.03022"
    pretraining = "what the module's authors say"

    module: str = ""
    """An installed module, such as ``hearbaseline.torch``."""
    model_file: str = ""
    """Path of the weights, handed to the module's `load_model`."""
    shortest_s: PositiveFloat = 0.5
    """Shortest piece of audio passed, in seconds: the API does not say what a module takes."""
    weights: Literal["pretrained", "random"] = "pretrained"
    """``random`` draws the weights of a torch module anew, each part by its own method."""
    weights_seed: NonNegativeInt = 0
    """Seed of random weights."""

    @property
    def sample_rate(self) -> int:  # type: ignore[override] # facts depend on the module
        """Hz, as the model says."""
        return _sample_rate(self.module, self.model_file)

    @property
    def minimum_samples(self) -> int:  # type: ignore[override] # as above
        """Samples of the shortest piece."""
        return max(1, round(self.shortest_s * self.sample_rate))

    def load(self, device: str) -> LoadedModule:
        """Load the model, and measure its rate.

        Raises
        ------
        DependencyError
            If the module, or what it needs, is not installed.
        PluginError
            If its import or its `load_model` fails.
        UsageError
            If it is not of the HEAR API, cannot work on the device, or its weights cannot be drawn.
        EncodingError
            If it returns something other than the API says.
        """
        api = _import(self.module)
        model = _load_model(api, self.module, self.model_file)
        if self.weights == "random":
            draw_weights(model, self.weights_seed, self.module)
        return LoadedModule(api, self.module, model, device)


class LoadedModule:
    """A module of the HEAR API with its weights: waveforms (batch, samples) to one state."""

    def __init__(self, api: Any, name: str, model: Any, device: str) -> None:
        import torch

        if isinstance(model, torch.nn.Module):
            model = model.to(device).eval()
        elif device != "cpu":
            raise UsageError(
                f"The model of {name!r} is a {type(model).__name__}, not a torch module, so that "
                f"it cannot be moved to {device!r}. Leave --device out."
            )
        self._api, self._name, self._model = api, name, model
        random = torch.Generator().manual_seed(0)
        tried = 0.1 * torch.randn(1, round(_TRIED_S * model.sample_rate), generator=random)
        with torch.inference_mode():
            _, timestamps_ms = self._embeddings(tried.to(device))
        self.frame_rate_hz = _rate_hz(timestamps_ms[0].tolist())

    def __call__(self, waveforms: Any) -> list[Any]:
        """Return the embeddings, shape (batch, frames, width)."""
        return [self._embeddings(waveforms)[0]]

    def _embeddings(self, waveforms: Any) -> tuple[Any, Any]:
        import torch

        embeddings, timestamps_ms = self._api.get_timestamp_embeddings(waveforms, self._model)
        if not (torch.is_tensor(embeddings) and torch.is_tensor(timestamps_ms)):
            raise EncodingError(
                f"The module {self._name!r} returned {type(embeddings).__name__} and "
                f"{type(timestamps_ms).__name__}; hear takes modules of torch."
            )
        width = self._model.timestamp_embedding_size
        expected = (len(waveforms), timestamps_ms.shape[-1], width)
        if tuple(embeddings.shape) != expected or timestamps_ms.shape != embeddings.shape[:2]:
            raise EncodingError(
                f"The module {self._name!r} returned embeddings of shape "
                f"{tuple(embeddings.shape)} and timestamps of shape {tuple(timestamps_ms.shape)} "
                f"for {len(waveforms)} waveforms; its timestamp_embedding_size is {width}. It "
                "breaks the HEAR API: see https://hearbenchmark.com/hear-api.html."
            )
        return embeddings, timestamps_ms


@lru_cache(maxsize=16)
def _sample_rate(module: str, model_file: str) -> int:
    return int(_load_model(_import(module), module, model_file).sample_rate)


def _import(name: str) -> Any:
    if not name:
        raise CheckpointAbsentError(
            "The encoder hear has no model of its own. Name an installed module of the HEAR API "
            "after a colon, such as hear:hearbaseline.torch."
        )
    with told(f"The module {name!r} of the HEAR API cannot be imported", _REMEDY):
        api = importlib.import_module(name)
    lacking = [function for function in _FUNCTIONS if not callable(getattr(api, function, None))]
    if lacking:
        raise UsageError(
            f"The module {name!r} is not of the HEAR API: it has no {' and no '.join(lacking)}. "
            "Name the module that has, such as hearbaseline.torch."
        )
    return api


def _load_model(api: Any, name: str, model_file: str) -> Any:
    with told(f"The module {name!r} cannot load its model from model_file {model_file!r}", _REMEDY):
        model = api.load_model(model_file)
    for attribute in ("sample_rate", "timestamp_embedding_size"):
        if not isinstance(getattr(model, attribute, None), int):
            raise UsageError(
                f"The model of {name!r} has no whole number {attribute!r}, which the HEAR API asks "
                "for. See https://hearbenchmark.com/hear-api.html."
            )
    return model


def _rate_hz(timestamps_ms: list[float]) -> float | None:
    """Frames a second, of timestamps that are even and fill what was tried; else None."""
    frames = len(timestamps_ms)
    if frames < 2:
        return None
    step_ms = (timestamps_ms[-1] - timestamps_ms[0]) / (frames - 1)
    even = all(
        abs(at_ms - timestamps_ms[0] - index * step_ms) <= _EVEN_MS
        for index, at_ms in enumerate(timestamps_ms)
    )
    filled = 0.8 < frames * step_ms / (1000 * _TRIED_S) < 1.2
    return 1000 / step_ms if even and filled else None


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the encoder."""
    return [Hear]
