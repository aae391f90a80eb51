"""The protocols: which clips a model may learn from and which it is scored on.

A corpus and the name of a protocol enter, a `Split` leaves. Every protocol places each clip in a
cell: the fold of its passage, say, or the fold of its passage and the fold of its performer. A
cell's clips are scored by a model trained on the clips that differ from it in *every* coordinate,
so no unit is ever on both sides. Folds depend on the clips and their groups alone, never on the
order in which files were listed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .components import Dataset
from .errors import SplitError, UnknownNameError
from .fold_files import read_folds, require_sound, sides_of_cells, to_split
from .values import Corpus, Split

__all__ = ["PROTOCOLS", "Protocol", "balanced", "inner_groups", "load_split", "make_split"]

FOLDS = 4
"""Folds per unit, as in the studies this benchmark follows."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to divide clips into those a model learns from and those it is scored on.

    Attributes
    ----------
    name : str
    summary : str
        What the scored clips are to the model.
    unit : tuple of str
        Kinds of group kept whole; empty where every clip stands for itself.
    inner : str
        Kind of group that inner validation keeps whole; empty where every clip stands for itself.
    ranked : bool
        Whether it ranks the leaderboard.
    interval : bool
        Whether an interval over passages answers the question it asks: the music has to be new,
        and the independent units many.
    leave_one_out : bool
        One fold per unit, named after it, instead of four that are balanced by clips.
    """

    name: str
    summary: str
    unit: tuple[str, ...]
    inner: str
    ranked: bool = False
    interval: bool = False
    leave_one_out: bool = False


_STANDARD = (
    Protocol("piece", "new music", ("passage",), "passage", ranked=True, interval=True),
    Protocol(
        "unseen", "new music, new performer", ("passage", "performer"), "passage", interval=True
    ),
    Protocol("work", "a new work", ("work",), "work", leave_one_out=True),
    Protocol("performer", "known music, new performer", ("performer",), "performer"),
    Protocol("excerpt", "new by name, music partly known", ("excerpt",), "excerpt"),
    Protocol("random", "known music, known performer", (), ""),
)

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType({p.name: p for p in _STANDARD})
"""The standard protocols by name, the ranking one first."""


def make_split(corpus: Corpus, protocol: str) -> Split:
    """Divide a corpus by a standard protocol.

    Parameters
    ----------
    corpus : Corpus
    protocol : str
        A key of `PROTOCOLS`.

    Returns
    -------
    Split
        Every clip is scored exactly once. Cells of a grid that hold no clip are left out.

    Raises
    ------
    UnknownNameError
        If there is no such protocol.
    SplitError
        If the corpus lacks a kind of group the protocol needs, or has too few of them.
    """
    chosen = _protocol(protocol)
    kinds = chosen.unit or ("clip",)
    axes = [corpus.group(kind) for kind in chosen.unit] or [_shuffling_keys(corpus.ids)]
    wanted = 2 if chosen.leave_one_out else FOLDS
    for kind, units in zip(kinds, axes, strict=True):
        found = len(set(units.tolist()))
        if found < wanted:
            raise SplitError(
                f"The {protocol!r} protocol needs at least {wanted} groups of kind {kind!r}; "
                f"dataset {corpus.name!r} has {found}. Choose another protocol, or more of the "
                "dataset."
            )
    placed = axes if chosen.leave_one_out else [balanced(units, FOLDS) for units in axes]
    cells: dict[str, list[str]] = {}
    for clip, cell in zip(corpus.ids, zip(*placed, strict=True), strict=True):
        cells.setdefault(".".join(cell), []).append(clip)
    sides = sides_of_cells(cells, len(kinds))
    return require_sound(to_split(corpus, protocol, chosen.unit, sides), corpus)


def load_split(corpus: Corpus, protocol: str, dataset: Dataset) -> Split:
    """Take the folds that the dataset has committed, or make them where it has none.

    Parameters
    ----------
    corpus : Corpus
    protocol : str
        A key of `PROTOCOLS`.
    dataset : Dataset

    Raises
    ------
    UnknownNameError
        If there is no such protocol.
    SplitError
        If the committed folds do not score every clip of this corpus, name others, or part a unit
        that the protocol keeps whole; else as `make_split`.
    """
    chosen = _protocol(protocol)
    path = dataset.fold_file(protocol)
    if path is None:
        return make_split(corpus, protocol)
    split = require_sound(read_folds(path, corpus), corpus)
    unscored = set(range(len(corpus.clips))) - {int(i) for fold in split.folds for i in fold.test}
    if unscored:
        raise SplitError(
            f"The folds in {path} score {len(corpus.clips) - len(unscored)} of the "
            f"{len(corpus.clips)} clips of dataset {corpus.name!r} version {corpus.version!r}; "
            f"{corpus.ids[min(unscored)]!r} is in none. They are of another version: install the "
            "plugin that belongs to this data."
        )
    for kind in chosen.unit:
        _require_whole(split, corpus, kind, path)
    return replace(split, protocol=protocol, unit=chosen.unit)


def inner_groups(corpus: Corpus, split: Split) -> NDArray[np.str_]:
    """Name the unit of each clip that inner validation must keep whole.

    Parameters
    ----------
    corpus : Corpus
    split : Split

    Returns
    -------
    str array, shape (clips,)
        Groups of the protocol's inner kind. For a user's own folds the passages, or the clips
        themselves where the corpus names no passages.

    Raises
    ------
    SplitError
        If the corpus lacks the protocol's inner kind of group.
    """
    if split.protocol in PROTOCOLS:
        kind = PROTOCOLS[split.protocol].inner
    else:
        kind = "passage" if "passage" in corpus.groups else ""
    return corpus.group(kind) if kind else np.array(corpus.ids)


def balanced(units: NDArray[np.str_], folds: int) -> NDArray[np.str_]:
    """Deal units to folds, largest first and equal ones by name, each to the emptiest fold.

    Parameters
    ----------
    units : str array, shape (clips,)
    folds : int

    Returns
    -------
    str array, shape (clips,)
        The fold of each clip: ``1`` to the number of folds.
    """
    sizes = Counter(units.tolist())
    filled = [0] * folds
    fold_of: dict[str, str] = {}
    for unit in sorted(sizes, key=lambda u: (-sizes[u], u)):
        emptiest = filled.index(min(filled))
        fold_of[unit] = str(emptiest + 1)
        filled[emptiest] += sizes[unit]
    return np.array([fold_of[unit] for unit in units.tolist()])


def _protocol(name: str) -> Protocol:
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def _shuffling_keys(ids: Sequence[str]) -> NDArray[np.str_]:
    # A hash shuffles the clips alike under every version of every random generator.
    return np.array([hashlib.sha256(clip.encode()).hexdigest() for clip in ids])


def _require_whole(split: Split, corpus: Corpus, kind: str, path: Path) -> None:
    of = corpus.group(kind)
    for fold in split.folds:
        both = np.intersect1d(of[fold.train], of[fold.test]).tolist()
        if both:
            raise SplitError(
                f"Fold {fold.name!r} in {path} trains on and scores the {kind} {both[0]!r}, which "
                f"dataset {corpus.name!r} version {corpus.version!r} says is one. They are of "
                "another version: install the plugin that belongs to this data."
            )
