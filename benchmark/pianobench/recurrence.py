"""Music that recurs: what enters is the notes of scores or takes, what leaves is who shares whom.

A split that keeps file names apart does not keep music apart: an excerpt returns under another
name, a long excerpt contains a short one, one take is cut twice. Three relations tell them apart.

- *Passages*: scores (times in quarter notes) that share at least half of the notes of the shorter.
- *Contained takes*: performances (seconds) of which one holds nearly all notes of the other.
- *Identical groups*: performances (seconds) that are the same, note for note.

All three compare under one time shift, so that where a file begins does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .notes import Notes

__all__ = [
    "GRID_PER_QUARTER",
    "Containment",
    "contained_takes",
    "identical_groups",
    "passages",
    "shared_share",
]

GRID_PER_QUARTER = 96
"""Default grid: a 64th is 6 of its steps, a 64th triplet 4."""


class Containment(NamedTuple):
    """One take inside another: the indices of both, and the share of the shorter's notes."""

    shorter: int
    longer: int
    share: float


def shared_share(a: Notes, b: Notes, grid_per_quarter: int = GRID_PER_QUARTER) -> float:
    """Share of the notes of the shorter that occur in the other under one time shift.

    Parameters
    ----------
    a, b : Notes
        Times in quarter notes. A note is a pitch at an onset; doubled notes count once.
    grid_per_quarter : int
        Onsets are rounded to 1 / grid_per_quarter.

    Returns
    -------
    float
        0 to 1; symmetric in `a` and `b`.
    """
    return _shared_share(_on_grid(a, grid_per_quarter), _on_grid(b, grid_per_quarter))


def passages(
    excerpts: Sequence[Notes],
    works: Sequence[str],
    share: float = 0.5,
    grid_per_quarter: int = GRID_PER_QUARTER,
) -> NDArray[np.int64]:
    """Join excerpts of a work that share notes, directly or through others.

    Parameters
    ----------
    excerpts : sequence of Notes
        The notated music, times in quarter notes.
    works : sequence of str
        The work of each; excerpts of different works are not compared.
    share : float
        Two excerpts are joined when `shared_share` reaches it.
    grid_per_quarter : int

    Returns
    -------
    int array, shape (excerpts,)
        The passage of each: the index of the passage's first excerpt.
    """
    points = [_on_grid(notes, grid_per_quarter) for notes in excerpts]
    return _components(
        len(excerpts),
        (
            (first, second)
            for members in _members(works)
            for first, second in combinations(members, 2)
            if _shared_share(points[first], points[second]) >= share
        ),
    )


def contained_takes(
    takes: Sequence[Notes],
    performers: Sequence[str],
    share: float = 0.95,
    tolerance_s: float = 0.02,
) -> list[Containment]:
    """Find the takes that are contained in another take by the same performer.

    Parameters
    ----------
    takes : sequence of Notes
        Performances, times in seconds.
    performers : sequence of str
        The performer of each; only takes by one performer are compared. Leave machine
        renditions out: two of them agree without being one take.
    share : float
        Of the notes of the shorter (by number of notes), this share must occur in the longer
        with the same pitch and velocity.
    tolerance_s : float
        ... and with an onset within this many seconds, under one time shift.

    Returns
    -------
    list of Containment
        Sorted by the indices of the shorter and the longer; of two takes of equal length, the
        earlier counts as the shorter.
    """
    keys = [notes.pitch * 128 + notes.velocity for notes in takes]
    found = []
    for members in _members(performers):
        for first, second in _sharing(keys, members, share):
            short, long = sorted((first, second), key=lambda i: (len(takes[i]), i))
            part = _contained_share(
                takes[short].onset, keys[short], takes[long].onset, keys[long], tolerance_s
            )
            if part >= share:
                found.append(Containment(short, long, part))
    return sorted(found)


