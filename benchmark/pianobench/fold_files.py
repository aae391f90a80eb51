"""Folds as files: what a user brings and what a dataset commits.

A file is read as it stands, faults included: `require_sound` refuses what cannot be trained and
scored, and the audit says what leaks. Folds are written as *cells*: each clip is listed once,
under the cell that scores it, and a cell is trained on the clips of the cells that differ from it
in every coordinate. The cell ``3`` has one coordinate; ``1.3`` has two.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .errors import SplitError
from .values import Corpus, Fold, Split

__all__ = [
    "CUSTOM",
    "Sides",
    "read_folds",
    "require_sound",
    "sides_of_cells",
    "to_split",
    "write_folds",
]

T = TypeVar("T")

CUSTOM = "custom"
"""Protocol of every split read from a file, whatever the file says of itself."""


class Sides(NamedTuple):
    """A fold by clip ids, which the corpus need not have."""

    name: str
    train: Sequence[str]
    test: Sequence[str]


def read_folds(path: Path, corpus: Corpus) -> Split:
    """Read a fold file as it stands, faults included.

    Parameters
    ----------
    path : Path
        CSV with the columns ``clip`` and ``fold``, or JSON in one of the forms
        ``[{"train": [ids], "val": [ids]}, ...]`` (or ``"test"``), ``{"fold_k": [ids], ...}`` and
        the one that `write_folds` writes. Where a form names no training clips, they are all
        other clips in the file.
    corpus : Corpus

    Returns
    -------
    Split
        Of the protocol `CUSTOM`; `unknown` holds the ids that the corpus does not have.

    Raises
    ------
    SplitError
        If the file cannot be read, has another form, does not have the digest it claims or scores
        no clip of the corpus.
    """
    content = _read(path, _table if path.suffix.lower() == ".csv" else json.loads)
    claimed = None
    try:
        if isinstance(content, list):
            sides = [_sides_of_entry(i, entry) for i, entry in enumerate(content, start=1)]
        elif "protocol" in content:
            claimed = content["digest"]
            sides = sides_of_cells(_id_lists(content["fold"]), len(content["unit"]))
        else:
            sides = _sides_of_tests(_id_lists(content))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error
    split = to_split(corpus, CUSTOM, (), sides)
    if claimed is not None and claimed != split.digest:
        raise SplitError(
            f"The folds in {path} have the digest {split.digest[:12]}, not {str(claimed)[:12]} as "
            "the file says: it was edited. Restore it, or give the folds as CSV clip,fold."
        )
    if not any(fold.test.size for fold in split.folds):
        named = next((clip for side in sides for clip in side.test), None)
        raise SplitError(
            f"The folds in {path} score no clip of dataset {corpus.name!r}: they name {named!r}, "
            f"the dataset has {corpus.ids[0]!r}. Use the dataset's own clip ids."
        )
    return split


def write_folds(path: Path, split: Split, corpus: Corpus) -> None:
    """Write the cells of a split so that `read_folds` gives its folds back.

    Parameters
    ----------
    path : Path
        A JSON file; its folder must exist.
    split : Split
        Of a standard protocol.
    corpus : Corpus
        The corpus it is of.

    Raises
    ------
    SplitError
        If the training clips do not follow from the cells, as in a user's own folds they may not.
    """
    ids = np.array(corpus.ids)
    cells = {fold.name: sorted(ids[fold.test].tolist()) for fold in split.folds}
    sides = sides_of_cells(cells, len(split.unit))
    if to_split(corpus, split.protocol, split.unit, sides).digest != split.digest:
        raise SplitError(
            f"Cannot write the {split.protocol!r} folds to {path}: they do not train on all clips "
            "of the other folds. Keep the file they were read from."
        )
    content = {
        "protocol": split.protocol,
        "unit": split.unit,
        "clips": sum(len(clips) for clips in cells.values()),
        "digest": split.digest,
        "fold": cells,
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def require_sound(split: Split, corpus: Corpus) -> Split:
    """Return the split if a model can be trained and scored on it as it says.

    Raises
    ------
    SplitError
        If a clip is not in the corpus, is scored twice, is on both sides of a fold or twice on
        one, or if a side is empty.
    """
    if split.unknown:
        raise SplitError(
            f"The folds name {len(split.unknown)} clips that dataset {corpus.name!r} does not "
            f"have, such as {split.unknown[0]!r}. Remove them from the fold file."
        )
    for fold in split.folds:
        if not fold.train.size or not fold.test.size:
            raise SplitError(
                f"Fold {fold.name!r} trains on {fold.train.size} clips and scores "
                f"{fold.test.size}. Give it at least one of each."
            )
        used = np.concatenate([fold.train, fold.test])
        _require_once(used, corpus, f"used in fold {fold.name!r}")
    _require_once(np.concatenate([fold.test for fold in split.folds]), corpus, "scored")
    return split


def sides_of_cells(cells: Mapping[str, Sequence[str]], coordinates: int) -> list[Sides]:
    """Train each cell on the cells that differ from it in every coordinate.

    Parameters
    ----------
    cells : mapping of str to sequence of str
        The clip ids that each cell scores; the name of a cell joins its coordinates with a dot.
    coordinates : int
        Of a name with fewer than two, the dots mean nothing.

    Raises
    ------
    ValueError
        If names have different numbers of coordinates.
    """
    places = {name: name.split(".") if coordinates > 1 else [name] for name in cells}

    def differ(one: str, other: str) -> bool:
        return all(a != b for a, b in zip(places[one], places[other], strict=True))

    return [
        Sides(name, [clip for o in cells if differ(name, o) for clip in cells[o]], cells[name])
        for name in sorted(cells)
    ]


def to_split(corpus: Corpus, protocol: str, unit: tuple[str, ...], sides: Sequence[Sides]) -> Split:
    """Turn folds by clip ids into folds by the corpus's indices, in order; digest them."""
    index = {clip: i for i, clip in enumerate(corpus.ids)}

    def indices(clips: Sequence[str]) -> NDArray[np.int64]:
        return np.array(sorted(index[clip] for clip in clips if clip in index), dtype=np.int64)

    named = {clip for side in sides for clip in (*side.train, *side.test)}
    listed = sorted([sorted(side.train), sorted(side.test)] for side in sides)
    return Split(
        protocol=protocol,
        unit=unit,
        folds=tuple(Fold(side.name, indices(side.train), indices(side.test)) for side in sides),
        digest=hashlib.sha256(json.dumps(listed).encode()).hexdigest(),
        unknown=tuple(sorted(named - index.keys())),
    )


