"""How something goes on the scale of a phrase: moving means and rates around each chord."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .features import Floats

__all__ = ["PHRASE_S", "chord_rate", "moving_mean"]

PHRASE_S = 2.0
"""Width of the moving window in seconds: a bar or so of a moderate tempo."""


def _window(struck: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    low = np.searchsorted(struck, struck - PHRASE_S / 2, side="left")
    high = np.searchsorted(struck, struck + PHRASE_S / 2, side="right")
    return low, high


def moving_mean(struck: Floats, values: Floats) -> Floats:
    """Mean of the values of all chords within half a window, shape (chords,)."""
    low, high = _window(struck)
    total = np.concatenate([[0.0], np.cumsum(values)])
    mean: Floats = (total[high] - total[low]) / (high - low)
    return mean


def chord_rate(struck: Floats) -> Floats:
    """Chords per second around each chord, shape (chords,); intervals over the time they take.

    The count starts and ends on a chord, so neither the clip's ends nor the phase of a regular
    beat against the window bend it.
    """
    low, high = _window(struck)
    # A chord with nobody within the window takes in its neighbours, so that there is an interval.
    low = np.minimum(low, np.maximum(np.arange(len(struck)) - 1, 0))
    high = np.maximum(high, np.minimum(np.arange(len(struck)) + 2, len(struck)))
    time_s = struck[high - 1] - struck[low]
    return np.where(time_s > 0, (high - 1 - low) / np.where(time_s > 0, time_s, 1.0), 1.0)
