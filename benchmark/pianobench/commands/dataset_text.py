"""What `bench info` tells of a dataset beside its facts and options: its card, and what is here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PianobenchError

if TYPE_CHECKING:
    from ..components import Dataset
    from ..plugins import Registry
    from ..values import Corpus

__all__ = ["card_lines", "corpus_lines"]

_NAMED = 4


def card_lines(dataset: Dataset) -> Iterator[str]:
    """Tell what is known of a dataset that need not be here."""
    card = dataset.card
    if card.size:
        yield f"size: {card.size}"
    if dataset.notice:
        yield f"get it: {dataset.notice}"
    yield from (f"known issue: {issue}" for issue in card.issues)
    if card.studies:
        yield f"studies: {', '.join(card.studies)}"


def corpus_lines(registry: Registry, dataset: Dataset, data_root: Path | None) -> Iterator[str]:
    """Tell what is here: clips, what is left out, takes that other datasets hold, alignments."""
    from ..alignment import summarise_alignments
    from ..corpus import load_corpus

    try:
        corpus = load_corpus(dataset, data_root)
        summary = summarise_alignments(corpus.clips)
    except PianobenchError as error:
        yield f"here: nothing. {error}"
        return
    labels = len(corpus.dimensions) or "no"
    groups = ", ".join(f"{len(set(of))} {kind}s" for kind, of in sorted(corpus.groups.items()))
    yield f"here: {len(corpus.clips):,} clips, {labels} labelled dimensions; {groups}"
    for left in corpus.left_out:
        yield f"left out: {len(left.entries):,}, because {left.why}: {_some(left.entries)}"
    for name in dataset.card.overlaps:
        yield _overlap(registry, corpus, name, data_root)
    if summary.clips:
        yield summary.text()


def _overlap(registry: Registry, corpus: Corpus, name: str, data_root: Path | None) -> str:
    """Compare notes with another dataset, where that is here too."""
    from ..components import Dataset
    from ..corpus import load_corpus
    from ..overlap import find_overlap

    try:
        found = find_overlap(
            corpus, load_corpus(registry.create(Dataset, "dataset", name), data_root)
        )
    except PianobenchError as error:
        return f"overlap with {name}: could not be checked. {error}"
    if found.unchecked and not found.pairs:
        return f"overlap with {name}: could not be checked: {found.unchecked}"
    clips = found.clips
    which = f": {_some(clips)}" if clips else ""
    partly = f" ({found.unchecked})" if found.unchecked else ""
    return (
        f"overlap with {name}, by notes: {len(clips)} clips hold {len(found.pairs)} of its "
        f"takes{which}{partly}"
    )


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
