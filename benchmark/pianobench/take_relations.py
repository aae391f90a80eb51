"""Which clips of a corpus are one take cut twice, and which are equal note for note.

The notes of every clip are read and compared once per process, whoever asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .errors import MidiError
from .notes import Notes, read_notes
from .recurrence import contained_takes, identical_groups
from .values import Corpus

__all__ = ["TakeRelations", "Unchecked", "take_relations"]


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Why a relation is not known; as a clause, such as ``"3 clips have no MIDI file"``."""

    reason: str


@dataclass(frozen=True, slots=True)
class TakeRelations:
    """Relations between clips, which are given by their indices in the corpus.

    Attributes
    ----------
    contained : tuple of (int, int), or Unchecked
        Pairs of human takes by one performer of which the second holds the first.
    identical : tuple of tuple of int, or Unchecked
        Groups of two or more clips, machine renditions included, that are equal note for note.
    """

    contained: tuple[tuple[int, int], ...] | Unchecked
    identical: tuple[tuple[int, ...], ...] | Unchecked


def take_relations(corpus: Corpus) -> TakeRelations:
    """Compare the notes of all clips of a corpus.

    Parameters
    ----------
    corpus : Corpus
        Its clips need not have MIDI files, nor its groups name performers; what can then not be
        known is `Unchecked`.
    """
    midis = tuple(clip.midi for clip in corpus.clips if clip.midi is not None)
    without = len(corpus.clips) - len(midis)
    if without:
        unchecked = Unchecked(f"{without:,} of {len(corpus.clips):,} clips have no MIDI file")
        return TakeRelations(unchecked, unchecked)
    performers = corpus.groups.get("performer")
    human = tuple(corpus.human.tolist())
    return _compare(midis, None if performers is None else tuple(performers), human)


@lru_cache(maxsize=4)
def _compare(
    midis: tuple[Path, ...], performers: tuple[str, ...] | None, human: tuple[bool, ...]
) -> TakeRelations:
    try:
        takes = [read_notes(midi) for midi in midis]
    except MidiError as error:
        unchecked = Unchecked(str(error).rstrip("."))
        return TakeRelations(unchecked, unchecked)
    identical = tuple(identical_groups(takes))
    if performers is None:
        unchecked = Unchecked("the dataset does not say which performer a clip belongs to")
        return TakeRelations(unchecked, identical)
    played = [clip for clip, is_human in enumerate(human) if is_human]
    return TakeRelations(_contained(takes, performers, played), identical)


def _contained(
    takes: list[Notes], performers: tuple[str, ...], played: list[int]
) -> tuple[tuple[int, int], ...]:
    found = contained_takes([takes[i] for i in played], [performers[i] for i in played])
    return tuple((played[pair.shorter], played[pair.longer]) for pair in found)
