"""The values that travel between the stages, all frozen.

Axis order is fixed once: layers, frames, width; clips, dimensions. Times are seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, EncodingError, SplitError

__all__ = [
    "Clip",
    "Corpus",
    "DatasetCard",
    "Dimension",
    "Floats",
    "Fold",
    "Frames",
    "LeftOut",
    "Ratings",
    "Remote",
    "Split",
]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Clip:
    """One rated performance of one excerpt.

    Attributes
    ----------
    id : str
        Unique within its corpus.
    midi, audio : Path or None
        The performance as MIDI or as recorded audio; at least one is set.
    score_midi, score_xml : Path or None
        The notated music, where the dataset has it.
    start_s, end_s : float
        The part of `audio` that is the clip, in seconds; `end_s` None means to the end.
    """

    id: str
    midi: Path | None = None
    audio: Path | None = None
    score_midi: Path | None = None
    score_xml: Path | None = None
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Dimension:
    """One labelled quality: its name, the words at its two ends, and its category."""

    name: str
    low: str = ""
    high: str = ""
    category: str = ""


@dataclass(frozen=True)
class Ratings:
    """The raw ratings behind the targets.

    Attributes
    ----------
    rater, clip : int array, shape (ratings,)
        Who rated, and the index of the clip in the corpus.
    values : float array, shape (ratings, dimensions)
        On the scale of the targets; NaN where the rater gave none.
    """

    rater: NDArray[np.int64]
    clip: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Entries of a dataset that are no clips of its corpus: why, and their names."""

    why: str
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatasetCard:
    """What a user should know of a dataset before using it.

    Attributes
    ----------
    size : str
        Clips, hours, bytes.
    issues : tuple of str
        What is wrong with it, a sentence each.
    studies : tuple of str
        Kinds of `bench study` that take it; named where a run refuses it for want of labels.
    overlaps : tuple of str
        Labelled datasets of which it holds takes, so that a model fitted on them knows these.
    """

    size: str = ""
    issues: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    overlaps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Corpus:
    """Clips, what is known of each, and what is to be predicted.

    Attributes
    ----------
    name, version : str
        The dataset and the revision or variant of it.
    clips : tuple of Clip
    dimensions : tuple of Dimension
        Empty where nothing is labelled.
    targets : float array, shape (clips, dimensions)
        In [0, 1] by convention.
    groups : mapping of str to tuple of str
        Per kind of group, the group of each clip. ``passage`` (music that shares notes),
        ``performer`` and ``work`` are used by the standard protocols.
    human : bool array, shape (clips,)
        False for machine renditions.
    raters : int array, shape (clips,)
        Number of distinct raters behind each clip's targets; 1 where unknown.
    ratings : Ratings or None
    left_out : tuple of LeftOut
        What the dataset lists and the corpus does not hold.

    Raises
    ------
    DataError
        If it is empty, an id occurs twice, a length disagrees or a target is not finite.
    """

    name: str
    version: str
    clips: tuple[Clip, ...]
    dimensions: tuple[Dimension, ...]
    targets: NDArray[np.float64]
    groups: Mapping[str, tuple[str, ...]]
    human: NDArray[np.bool_]
    raters: NDArray[np.int64]
    ratings: Ratings | None = None
    left_out: tuple[LeftOut, ...] = ()

    def __post_init__(self) -> None:
        where = f"dataset {self.name!r}"
        if not self.clips:
            raise DataError(f"{where} is empty: 0 clips. Check the data root.")
        ids = [clip.id for clip in self.clips]
        if len(set(ids)) != len(ids):
            twice = next(i for i in ids if ids.count(i) > 1)
            raise DataError(f"{where} holds the clip id {twice!r} more than once.")
        expected = (len(self.clips), len(self.dimensions))
        if self.targets.shape != expected:
            raise DataError(f"{where}: targets have shape {self.targets.shape}, not {expected}.")
        if not np.isfinite(self.targets).all():
            row, column = np.argwhere(~np.isfinite(self.targets))[0]
            raise DataError(
                f"{where}: the target of clip {ids[row]!r} in {self.dimensions[column].name!r} is "
                f"{self.targets[row, column]}. Every clip needs every label."
            )
        lengths = {kind: len(of) for kind, of in self.groups.items()}
        lengths |= {"human": len(self.human), "raters": len(self.raters)}
        for kind, length in lengths.items():
            if length != len(ids):
                raise DataError(f"{where}: {kind!r} names {length} clips, not {len(ids)}.")

    @property
    def ids(self) -> tuple[str, ...]:
        """Clip ids, in order."""
        return tuple(clip.id for clip in self.clips)

    def group(self, kind: str) -> NDArray[np.str_]:
        """Group of each clip, shape (clips,); SplitError where the corpus has no such group."""
        if kind not in self.groups:
            raise SplitError(
                f"Dataset {self.name!r} does not say which {kind} its clips belong to; "
                f"it knows {', '.join(sorted(self.groups))}. Choose another protocol."
            )
        return np.asarray(self.groups[kind], dtype=np.str_)

    def ordered(self) -> Corpus:
        """Return the corpus with its clips sorted by id, so that no file listing shows through."""
        order = sorted(range(len(self.clips)), key=lambda i: self.clips[i].id)
        ratings = self.ratings
        if ratings is not None:
            rank = np.empty(len(order), dtype=np.int64)
            rank[order] = np.arange(len(order))
            ratings = replace(ratings, clip=rank[ratings.clip])
        return replace(
            self,
            clips=tuple(self.clips[i] for i in order),
            targets=self.targets[order],
            groups={kind: tuple(of[i] for i in order) for kind, of in self.groups.items()},
            human=self.human[order],
            raters=self.raters[order],
            ratings=ratings,
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything a score depends on: ids, names, groups, targets, weights."""
        h = hashlib.sha256()
        facts = [
            self.name,
            self.version,
            self.ids,
            [d.name for d in self.dimensions],
            {kind: self.groups[kind] for kind in sorted(self.groups)},
            self.human.tolist(),
            self.raters.tolist(),
        ]
        h.update(json.dumps(facts, separators=(",", ":")).encode())
        h.update(np.ascontiguousarray(self.targets, dtype="<f8").tobytes())
        return h.hexdigest()


@dataclass(frozen=True)
class Frames:
    """What an encoder made of one clip.

    Attributes
    ----------
    values : float array, shape (layers, frames, width)
    times_s : float array, shape (frames,)
        Centre of each frame, or onset of each note.
    levels : mapping of str to int array, shape (frames,)
        Index of each frame's unit on a coarser level (``beat``, ``measure``, ``voice``).
    """

    values: Floats
    times_s: Floats
    levels: Mapping[str, NDArray[np.int64]]

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.shape[1] == 0:
            raise EncodingError(
                f"Frames have shape {self.values.shape}; expected (layers, frames, width) with at "
                "least one frame."
            )
        for what, index in {"times_s": self.times_s, **self.levels}.items():
            if index.shape != (self.values.shape[1],):
                raise EncodingError(
                    f"{what} has shape {index.shape} for {self.values.shape[1]} frames."
                )


@dataclass(frozen=True)
class Fold:
    """Indices of the clips a model is trained on and of those it is scored on.

    `validation` are clips apart from both that early stopping looks at; None where it looks at an
    inner part of the training clips.
    """

    name: str
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    validation: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Split:
    """Folds of one protocol over one corpus.

    Attributes
    ----------
    protocol : str
    unit : tuple of str
        Kinds of group that no fold may share between training and test, such as
        ``("passage", "performer")``; empty for `random` and for a user's file.
    folds : tuple of Fold
    digest : str
        SHA-256 of the clip ids on both sides of every fold.
    unknown : tuple of str
        Ids that a user's fold file names and the corpus does not have.
    """

    protocol: str
    unit: tuple[str, ...]
    folds: tuple[Fold, ...]
    digest: str
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remote:
    """A file a dataset is downloaded from: where, its SHA-256, and where it goes."""

    url: str
    sha256: str
    path: str
