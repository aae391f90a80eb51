"""What leaks across a split.

`audit` takes a corpus and its folds and counts, kind by kind, the scored clips that have a
relative in the training part of their fold: a take of the same excerpt or of music that recurs
under another name, the same take cut differently, the same notes, the same performer. What cannot
be checked, for want of MIDI or of a kind of group, is said; it never counts as checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .take_relations import Unchecked, take_relations
from .values import Corpus, Split

__all__ = ["Audit", "Example", "Leak", "audit"]

_EXAMPLES = 3

_SENTENCES = {
    "excerpt": "{} of {} test clips are of an excerpt that training has takes of",
    "passage": "{} of {} test clips share music with training",
    "contained": "{} of {} test clips hold, or are held by, the same take in training",
    "identical": "{} of {} test clips are note for note a training clip",
    "recording": "{} of {} test clips are by a performer whose playing of the same work is in "
    "training",
    "performer": "{} of {} test clips are by a performer in training",
    "overlap": "{} of {} test clips are themselves in the training part of their fold",
    "twice": "{} of {} test clips are scored more than once",
    "unknown": "{} named clips are not in the dataset, beside the {} test clips that are",
    "missing": "{} clips of the dataset are scored by no fold, beside the {} that are",
}
_HARMLESS = ("recording", "performer", "missing")

_Indices = NDArray[np.int64]
_Related = Callable[[_Indices, _Indices], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Example:
    """A clip that leaks: the fold that scores it, and its relative in that fold's training."""

    clip: str
    fold: str = ""
    training: str = ""

    def __str__(self) -> str:
        fold = f" (fold {self.fold})" if self.fold else ""
        return f"{self.clip}{fold}" + (f" with {self.training}" if self.training else "")


@dataclass(frozen=True, slots=True)
class Leak:
    """One kind of leak, looked for and counted; nothing was found where the count is 0.

    Attributes
    ----------
    kind : str
        ``excerpt``, ``passage``, ``contained``, ``identical``, ``recording`` (a performer's
        playing of one work), ``performer``, ``overlap`` (a clip on both sides of a fold),
        ``twice`` (scored more than once), ``unknown`` or ``missing`` (scored by no fold).
    fatal : bool
        Whether the scores then mean something else than they say. Machine renditions have no
        performer and are not counted in the harmless ``recording`` and ``performer``.
    test_clips : int
        Clips concerned.
    pairs : int
        Pairs of a test clip and a training clip, over all folds; 0 where a kind has no pairs.
    examples : tuple of Example
        At most three, of different folds where there are such.
    """

    kind: str
    fatal: bool
    test_clips: int
    pairs: int
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class Audit:
    """What was found in one split of one corpus.

    Attributes
    ----------
    dataset, protocol : str
    folds, test_clips, clips : int
        Folds; clips scored; clips of the corpus.
    leaks : tuple of Leak
        Every kind that was looked for, with 0 where there is none.
    unchecked : mapping of str to str
        Kinds that could not be looked for, and why.
    """

    dataset: str
    protocol: str
    folds: int
    test_clips: int
    clips: int
    leaks: tuple[Leak, ...]
    unchecked: Mapping[str, str]

    @property
    def faults(self) -> tuple[Leak, ...]:
        """The fatal leaks that were found."""
        return tuple(leak for leak in self.leaks if leak.fatal and leak.test_clips)

    @property
    def ok(self) -> bool:
        """Whether no fault was found; `unchecked` says in what none was looked for."""
        return not self.faults

    @property
    def flags(self) -> tuple[str, ...]:
        """One sentence per fault, and per kind in which none could be looked for."""
        found = [self._sentence(leak) for leak in self.faults]
        return (*found, *(f"{kind} not checked: {why}" for kind, why in self.unchecked.items()))

    def as_json(self) -> dict[str, Any]:
        """Return the findings as JSON holds them."""
        return {
            "ok": self.ok,
            "test_clips": self.test_clips,
            "leaks": {
                leak.kind: {
                    "fatal": leak.fatal,
                    "test_clips": leak.test_clips,
                    "pairs": leak.pairs,
                    "examples": [asdict(example) for example in leak.examples],
                }
                for leak in self.leaks
            },
            "unchecked": dict(self.unchecked),
        }

    def text(self) -> str:
        """Return a table of all kinds, a sentence for each that was found, and the verdict."""
        lines = [
            f"{self.dataset}, {self.protocol}: {self.folds} folds, {self.test_clips:,} of "
            f"{self.clips:,} clips scored",
            "",
            f"{'kind':<11}{'test clips':>10}{'pairs':>11}",
        ]
        for leak in self.leaks:
            note = "  fault" if leak in self.faults else ""
            lines.append(f"{leak.kind:<11}{leak.test_clips:>10,}{leak.pairs:>11,}{note}")
        lines += [f"{kind:<11}{'not checked':>21}" for kind in self.unchecked]
        lines.append("")
        for leak in self.leaks:
            if leak.test_clips:
                lines.append(f"{leak.kind}: {self._sentence(leak)}, such as {leak.examples[0]}.")
        lines += [f"{kind}: not checked, {reason}." for kind, reason in self.unchecked.items()]
        found = ", ".join(leak.kind for leak in self.faults)
        verdict = f"Faults found: {found}." if found else "No fault found."
        if self.unchecked:
            verdict += f" Nothing is known of: {', '.join(self.unchecked)}."
        return "\n".join([*lines, verdict])

    def _sentence(self, leak: Leak) -> str:
        return _SENTENCES[leak.kind].format(f"{leak.test_clips:,}", f"{self.test_clips:,}")


