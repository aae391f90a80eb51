"""Clips as sequences of frames, for a pooling that is trained with the head.

What enters is stored frames; what leaves, batch by batch, is frames padded to a common length, the
mask that tells frames from padding, and the levels. Clips of like length share a batch: the order
is drawn anew for every epoch, and within each run of `_POOL` batches clips are sorted by length.
Frames are standardised column by column, over all frames of the clips that are trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .components import NetworkHead, Pooling
from .descent import Batch, Batches
from .errors import UsageError
from .frame_store import read_frames
from .layer_vectors import layer_weights
from .layers import Merge, merge
from .standardisation import Standardisation

if TYPE_CHECKING:
    import torch

__all__ = ["Sequences"]

_POOL = 8
_PREDICTED_AT_ONCE = 32
# Beyond it, frames are read again for every batch: those of a large encoder are gigabytes.
_HELD_BYTES = 2**30

Levels = dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Sequences:
    """Clips whose pooling is still to be learned, and with it perhaps weights of their layers.

    Attributes
    ----------
    pooling : Pooling
        A learned one.
    paths : tuple of Path
        Files of frames, one a clip; see `pianobench.frame_store`.
    how : {"concat", "mean", "weighted"}
        How the layers become one sequence; they stay side by side where their weights are learned.
    """

    pooling: Pooling
    paths: tuple[Path, ...]
    how: Merge = "concat"

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, chosen: NDArray[Any]) -> Sequences:
        """Select clips, by indices or by a mask."""
        indices = np.arange(len(self))[chosen].tolist()
        return replace(self, paths=tuple(self.paths[index] for index in indices))

    def read(self, index: int) -> tuple[NDArray[np.float64], Levels]:
        """Read a clip: values, shape (frames, width), and levels, each (frames,)."""
        stored = read_frames(self.paths[index])
        return merge(stored.layers, self.how), dict(stored.levels)

    @property
    def content(self) -> list[str]:
        """Name the content of every clip: files are named by what they were made from."""
        return [path.name for path in self.paths]

    def standardisation(self) -> Standardisation:
        """Measure the columns over all frames of all clips."""
        return self._standardisation

    @cached_property
    def _standardisation(self) -> Standardisation:
        first = self.read(0)[0][0]
        low, high = first.copy(), first.copy()
        total, squares, frames = np.zeros_like(first), np.zeros_like(first), 0
        for index in range(len(self)):
            values = self.read(index)[0]
            # Sums of squares about a typical value: about 0 they would cancel.
            about = values - first
            total += about.sum(axis=0)
            squares += np.square(about).sum(axis=0)
            frames += len(values)
            low, high = np.minimum(low, values.min(axis=0)), np.maximum(high, values.max(axis=0))
        mean = total / frames
        std = np.sqrt(np.maximum(squares / frames - mean**2, 0))
        return Standardisation(first + mean, np.where(high > low, std, 0.0))

    def network(self, head: NetworkHead, dimensions: int) -> Any:
        """Join the pooling's network and the head's, whose width is what the first one returns."""
        from .pooled_network import LayerMix, join_networks

        width = self.read(0)[0].shape[1]
        sample = next(self[np.arange(1)].batches(Standardisation.none(width)).in_order())
        mix = LayerMix(len(self.layers), head.learning_rate) if self.how == "weighted" else None
        joined = join_networks(mix, self.pooling, head, sample.inputs, dimensions)
        if self.pooling.standardised:
            batches = self.batches(self.standardisation())
            joined.standardise(batches, self.pooling.farthest)
        return joined

    def batches(self, standardisation: Standardisation) -> Batches:
        """Cut the clips, standardised, into batches."""
        return _SequenceBatches(self, standardisation)

    def learned(self, module: Any) -> dict[str, Any]:
        """Say which layers a trained module weighs how."""
        return layer_weights(self.layers, module.mix) if self.how == "weighted" else {}

    def form(self) -> dict[str, Any]:
        """Name the pooling with its options, and the layers with how they are merged."""
        pooling = {"name": self.pooling.name, "options": self.pooling.options}
        return {"pooling": pooling, "merge": self.how, "layers": list(self.layers)}

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers that are stored, in order."""
        return tuple(sorted(read_frames(self.paths[0]).layers))

    def require_frames(self) -> None:
        """Refuse clips that are all of one frame.

        Raises
        ------
        UsageError
            If nothing is there to be pooled.
        """
        if all(len(self.read(index)[0]) == 1 for index in range(len(self))):
            raise UsageError(
                f"The encoder makes a single frame of every clip, so that the pooling "
                f"{self.pooling.name!r} has nothing to learn. Choose the pooling mean, or an "
                "encoder that gives a sequence, such as mel."
            )


class _Clip(NamedTuple):
    values: torch.Tensor
    levels: dict[str, torch.Tensor]


class _SequenceBatches:
    """Batches of padded clips; what fits into `_HELD_BYTES` is read once."""

    def __init__(self, sequences: Sequences, standardisation: Standardisation) -> None:
        self._sequences = sequences
        self._standardisation = standardisation
        self._held: dict[int, _Clip] = {}
        self._held_bytes = 0

    def __len__(self) -> int:
        return len(self._sequences)

    def shuffled(self, size: int, order: torch.Generator) -> Iterator[Batch]:
        """All clips once, those of like length together, in random order."""
        import torch

        batches: list[torch.Tensor] = []
        for pool in _cut(torch.randperm(len(self), generator=order), size * _POOL):
            batches.extend(_cut(pool[torch.argsort(self._lengths[pool], stable=True)], size))
        for index in torch.randperm(len(batches), generator=order).tolist():
            yield self.of(batches[index])

    def in_order(self) -> Iterator[Batch]:
        """All clips once, from the shortest to the longest."""
        import torch

        for clips in _cut(torch.argsort(self._lengths, stable=True), _PREDICTED_AT_ONCE):
            yield self.of(clips)

    @cached_property
    def _lengths(self) -> torch.Tensor:
        import torch

        return torch.tensor([len(self._clip(index).values) for index in range(len(self))])

    def _clip(self, index: int) -> _Clip:
        import torch

        if index in self._held:
            return self._held[index]
        values, levels = self._sequences.read(index)
        clip = _Clip(
            self._standardisation.apply(values),
            {name: torch.from_numpy(units) for name, units in levels.items()},
        )
        self._held_bytes += clip.values.nbytes
        if self._held_bytes <= _HELD_BYTES:
            self._held[index] = clip
        return clip

    def of(self, chosen: torch.Tensor) -> Batch:
        """Take some clips, by their indices, padded to the longest."""
        from torch.nn.utils.rnn import pad_sequence

        clips = [self._clip(index) for index in chosen.tolist()]
        values = pad_sequence([clip.values for clip in clips], batch_first=True)
        mask = pad_sequence([clip.values.new_ones(len(clip.values)) for clip in clips], True)
        levels = {
            name: pad_sequence([clip.levels[name] for clip in clips], batch_first=True)
            for name in clips[0].levels
        }
        return Batch(chosen, (values, mask.bool(), levels))


def _cut(clips: torch.Tensor, size: int) -> list[torch.Tensor]:
    return [clips[start : start + size] for start in range(0, len(clips), size)]
