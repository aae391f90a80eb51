"""Statistics of the notes and pedals of a performance, without its score.

What enters is `Notes`; what leaves is 98 numbers, listed with unit and meaning in `FEATURES`. They
are chosen for what they mean to a pianist: how loud, how fast, how even, how connected, how full,
how pedalled. Neither the place of the clip in time nor the order of the notes in the file changes
them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..notes import Notes
from . import articulation, dynamics, pedalling, texture, timing
from .features import Feature
from .performance import Performance

__all__ = ["FEATURES", "Feature", "statistics"]

_FAMILIES = (dynamics, timing, articulation, texture, pedalling)

_DECIMALS = 5
# A machine is even but for rounding, and regressors that rank features must not see that rounding:
# times are stored in single precision, and their grid in MIDI is a hundred times coarser.

FEATURES: tuple[Feature, ...] = tuple(f for family in _FAMILIES for f in family.FEATURES)
"""Name, unit and meaning of every statistic, in order."""


def statistics(notes: Notes) -> NDArray[np.float64]:
    """Measure every feature of a performance.

    Parameters
    ----------
    notes : Notes
        At least one, in any order; times in seconds.

    Returns
    -------
    float array, shape (len(FEATURES),)
        Finite, in the order and the units of `FEATURES`.
    """
    performance = Performance(notes)
    values = {name: v for family in _FAMILIES for name, v in family.measure(performance).items()}
    return np.round([values[feature.name] for feature in FEATURES], _DECIMALS) + 0.0
