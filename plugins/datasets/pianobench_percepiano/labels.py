"""The 19 dimensions, the published labels, and the raw ratings they are the means of.

The published file can be rebuilt from the raw ratings to rounding: ratings of 1 to 7 are divided
by 7, rows holding a value above 7.1 are dropped, zeros and blanks are missing, and a label is the
mean over rows.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pianobench import DataError, Dimension, Ratings

__all__ = [
    "DIMENSIONS",
    "means",
    "once_per_rater",
    "raters_per_clip",
    "read_labels",
    "read_ratings",
]

# In the questionnaire's order, which is that of the README's table and of the CSV's columns.
DIMENSIONS = (
    Dimension("timing", "stable", "unstable", "Technical"),
    Dimension("articulation_length", "short", "long", "Articulation"),
    Dimension("articulation_touch", "cushioned", "solid", "Articulation"),
    Dimension("pedal_amount", "dry", "saturated", "Pedaling"),
    Dimension("pedal_clarity", "clean", "blurred", "Pedaling"),
    Dimension("timbre_variety", "even", "colourful", "Timbre"),
    Dimension("timbre_depth", "shallow", "rich", "Timbre"),
    Dimension("timbre_brightness", "bright", "dark", "Timbre"),
    Dimension("timbre_loudness", "soft", "loud", "Timbre"),
    Dimension("dynamic_sophistication", "mellow", "raw", "Dynamics"),
    Dimension("dynamic_range", "little", "large", "Dynamics"),
    Dimension("tempo", "fast", "slow", "Musical"),
    Dimension("space", "flat", "spacious", "Musical"),
    Dimension("balance", "disproportioned", "balanced", "Musical"),
    Dimension("drama", "pure", "dramatic", "Musical"),
    Dimension("mood_valence", "optimistic", "dark", "Mood"),
    Dimension("mood_energy", "low", "high", "Mood"),
    Dimension("mood_imagination", "honest", "imaginative", "Mood"),
    Dimension("interpretation", "doubtful", "convincing", "Interpretation"),
)

SCALE = 7.0
"""Ratings run from 1 to this; labels are ratings divided by it."""

_HIGHEST_VALID = 7.1
_COLUMNS = slice(3, 3 + len(DIMENSIONS))


def read_labels(path: Path) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Read the published labels.

    Parameters
    ----------
    path : Path
        The JSON in the root of the repository. (The one in ``labels/`` pools two machine
        renditions that are played differently, and lacks 13 clips.)

    Returns
    -------
    tuple of str, float array, shape (clips, 19)
        Clip names, sorted, and their labels. The file's 20th value is an index of the performer.

    Raises
    ------
    DataError
        If the file cannot be read, a clip has other than 20 values, or a label is not from 0 to 1.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        labels = {str(clip).strip(): [float(v) for v in values] for clip, values in table.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"Cannot read PercePiano's labels from {path}: {error}. "
            "Fetch them with `bench fetch percepiano`."
        ) from error
    for clip, values in labels.items():
        if len(values) != len(DIMENSIONS) + 1:
            raise DataError(
                f"{path} gives {len(values)} values for the clip {clip!r}, not "
                f"{len(DIMENSIONS)} labels and a performer index. "
                "Fetch it again with `bench fetch percepiano`."
            )
        outside = [value for value in values[:-1] if not 0 <= value <= 1]
        if outside:
            raise DataError(
                f"{path} labels the clip {clip!r} {outside[0]}, which is not from 0 to 1. "
                "Fetch it again with `bench fetch percepiano`."
            )
    ids = tuple(sorted(labels))
    return ids, np.array([labels[clip][:-1] for clip in ids]).reshape(-1, len(DIMENSIONS))


def read_ratings(path: Path, ids: Sequence[str]) -> Ratings:
    """Read the raw ratings, on the scale of the labels.

    Parameters
    ----------
    path : Path
        ``labels/total_2rounds.csv``: one row for each time a rater heard a clip.
    ids : sequence of str
        Names of the clips, in the order of the corpus.

    Raises
    ------
    DataError
        If the file cannot be read, or it rates other clips than `ids`.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))[1:]
        heard = [row[2].strip().removesuffix(".wav") for row in rows]
        values = np.array([[float(v or "nan") for v in row[_COLUMNS]] for row in rows])
        values = values.reshape(-1, len(DIMENSIONS))
        users = np.array([int(row[0]) for row in rows], dtype=np.int64)
    except (OSError, ValueError, IndexError) as error:
        raise DataError(
            f"Cannot read PercePiano's raw ratings from {path}: {error}. "
            "Fetch them with `bench fetch percepiano`."
        ) from error
    for lacking, there, lacks in (
        ("the label file", heard, ids),
        (str(path), ids, heard),
    ):
        missing = sorted(set(there).difference(lacks))
        if missing:
            raise DataError(
                f"PercePiano's labels and raw ratings disagree: {lacking} lacks {len(missing)} "
                f"clips that the other has, first {missing[0]!r}. They are of different versions; "
                "fetch both with `bench fetch percepiano`."
            )
    valid = ~(values > _HIGHEST_VALID).any(axis=1)
    values[values == 0] = np.nan
    valid &= ~np.isnan(values).all(axis=1)
    index = {clip: position for position, clip in enumerate(ids)}
    clip = np.array([index[name] for name in heard], dtype=np.int64)
    _, rater = np.unique(users[valid], return_inverse=True)
    return Ratings(rater=rater.astype(np.int64), clip=clip[valid], values=values[valid] / SCALE)


def once_per_rater(ratings: Ratings) -> Ratings:
    """Average the ratings that one rater gave one clip, so that each rater counts once."""
    pairs = np.stack([ratings.clip, ratings.rater])
    unique, which = np.unique(pairs, axis=1, return_inverse=True)
    return Ratings(
        rater=unique[1],
        clip=unique[0],
        values=_mean_by(which.reshape(-1), ratings.values, unique.shape[1]),
    )


def means(ratings: Ratings, clips: int) -> NDArray[np.float64]:
    """Average the ratings of each clip, shape (clips, dimensions)."""
    return _mean_by(ratings.clip, ratings.values, clips)


def raters_per_clip(ratings: Ratings, clips: int) -> NDArray[np.int64]:
    """Count the distinct raters of each clip, shape (clips,)."""
    pairs = np.unique(np.stack([ratings.clip, ratings.rater]), axis=1)
    return np.bincount(pairs[0], minlength=clips).astype(np.int64)


def _mean_by(
    group: NDArray[np.int64], values: NDArray[np.float64], groups: int
) -> NDArray[np.float64]:
    present = ~np.isnan(values)
    total = np.zeros((groups, values.shape[1]))
    count = np.zeros((groups, values.shape[1]))
    np.add.at(total, group, np.where(present, values, 0.0))
    np.add.at(count, group, present)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
