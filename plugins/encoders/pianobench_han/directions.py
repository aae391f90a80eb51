"""What the directions of a score ask for at each note: loudness, tempo, and how they change.

The published tables that turn words into numbers are missing from the release, so these are our
own: a place on a scale for words that name a state, a sign for words that name a change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pianobench.written_score import Direction

__all__ = ["DYNAMICS", "PACES", "dynamics", "since", "tempo"]

Floats = NDArray[np.float64]

DYNAMICS: Mapping[str, float] = {
    "pppp": -1.0,
    "ppp": -0.8,
    "pp": -0.6,
    "p": -0.4,
    "mp": -0.15,
    "mf": 0.15,
    "f": 0.4,
    "ff": 0.6,
    "fff": 0.8,
    "ffff": 1.0,
}
"""Dynamics on a scale from -1 to 1."""

PACES: Mapping[str, float] = {
    "grave": -1.0,
    "largo": -0.9,
    "lento": -0.8,
    "adagio": -0.6,
    "andante": -0.3,
    "andantino": -0.2,
    "moderato": 0.0,
    "allegretto": 0.2,
    "allegro": 0.5,
    "vivace": 0.7,
    "presto": 0.9,
    "prestissimo": 1.0,
}
"""Tempo words on a scale from -1 to 1."""


def since(onset_q: Floats, directions: Sequence[Direction], kinds: Sequence[str]) -> Floats:
    """Quarter notes since the latest direction of some kinds, or since the start."""
    starts = np.array([0.0, *(d.start_q for d in directions if d.kind in kinds)])
    starts = np.sort(starts)
    latest = np.searchsorted(starts, onset_q + 1e-6, side="right") - 1
    return np.asarray(np.maximum(onset_q - starts[np.maximum(latest, 0)], 0), dtype=np.float64)


def dynamics(onset_q: Floats, directions: Sequence[Direction]) -> Floats:
    """Loudness asked for at each note, shape (notes, 4): level, hairpin, its share, accent.

    The level is that of `DYNAMICS`; the hairpin 1 in a crescendo and -1 in a diminuendo, its share
    how much of it has passed; the accent 1 where a sforzando stands.
    """
    hairpin, share = _change(onset_q, directions, "crescendo", "diminuendo")
    struck = np.array([d.start_q for d in directions if d.kind == "sforzando"])
    accent = (np.abs(np.subtract.outer(onset_q, struck)) < 0.05).any(axis=1)
    level = _in_force(onset_q, directions, "dynamic", DYNAMICS)
    return np.column_stack([level, hairpin, share, accent.astype(np.float64)])


def tempo(onset_q: Floats, directions: Sequence[Direction]) -> Floats:
    """Tempo asked for at each note, shape (notes, 5): pace, named, change, its share, words.

    The pace is that of `PACES`, named 1 where one is; the change 1 in an accelerando and -1 in a
    ritardando, its share how much of it has passed; words 1 where other words stand.
    """
    change, share = _change(onset_q, directions, "accelerando", "ritardando")
    pace = _in_force(onset_q, directions, "tempo", PACES)
    other = np.array([d.start_q for d in directions if d.kind == "words"])
    words = (np.abs(np.subtract.outer(onset_q, other)) < 0.5).any(axis=1)
    named = _in_force(onset_q, directions, "tempo", dict.fromkeys(PACES, 1.0))
    return np.column_stack([pace, named, change, share, words.astype(np.float64)])


def _in_force(
    onset_q: Floats, directions: Sequence[Direction], kind: str, scale: Mapping[str, float]
) -> Floats:
    """Value on the scale of the latest direction that has one; 0 before the first."""
    value = np.zeros(len(onset_q))
    for direction in directions:
        known = [scale[word] for word in _words(direction) if word in scale]
        if direction.kind == kind and known:
            value[onset_q >= direction.start_q - 1e-6] = known[0]
    return value


def _change(
    onset_q: Floats, directions: Sequence[Direction], up: str, down: str
) -> tuple[Floats, Floats]:
    """Sign of the gradual change that each note stands in, and how much of it has passed."""
    sign, share = np.zeros(len(onset_q)), np.zeros(len(onset_q))
    for direction in directions:
        if direction.kind in (up, down):
            # Where the score gives no end, a bar or so.
            length = direction.end_q - direction.start_q or 4.0
            passed = (onset_q - direction.start_q) / length
            inside = (passed >= 0) & (passed < 1)
            sign[inside] = 1.0 if direction.kind == up else -1.0
            share[inside] = passed[inside]
    return sign, share


def _words(direction: Direction) -> list[str]:
    return "".join(c if c.isalpha() else " " for c in direction.text.lower()).split()
