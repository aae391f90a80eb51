"""Which takes of a corpus are known to a model fitted on another: found by notes, never by names.

A rated excerpt is cut out of a whole performance, so that a file of the other corpus may hold it
anywhere and under any name. What enters is two corpora, what leaves is the clips of the second that
hold, or are held by, a human take of the first.

Comparing every pair note by note would take hours. A candidate has runs of velocities in common:
three notes of one pitch that follow each other, with their velocities, are rarely the same in two
takes by chance, and do not depend on where a file begins or on the order within a chord.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import MidiError
from .notes import Notes, read_notes
from .recurrence import contained_takes
from .values import Clip, Corpus

__all__ = ["Overlap", "find_overlap", "shared_takes"]

# Notes at the ends of an excerpt have no neighbours in it, so that the runs in common are fewer
# than the notes in common, which `contained_takes` then counts.
_CANDIDATE = 0.5


@dataclass(frozen=True)
class Overlap:
    """Clips of a corpus that another corpus holds takes of.

    Attributes
    ----------
    pairs : tuple of (str, str)
        A clip of the corpus, and a clip of the other that is the same take or a part of it.
    unchecked : str
        Why some or all could not be compared, as a clause; empty where all were.
    """

    pairs: tuple[tuple[str, str], ...]
    unchecked: str = ""

    @property
    def clips(self) -> tuple[str, ...]:
        """The clips of the corpus that are known, each once."""
        return tuple(dict.fromkeys(clip for clip, _ in self.pairs))


def find_overlap(corpus: Corpus, known: Corpus) -> Overlap:
    """Find the clips of a corpus of which another holds human takes.

    Parameters
    ----------
    corpus, known : Corpus
        Clips without MIDI cannot be compared, and are said to be unchecked.
    """
    mine = [clip for clip in corpus.clips if clip.midi is not None]
    human = [clip for clip, is_human in zip(known.clips, known.human, strict=True) if is_human]
    theirs = [clip for clip in human if clip.midi is not None]
    if not mine or not theirs:
        nothing = corpus.name if not mine else known.name
        return Overlap((), f"the clips of {nothing} have no MIDI")
    without = len(corpus.clips) - len(mine)
    unchecked = [f"{without:,} clips of {corpus.name} have no MIDI"] if without else []
    takes, failures = _readable(mine, corpus.name)
    excerpts, theirs_failed = _readable(theirs, known.name)
    pairs = shared_takes([*takes.values()], [*excerpts.values()])
    ids, others = [*takes], [*excerpts]
    return Overlap(
        tuple((ids[take], others[other]) for take, other in pairs),
        "; ".join([*unchecked, *failures, *theirs_failed]),
    )


def _readable(clips: Sequence[Clip], name: str) -> tuple[dict[str, Notes], list[str]]:
    """Read the notes of clips by their ids, and say of how many that failed."""
    notes, failures = {}, []
    for clip in clips:
        if clip.midi is None:
            continue
        try:
            notes[clip.id] = read_notes(clip.midi)
        except MidiError as error:
            failures.append(str(error).rstrip("."))
    if not failures:
        return notes, []
    return notes, [f"{len(failures):,} clips of {name} cannot be read, the first: {failures[0]}"]


def shared_takes(takes: Sequence[Notes], others: Sequence[Notes]) -> list[tuple[int, int]]:
    """Find pairs of which one is the other or a part of it, note for note.

    Parameters
    ----------
    takes, others : sequence of Notes
        Performances, times in seconds.

    Returns
    -------
    list of (int, int)
        Indices into both; `pianobench.recurrence.contained_takes` says what counts as the same.
    """
    runs = [_runs(notes) for notes in others]
    known, owners = _by_run(runs)
    pairs = []
    for index, take in enumerate(takes):
        own = _runs(take)
        first = np.searchsorted(known, own, side="left")
        after = np.searchsorted(known, own, side="right")
        shared = [owners[a:b] for a, b in zip(first, after, strict=True) if b > a]
        counts = np.bincount(np.concatenate([*shared, owners[:0]]), minlength=len(others))
        for other in np.flatnonzero(counts).tolist():
            shorter = min(len(own), len(runs[other]))
            same = counts[other] >= _CANDIDATE * shorter
            if same and contained_takes([take, others[other]], ["", ""]):
                pairs.append((index, other))
    return pairs


def _runs(notes: Notes) -> NDArray[np.int64]:
    """Encode each run of three successive notes of one pitch as a number; shape (runs,)."""
    order = np.lexsort((notes.onset, notes.pitch))
    pitch, velocity = notes.pitch[order], notes.velocity[order]
    if len(pitch) < 3:
        return np.zeros(0, dtype=np.int64)
    run = ((pitch[2:] * 128 + velocity[:-2]) * 128 + velocity[1:-1]) * 128 + velocity[2:]
    return np.unique(run[pitch[2:] == pitch[:-2]])


def _by_run(
    runs: Sequence[NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every run of every take, sorted, and the take it is of."""
    sizes = [len(each) for each in runs]
    every = np.concatenate([*runs, np.zeros(0, dtype=np.int64)])
    owners = np.repeat(np.arange(len(runs)), sizes)
    order = np.argsort(every, kind="stable")
    return every[order], owners[order]
