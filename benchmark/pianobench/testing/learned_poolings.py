"""What a pooling that is learned promises, tried on random frames of clips of unlike lengths."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..components import Pooling
from .checks import NotRunError, require, require_equal

_WIDTH = 6
_LENGTHS = (50, 1, 7, 2, 23)
_ROUNDING = 1e-5
_JUNK = 10_000


@dataclass(frozen=True)
class Trial:
    """A learned pooling with its network, made when first needed."""

    pooling: Pooling

    @cached_property
    def network(self) -> Any:
        """As it is before training."""
        return self.make(seed=0)

    def make(self, seed: int) -> Any:
        """Make the network from a seed, as the harness does."""
        try:
            import torch
        except ImportError as error:
            raise NotRunError("It needs torch, which is not installed.") from error
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return self.pooling.network(_WIDTH).eval()

    def pool(self, clips: tuple[int, ...], padding: int = 0, junk: int = 0) -> NDArray[Any]:
        """Pool clips of these lengths, padded to more than the longest."""
        network = self.network

        import torch

        with torch.inference_mode():
            return np.asarray(network(*_padded(clips, padding, junk)))


def _padded(clips: tuple[int, ...], padding: int = 0, junk: int = 0) -> tuple[Any, Any, Any]:
    """Make clips whose levels have gaps, since a unit may have no frame."""
    import torch

    longest = max(clips) + padding
    values = np.full((len(clips), longest, _WIDTH), junk, dtype=np.float32)
    mask = np.zeros((len(clips), longest), dtype=np.bool_)
    levels = {
        name: np.full(mask.shape, junk, dtype=np.int64) for name in ("beat", "measure", "voice")
    }
    for row, count in enumerate(clips):
        index = np.arange(count)
        values[row, :count] = np.random.default_rng(count).normal(size=(count, _WIDTH))
        mask[row, :count] = True
        levels["beat"][row, :count] = index // 4 * 3
        levels["measure"][row, :count] = index // 16 * 2
        levels["voice"][row, :count] = index % 2 * 2
    return (
        torch.from_numpy(values),
        torch.from_numpy(mask),
        {name: torch.from_numpy(units) for name, units in levels.items()},
    )


def pools_clips_of_any_length(trial: Trial) -> None:
    """Shape (clips, width), finite, down to a single frame."""
    pooled = trial.pool(_LENGTHS)
    require(
        pooled.ndim == 2 and len(pooled) == len(_LENGTHS),
        f"{len(_LENGTHS)} clips become shape {pooled.shape}.",
    )
    require(bool(np.isfinite(pooled).all()), "Some values are not finite.")


def ignores_padding(trial: Trial) -> None:
    """Whatever stands there, in frames and levels, and however much."""
    plain = trial.pool(_LENGTHS)
    require_equal("With more padding", plain, trial.pool(_LENGTHS, padding=9), _ROUNDING)
    require_equal("With other padding", plain, trial.pool(_LENGTHS, 9, _JUNK), _ROUNDING)


def pools_each_clip_on_its_own(trial: Trial) -> None:
    """Let no clip depend on those beside it, or on their order."""
    together = trial.pool(_LENGTHS)
    singly = np.concatenate([trial.pool((count,)) for count in _LENGTHS])
    require_equal("Clips pooled together and one by one", together, singly, _ROUNDING)
    turned = trial.pool(_LENGTHS[::-1])[::-1]
    require_equal("Clips pooled in another order", together, turned, _ROUNDING)


def gives_the_same_with_the_same_seed(trial: Trial) -> None:
    """Bit for bit: all random numbers are those of torch's own generator."""
    states = [
        [np.asarray(value) for value in trial.make(seed=3).state_dict().values()] for _ in range(2)
    ]
    for one, other in zip(*states, strict=True):
        require_equal("Weights drawn twice from one seed", one, other)


def can_be_trained(trial: Trial) -> None:
    """Pass a finite gradient to its parameters."""
    network = trial.make(seed=0)
    network.train()
    parameters = [value for value in network.parameters() if value.requires_grad]
    if not parameters:
        raise NotRunError("It has no parameters.")
    network(*_padded(_LENGTHS)).square().sum().backward()
    missing = sum(value.grad is None for value in parameters)
    require(missing == 0, f"{missing} of {len(parameters)} parameters get no gradient.")
    finite = all(bool(value.grad.isfinite().all()) for value in parameters)
    require(finite, "Some gradients are not finite.")


PROMISES = (
    pools_clips_of_any_length,
    ignores_padding,
    pools_each_clip_on_its_own,
    gives_the_same_with_the_same_seed,
    can_be_trained,
)
