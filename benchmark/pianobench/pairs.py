"""How clips compare, by measures that are sums over features.

A product, an absolute or a squared difference of two clips is a sum over features, so that what
several layers side by side say is the sum of what each says alone. A head that knows clips by such
measures only (a `PairwiseHead`) is fitted to many choices of layers at the cost of one look at
each layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Pairs"]


@dataclass(frozen=True)
class Pairs:
    """The training clips of a fold compared with each other, and new clips with them.

    Attributes
    ----------
    width : int
        Features that vary among the training clips.
    within : mapping of str to float array, shape (training clips, training clips)
        By measure.
    across : mapping of str to float array, shape (new clips, training clips)
        By the same measures.
    """

    width: int
    within: Mapping[str, NDArray[np.float64]]
    across: Mapping[str, NDArray[np.float64]]

    def __add__(self, other: Pairs) -> Pairs:
        """Compare by the features of both."""
        return Pairs(
            self.width + other.width,
            {name: values + other.within[name] for name, values in self.within.items()},
            {name: values + other.across[name] for name, values in self.across.items()},
        )