def audit(corpus: Corpus, split: Split) -> Audit:
    """Count what training knows of the clips it is tested on.

    Parameters
    ----------
    corpus : Corpus
    split : Split
        Of a protocol, or a user's own; it need not be sound.
    """
    unchecked: dict[str, str] = {}
    leaks = []
    for kind, related in _relations(corpus).items():
        if isinstance(related, Unchecked):
            unchecked[kind] = related.reason
        else:
            leaks.append(_shared(kind, related, corpus, split))
    leaks += _misplaced(corpus, split)
    return Audit(
        dataset=corpus.name,
        protocol=split.protocol,
        folds=len(split.folds),
        test_clips=len(_scored(split)),
        clips=len(corpus.clips),
        leaks=tuple(leaks),
        unchecked=unchecked,
    )


def _relations(corpus: Corpus) -> dict[str, _Related | Unchecked]:
    """Per kind of leak, which of some clips are relatives of which others."""
    takes = take_relations(corpus)
    contained, identical = takes.contained, takes.identical
    return {
        "excerpt": _same_group(corpus, "excerpt"),
        "passage": _same_group(corpus, "passage"),
        "contained": contained if isinstance(contained, Unchecked) else _linked(corpus, contained),
        "identical": identical if isinstance(identical, Unchecked) else _linked(corpus, identical),
        "recording": _same_group(corpus, "performer", "work", human_only=True),
        "performer": _same_group(corpus, "performer", human_only=True),
    }


def _same_group(corpus: Corpus, *kinds: str, human_only: bool = False) -> _Related | Unchecked:
    for kind in kinds:
        if kind not in corpus.groups:
            return Unchecked(f"the dataset does not say which {kind} a clip belongs to")
    names = list(zip(*(corpus.groups[kind] for kind in kinds), strict=True))
    number = {name: i for i, name in enumerate(dict.fromkeys(names))}
    group = np.array([number[name] for name in names])
    counted = corpus.human if human_only else np.ones(len(names), dtype=np.bool_)
    return lambda test, train: np.equal.outer(group[test], group[train]) & counted[test, None]


def _linked(corpus: Corpus, links: Iterable[tuple[int, ...]]) -> _Related:
    linked = np.zeros((len(corpus.clips), len(corpus.clips)), dtype=np.bool_)
    for clips in links:
        linked[np.ix_(clips, clips)] = True
    return lambda test, train: linked[np.ix_(test, train)]


def _shared(kind: str, related: _Related, corpus: Corpus, split: Split) -> Leak:
    touched: set[int] = set()
    pairs = 0
    examples: list[Example] = []
    for fold in split.folds:
        relatives = related(fold.test, fold.train) & np.not_equal.outer(fold.test, fold.train)
        rows = np.flatnonzero(relatives.any(axis=1))
        touched.update(fold.test[rows].tolist())
        pairs += int(relatives.sum())
        if rows.size:
            relative = fold.train[relatives[rows[0]].argmax()]
            examples.append(
                Example(corpus.ids[fold.test[rows[0]]], fold.name, corpus.ids[relative])
            )
    return _leak(kind, len(touched), examples, pairs)


def _misplaced(corpus: Corpus, split: Split) -> list[Leak]:
    """Leaks of the folds themselves, whatever the clips are."""
    ids = corpus.ids
    both = [
        (clip, fold.name)
        for fold in split.folds
        for clip in np.intersect1d(fold.test, fold.train).tolist()
    ]
    scored = _scored(split)
    twice = [clip for clip, folds in scored.items() if len(folds) > 1]
    missing = [clip for clip in range(len(ids)) if clip not in scored]
    return [
        _leak(
            "overlap",
            len({clip for clip, _ in both}),
            [Example(ids[clip], fold, ids[clip]) for clip, fold in both],
            len(both),
        ),
        _leak("twice", len(twice), [Example(ids[clip], ", ".join(scored[clip])) for clip in twice]),
        _leak("unknown", len(split.unknown), [Example(clip) for clip in split.unknown]),
        _leak("missing", len(missing), [Example(ids[clip]) for clip in missing]),
    ]


def _leak(kind: str, clips: int, examples: list[Example], pairs: int = 0) -> Leak:
    return Leak(kind, kind not in _HARMLESS, clips, pairs, tuple(examples[:_EXAMPLES]))


def _scored(split: Split) -> dict[int, list[str]]:
    """Name the folds that score each clip."""
    scored: dict[int, list[str]] = {}
    for fold in split.folds:
        for clip in fold.test.tolist():
            scored.setdefault(clip, []).append(fold.name)
    return scored
