"""Out-of-fold predictions as a file: written first, and every number is computed from it.

One row per seed and clip: ``clip, fold, seed``, then one column per dimension with six decimals,
which is finer than any label and keeps the file readable.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import ResultError
from .evaluate import OutOfFold
from .values import Corpus

__all__ = ["Predictions", "file_digest", "read_predictions", "write_predictions"]


@dataclass(frozen=True)
class Predictions:
    """What a predictions file holds, for the clips that were scored.

    Attributes
    ----------
    clips : int array, shape (scored,)
        Indices into the corpus, ascending.
    folds : str array, shape (scored,)
    seeds : tuple of int
    values : float array, shape (seeds, scored, dimensions)
    """

    clips: NDArray[np.int64]
    folds: NDArray[np.str_]
    seeds: tuple[int, ...]
    values: NDArray[np.float64]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Predictions averaged over seeds, shape (scored, dimensions)."""
        mean: NDArray[np.float64] = self.values.mean(axis=0)
        return mean


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_predictions(path: Path, corpus: Corpus, predicted: OutOfFold) -> None:
    """Write the predictions of every scored clip."""
    import pandas as pd

    scored = np.flatnonzero(predicted.folds != "")
    names = [dimension.name for dimension in corpus.dimensions]
    frames = []
    for seed, values in zip(predicted.seeds, predicted.values, strict=True):
        frame = pd.DataFrame(values[scored], columns=names)
        frame.insert(0, "seed", seed)
        frame.insert(0, "fold", predicted.folds[scored])
        frame.insert(0, "clip", np.asarray(corpus.ids, dtype=object)[scored])
        frames.append(frame)
    pd.concat(frames).to_csv(path, index=False, float_format="%.6f", lineterminator="\n")


def read_predictions(path: Path, corpus: Corpus) -> Predictions:
    """Read predictions back and place them in the corpus.

    Raises
    ------
    ResultError
        If the file cannot be read, names a clip or dimension the corpus does not have, holds a
        clip twice or not for every seed, or a value that is not finite.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(path, dtype={"clip": str, "fold": str}, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise ResultError(f"Cannot read the predictions {path}: {error}.") from error
    expected = ["clip", "fold", "seed", *(d.name for d in corpus.dimensions)]
    if list(frame.columns) != expected:
        raise ResultError(f"{path} has the columns {list(frame.columns)}, not {expected}.")
    names = frame["clip"].tolist()
    place = {clip: index for index, clip in enumerate(corpus.ids)}
    unknown = sorted(set(names) - set(place))
    if unknown:
        raise ResultError(
            f"{path} predicts {len(unknown)} clips that dataset {corpus.name!r} does not have, "
            f"such as {unknown[0]!r}."
        )
    seed_of = frame["seed"].to_numpy()
    places = np.array([place[name] for name in names], dtype=np.int64)
    order = np.lexsort((places, seed_of))
    places = places[order]
    seeds = tuple(int(seed) for seed in np.unique(seed_of))
    clips = np.unique(places)
    if len(seeds) == 0 or not np.array_equal(places, np.tile(clips, len(seeds))):
        raise ResultError(f"{path} does not hold every clip exactly once for every seed.")
    try:
        values = frame.iloc[:, 3:].to_numpy(dtype=np.float64)[order]
    except ValueError as error:
        raise ResultError(f"{path} holds a prediction that is no number: {error}.") from error
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise ResultError(f"{path} holds a non-finite prediction for {names[order[row]]!r}.")
    folds = np.array(frame["fold"].tolist(), dtype=np.str_)[order].reshape(len(seeds), len(clips))
    if (folds != folds[0]).any():
        raise ResultError(f"{path} assigns a clip to different folds under different seeds.")
    return Predictions(clips, folds[0], seeds, values.reshape(len(seeds), len(clips), -1))