def _require_once(clips: NDArray[np.int64], corpus: Corpus, where: str) -> None:
    twice = np.flatnonzero(np.bincount(clips) > 1)
    if twice.size:
        raise SplitError(
            f"{twice.size} clips are {where} more than once, such as {corpus.ids[twice[0]]!r}. "
            "Correct the fold file; `bench audit` lists what else is wrong with it."
        )


def _sides_of_entry(index: int, entry: Mapping[str, Any]) -> Sides:
    test = entry["test"] if "test" in entry else entry["val"]
    return Sides(str(entry.get("name", index)), _ids(entry["train"]), _ids(test))


def _sides_of_tests(tests: Mapping[str, Sequence[str]]) -> list[Sides]:
    named = dict.fromkeys(clip for clips in tests.values() for clip in clips)
    return [Sides(name, list(named.keys() - set(scored)), scored) for name, scored in tests.items()]


def _id_lists(named: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name: _ids(clips) for name, clips in named.items()}


def _ids(clips: Any) -> list[str]:
    if not isinstance(clips, list) or not all(isinstance(clip, str) for clip in clips):
        raise TypeError(f"{str(clips)[:60]!r} is not a list of clip ids")
    return clips


def _table(text: str) -> dict[str, list[str]]:
    tests: dict[str, list[str]] = {}
    for row in csv.DictReader(text.splitlines()):
        if not row.get("clip") or not row.get("fold"):
            raise ValueError(f"the row {row} lacks a clip or a fold")
        tests.setdefault(row["fold"], []).append(row["clip"])
    return tests


def _read(path: Path, parse: Callable[[str], T]) -> T:
    try:
        return parse(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, csv.Error) as error:
        raise _unreadable(path, str(error)) from error


def _unreadable(path: Path, seen: str) -> SplitError:
    return SplitError(
        f"Cannot read folds from {path}: {seen}. Expected CSV with the columns clip,fold, or JSON "
        'of the form [{"train": [ids], "val": [ids]}, ...] or {"fold_1": [ids], ...}.'
    )
