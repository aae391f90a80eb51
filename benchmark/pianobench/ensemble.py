"""Several renders of every clip: what a model is trained on, and what it is tested on.

Features hold one row per render and clip: all clips of the first render, then all clips of the
second. A clip is never divided: its renders are in training together or in no part of it, with the
same labels, and share the clip's weight, so that a clip counts the same however often it is
rendered. What a clip is predicted is the mean over the renders that are tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ensemble"]

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Ensemble:
    """Which renders of every clip a model is trained on, and which it is tested on.

    Attributes
    ----------
    clips : int
    train, test : tuple of int
        Numbers of renders, in the order of the rows of features; at least one each.
    """

    clips: int
    train: tuple[int, ...] = (0,)
    test: tuple[int, ...] = (0,)

    @property
    def validated(self) -> tuple[int, ...]:
        """What early stopping hears: the renders trained on that are tested, or all of them.

        A render that is only tested on plays no part in any fit.
        """
        return tuple(render for render in self.train if render in self.test) or self.train

    @property
    def trained(self) -> tuple[int, ...]:
        """The renders trained on, those that early stopping hears first."""
        return self.validated + tuple(r for r in self.train if r not in self.validated)

    def rows(self, renders: Sequence[int], clips: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of some clips in some renders, one render after another."""
        return np.concatenate([render * self.clips + clips for render in renders])

    def repeated(self, values: NDArray[Scalar]) -> NDArray[Scalar]:
        """Say of every row that is trained on what is known of its clip; first axis clips."""
        return np.concatenate([values] * len(self.train))
