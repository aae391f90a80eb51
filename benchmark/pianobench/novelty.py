"""How unlike the training clips a new clip is, judged by what the training clips are to each other.

A clip's distance is that to its nearest training clip, after every feature is brought to mean 0 and
standard deviation 1 on the training clips (Ramaswamy, Rastogi, Shim 2000). What is far is read off
the training clips: the distance of each to its nearest neighbour *of another passage*, since takes
of one piece lie close together and new music has no such take. The share of them that is smaller is
the clip's percentile. One minus it resembles the p-value of a conformal test for outliers (Bates et
al. 2023), without its guarantee: clips of a passage are alike, and a new clip is compared with all.

References
----------
Ramaswamy, Rastogi, Shim: Efficient algorithms for mining outliers from large data sets. SIGMOD
2000. https://doi.org/10.1145/342009.335437

Bates, Candès, Lei, Romano, Sesia: Testing for outliers with conformal p-values. Annals of
Statistics 51(1), 2023. https://doi.org/10.1214/22-AOS2244
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Novelty", "measure_novelty"]

Floats = NDArray[np.float64]
# A feature that hardly varied in training could otherwise decide alone.
_FARTHEST = 10.0


@dataclass(frozen=True)
class Novelty:
    """How far new clips lie from the training clips.

    Attributes
    ----------
    distance : float array, shape (clips,)
        To the nearest training clip: root mean square over features, in standard deviations.
    nearest : int array, shape (clips,)
        Which training clip that is.
    percentile : float array, shape (clips,)
        Share of training clips, of 100, that lie nearer to music they were not cut from.
    """

    distance: Floats
    nearest: NDArray[np.int64]
    percentile: Floats


def measure_novelty(training: Floats, passages: NDArray[np.str_], new: Floats) -> Novelty:
    """Measure how far new clips lie from the training clips.

    Parameters
    ----------
    training : array, shape (training clips, features)
        At least two.
    passages : str array, shape (training clips,)
        Where all are of one passage, every clip stands for itself.
    new : array, shape (clips, features)
    """
    from scipy.spatial.distance import cdist

    varies = np.ptp(training, axis=0) > 0
    mean, std = training[:, varies].mean(axis=0), training[:, varies].std(axis=0)

    def standard(x: Floats) -> Floats:
        scaled = np.clip((x[:, varies] - mean) / std, -_FARTHEST, _FARTHEST)
        return np.asarray(scaled / np.sqrt(max(1, varies.sum())), dtype=np.float64)

    known = standard(training.astype(np.float64))
    if len(np.unique(passages)) < 2:
        passages = np.arange(len(known)).astype(np.str_)
    among = cdist(known, known)
    among[passages[:, None] == passages[None, :]] = np.inf
    usual = np.sort(among.min(axis=1))
    away = cdist(standard(new.astype(np.float64)), known)
    nearest = away.argmin(axis=1)
    distance = away[np.arange(len(away)), nearest]
    percentile = 100 * np.searchsorted(usual, distance, side="left") / len(usual)
    return Novelty(distance, nearest, percentile)
