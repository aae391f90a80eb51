"""What is asked of a family: models of transformers that take and give the same kind of thing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pianobench import UsageError

__all__ = ["Facts", "Family"]

_CHUNK_S = 10.0


@dataclass(frozen=True)
class Facts:
    """What an encoder says of itself before its weights are read.

    Attributes
    ----------
    layers : int
        States run from 0 to this number.
    sample_rate : int
        Hz.
    hop_samples : int
        From one frame to the next.
    minimum_samples : int
        Shortest waveform it takes.
    longest_samples : int or None
        Longest waveform it takes at once; None where it takes any.
    pooled : bool
        True where a waveform becomes one frame, however long it is.
    """

    layers: int
    sample_rate: int
    hop_samples: int
    minimum_samples: int = 1
    longest_samples: int | None = None
    pooled: bool = False

    @property
    def chunk_s(self) -> float:
        """Length of the pieces a waveform is cut into, a whole number of frames."""
        longest = self.longest_samples
        if longest is None:
            longest = max(int(_CHUNK_S * self.sample_rate), self.minimum_samples + self.hop_samples)
        return longest // self.hop_samples * self.hop_samples / self.sample_rate

    @property
    def frame_rate_hz(self) -> float | None:
        """Frames a second; None where a waveform becomes one frame."""
        return None if self.pooled else self.sample_rate / self.hop_samples


class Family(ABC):
    """Models that take and give the same kind of thing.

    Parameters
    ----------
    config, extractor : object
        The configuration and the feature extractor of transformers, as the checkpoint has them.
    """

    models: ClassVar[Mapping[str, str]]
    """Class of transformers by ``model_type``."""
    extractor_class: ClassVar[str]
    """Class of transformers that prepares the waveforms it was trained on."""
    settings: ClassVar[Mapping[str, Any]] = {}
    """What the configuration is given instead of its own: switches off what serves training."""
    unused: ClassVar[tuple[str, ...]] = ()
    """Parts that play no role here: dropped, and a checkpoint may lack them."""

    def __init__(self, config: Any, extractor: Any) -> None:
        self.config = config
        self.extractor = extractor

    @property
    @abstractmethod
    def facts(self) -> Facts:
        """Facts of the encoder, from its configuration alone."""

    @abstractmethod
    def states(self, model: Any, waveforms: Any) -> list[Any]:
        """Waveforms (batch, samples) to states, each (batch, frames, width)."""

    def features(self, waveforms: Any, **how: Any) -> Any:
        """Let the feature extractor prepare waveforms; what it made lies on their device."""
        self.require_short(waveforms)
        prepared = self.extractor(
            list(waveforms.cpu().numpy()),
            sampling_rate=self.facts.sample_rate,
            return_tensors="pt",
            **how,
        )
        return prepared.to(waveforms.device)

    def require_short(self, waveforms: Any) -> None:
        """Refuse waveforms that are longer than the model takes at once.

        Raises
        ------
        UsageError
        """
        facts = self.facts
        samples, longest = waveforms.shape[1], facts.longest_samples
        if longest is not None and samples > longest:
            raise UsageError(
                f"A chunk of {samples / facts.sample_rate:.6g} s is longer than the "
                f"{longest / facts.sample_rate:.6g} s that a model of type "
                f"{self.config.model_type!r} takes at once. Leave --chunk out, or make it shorter."
            )
