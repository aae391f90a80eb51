"""A corpus in numbers: what there is, and what a careless split of it would leak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .take_relations import Unchecked, take_relations
from .values import Corpus

__all__ = ["Description", "Recurrence", "describe"]


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Excerpts of one passage: music that returns under several names."""

    passage: str
    excerpts: tuple[str, ...]


@dataclass(frozen=True)
class Description:
    """A corpus in numbers.

    Attributes
    ----------
    dataset, version : str
    clips, human_clips, dimensions : int
    groups : mapping of str to int
        Number of groups of each kind the corpus knows.
    contained_takes : int or None
        Pairs of takes of which one holds the other; None where that cannot be checked.
    identical_groups, identical_clips : int or None
        Groups of clips that are equal note for note, and the clips in them.
    recurring : tuple of Recurrence
        Passages that several excerpts share.
    unchecked : mapping of str to str
        What could not be counted, and why.
    left_out : mapping of str to int
        Entries that are no clips, counted by the reason.
    """

    dataset: str
    version: str
    clips: int
    human_clips: int
    dimensions: int
    groups: Mapping[str, int]
    contained_takes: int | None
    identical_groups: int | None
    identical_clips: int | None
    recurring: tuple[Recurrence, ...]
    unchecked: Mapping[str, str]
    left_out: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return the counts as JSON holds them."""
        return {
            **vars(self),
            "groups": dict(self.groups),
            "recurring": {r.passage: list(r.excerpts) for r in self.recurring},
            "unchecked": dict(self.unchecked),
            "left_out": dict(self.left_out),
        }

    def text(self) -> str:
        """Return the counts as a table, then the music that recurs."""
        counts: dict[str, int | None] = {
            "clips": self.clips,
            "of them played by people": self.human_clips,
            "dimensions": self.dimensions,
            **{f"groups of kind {kind}": count for kind, count in self.groups.items()},
            "pairs of takes, one holding the other": self.contained_takes,
            "groups of note-identical clips": self.identical_groups,
            "clips in them": self.identical_clips,
            **{f"left out, {why}": count for why, count in self.left_out.items()},
        }
        lines = [f"{self.dataset}, version {self.version}", ""]
        lines += [
            f"{what:<40}{'not checked' if count is None else format(count, ','):>12}"
            for what, count in counts.items()
        ]
        if self.recurring:
            lines += ["", "Music that recurs under several names:"]
            lines += [f"  {r.passage}: {', '.join(r.excerpts)}" for r in self.recurring]
        lines += [f"{kind}: not checked, {reason}." for kind, reason in self.unchecked.items()]
        return "\n".join(lines)


def describe(corpus: Corpus) -> Description:
    """Count the clips, their groups and the relations between them.

    Parameters
    ----------
    corpus : Corpus
    """
    takes = take_relations(corpus)
    contained, identical = takes.contained, takes.identical
    unchecked = {}
    if isinstance(contained, Unchecked):
        unchecked["contained"] = contained.reason
    if isinstance(identical, Unchecked):
        unchecked["identical"] = identical.reason
    recurring: tuple[Recurrence, ...] = ()
    if "passage" in corpus.groups and "excerpt" in corpus.groups:
        excerpts: dict[str, set[str]] = {}
        for passage, excerpt in zip(
            corpus.groups["passage"], corpus.groups["excerpt"], strict=True
        ):
            excerpts.setdefault(passage, set()).add(excerpt)
        recurring = tuple(
            Recurrence(passage, tuple(sorted(names)))
            for passage, names in sorted(excerpts.items())
            if len(names) > 1
        )
    else:
        unchecked["recurring"] = "the dataset does not name both the excerpt and the passage"
    return Description(
        dataset=corpus.name,
        version=corpus.version,
        clips=len(corpus.clips),
        human_clips=int(corpus.human.sum()),
        dimensions=len(corpus.dimensions),
        groups={kind: len(set(of)) for kind, of in sorted(corpus.groups.items())},
        contained_takes=None if isinstance(contained, Unchecked) else len(contained),
        identical_groups=None if isinstance(identical, Unchecked) else len(identical),
        identical_clips=None if isinstance(identical, Unchecked) else sum(map(len, identical)),
        recurring=recurring,
        unchecked=unchecked,
        left_out={left.why: len(left.entries) for left in corpus.left_out},
    )