def identical_groups(takes: Sequence[Notes], tolerance_s: float = 0.001) -> list[tuple[int, ...]]:
    """Group the takes that are equal note for note.

    Parameters
    ----------
    takes : sequence of Notes
        Performances, times in seconds.
    tolerance_s : float
        Onsets (counted from the first note) and durations may differ by this; pitches and
        velocities may not.

    Returns
    -------
    list of tuple of int
        The indices of each group of two or more, in order.
    """
    alike: dict[bytes, list[int]] = defaultdict(list)
    tables = []
    for index, notes in enumerate(takes):
        keys = notes.pitch * 128 + notes.velocity
        order = np.lexsort((notes.onset, keys))
        times = np.stack([notes.onset - notes.onset.min(), notes.offset - notes.onset])
        tables.append(times[:, order])
        alike[keys[order].tobytes()].append(index)
    slack = tolerance_s + 1e-9
    label = _components(
        len(takes),
        (
            (first, second)
            for members in alike.values()
            for first, second in combinations(members, 2)
            if np.abs(tables[first] - tables[second]).max() <= slack
        ),
    )
    return [members for members in _members(label.tolist()) if len(members) > 1]


def _on_grid(notes: Notes, grid_per_quarter: int) -> NDArray[np.int64]:
    """Distinct (pitch, onset on the grid) as rows, shape (2, notes)."""
    onset = np.rint(notes.onset * grid_per_quarter).astype(np.int64)
    return np.unique(np.stack([notes.pitch, onset]), axis=1)


def _shared_share(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    # Every pair of equal pitches votes for the shift that would match it.
    shifts = np.subtract.outer(a[1], b[1])[np.equal.outer(a[0], b[0])]
    if not shifts.size:
        return 0.0
    votes = np.bincount(shifts - shifts.min())
    return float(votes.max() / min(a.shape[1], b.shape[1]))


def _sharing(
    keys: Sequence[NDArray[np.int64]], members: Sequence[int], share: float
) -> Iterable[tuple[int, int]]:
    """Pairs whose (pitch, velocity) counts alone allow the share, whatever the onsets."""
    used = np.unique(np.concatenate([keys[i] for i in members]))
    counts = np.stack(
        [np.bincount(np.searchsorted(used, keys[i]), minlength=len(used)) for i in members]
    ).astype(np.int16)
    lengths = np.array([len(keys[i]) for i in members])
    for row, first in enumerate(members[:-1]):
        common = np.minimum(counts[row], counts[row + 1 :]).sum(axis=1)
        enough = common >= share * np.minimum(lengths[row], lengths[row + 1 :])
        for other in np.flatnonzero(enough):
            yield first, members[row + 1 + int(other)]


def _contained_share(
    short_onset: NDArray[np.float64],
    short_keys: NDArray[np.int64],
    long_onset: NDArray[np.float64],
    long_keys: NDArray[np.int64],
    tolerance_s: float,
) -> float:
    """Largest share of the shorter's notes that one shift brings within the tolerance."""
    which, other = np.nonzero(np.equal.outer(short_keys, long_keys))
    if not which.size:
        return 0.0
    shifts = long_onset[other] - short_onset[which]
    order = np.argsort(shifts)
    shifts, which = shifts[order], which[order]
    # A window of shifts twice the tolerance wide holds the pairs that one shift can match.
    ends = np.searchsorted(shifts, shifts + 2 * tolerance_s + 1e-9, side="right")
    start = int(np.argmax(ends - np.arange(len(ends))))
    matched = np.unique(which[start : ends[start]])
    return len(matched) / len(short_onset)


def _members(labels: Sequence[object]) -> list[tuple[int, ...]]:
    """Gather the indices of equal labels, in order of first occurrence."""
    groups: dict[object, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        groups[label].append(index)
    return [tuple(group) for group in groups.values()]


def _components(size: int, pairs: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """Find connected components of 0 .. size - 1, each labelled by its smallest index."""
    parent = list(range(size))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for first, second in pairs:
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return np.array([root(index) for index in range(size)], dtype=np.int64)
