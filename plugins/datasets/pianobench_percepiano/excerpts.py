"""Clip names, and the groups that follow from them and from the notes of the scores.

A clip is named ``{piece}_{bars}bars_{performer}_{segment}``; the dataset's README states the order
wrongly. An *excerpt* is a piece, a number of bars and a segment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pianobench import DataError, read_notes
from pianobench.recurrence import passages

__all__ = ["MACHINES", "Name", "groups", "parse"]

MACHINES = frozenset({"Score", "Score2"})
"""Performer tokens of renditions made by a machine."""

_NAME = re.compile(r"(?P<piece>.+)_(?P<bars>\d+)bars_(?P<performer>[^_]+)_(?P<segment>\d+)")
_VARIATION = re.compile(r"_(thema|var\d+)$")

# The 8-bar excerpts that each 16-bar excerpt covers by its position in the score.
_COVERS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "Schubert_D960_mv2": {
        "01": ("01", "02"),
        "02": ("03", "04"),
        "03": ("05",),
        "04": ("06", "07"),
        "05": ("08", "09"),
        "06": ("10", "11"),
        "07": ("12", "13"),
        "08": ("14", "15"),
        "09": ("16", "17"),
    },
    "Schubert_D960_mv3": {
        "01": ("01", "02"),
        "07": ("12", "13"),
        "08": ("14", "15"),
        "12": ("23", "24"),
        "18": ("35", "36"),
        "19": ("37",),
    },
}
_POSITION = {
    f"{piece}_8bars_{short}": f"{piece}_16bars_{long}"
    for piece, covers in _COVERS.items()
    for long, shorts in covers.items()
    for short in shorts
}


class Name(NamedTuple):
    """The parts of a clip's name."""

    piece: str
    bars: str
    performer: str
    segment: str

    @property
    def work(self) -> str:
        """The piece without its variation: the variations of WoO 80 are one work."""
        return _VARIATION.sub("", self.piece)

    @property
    def excerpt(self) -> str:
        """The music, whoever plays it."""
        return f"{self.piece}_{self.bars}bars_{self.segment}"

    @property
    def score(self) -> str:
        """Name of the score's files, without suffix."""
        return f"{self.piece}_{self.bars}bars_Score_{self.segment}"


def parse(clip: str) -> Name:
    """Split a clip's name into its parts.

    Raises
    ------
    DataError
        If it is not of the form ``{piece}_{bars}bars_{performer}_{segment}``.
    """
    match = _NAME.fullmatch(clip)
    if match is None:
        raise DataError(
            f"The clip name {clip!r} is not of the form {{piece}}_{{bars}}bars_{{performer}}_"
            "{segment}, as in 'Schubert_D960_mv3_8bars_12_07'. These are not PercePiano's files; "
            "fetch them with `bench fetch percepiano`."
        )
    return Name(*match.group("piece", "bars", "performer", "segment"))


def groups(names: Sequence[Name], scores: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    """Say for each clip which work, excerpt, position, passage, performer and recording it is of.

    Parameters
    ----------
    names : sequence of Name
    scores : mapping of str to Path
        MIDI file of each excerpt's score, from which the passages are computed.

    Returns
    -------
    dict of str to tuple of str
        ``position`` merges a 16-bar excerpt with the 8-bar excerpts it covers in the score;
        ``passage`` merges all music of a work that recurs, and is named by its first excerpt;
        ``recording`` is one performer's rendering of one work.
    """
    works = {name.excerpt: name.work for name in names}
    excerpts = sorted(works)
    first = passages(
        [read_notes(scores[excerpt], "quarter") for excerpt in excerpts],
        [works[excerpt] for excerpt in excerpts],
    )
    passage = {
        excerpt: excerpts[index] for excerpt, index in zip(excerpts, first.tolist(), strict=True)
    }
    return {
        "work": tuple(name.work for name in names),
        "excerpt": tuple(name.excerpt for name in names),
        "position": tuple(_POSITION.get(name.excerpt, name.excerpt) for name in names),
        "passage": tuple(passage[name.excerpt] for name in names),
        "performer": tuple(name.performer for name in names),
        "recording": tuple(f"{name.work}_{name.performer}" for name in names),
    }
