"""What a dataset promises, tried on a generated corpus or on the files the user has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..components import Dataset
from ..errors import CheckFailedError, DataError
from ..places import data_root
from ..values import Corpus
from .checks import NotRunError, require


@dataclass(frozen=True)
class Trial:
    """A dataset, loaded when first used: generated into `folder`, or from the user's files."""

    dataset: Dataset
    folder: Path

    @cached_property
    def corpus(self) -> Corpus:
        """What `load` returned first."""
        return self.load()

    def load(self) -> Corpus:
        """Load once more."""
        if self.dataset.generated:
            return self.dataset.load(self.folder)
        root = data_root() / self.dataset.name
        if not root.is_dir():
            raise NotRunError(f"Its data is not in {root}.")
        return self.dataset.load(root)


def says_how_to_get_absent_data(trial: Trial) -> None:
    """Raise a `DataError` that names the command."""
    if trial.dataset.generated:
        raise NotRunError("It makes its own data.")
    try:
        trial.dataset.load(trial.folder / "absent")
    except DataError as error:
        told = "bench fetch" in str(error) or not trial.dataset.remotes
        require(told, f"The message does not name `bench fetch {trial.dataset.name}`: {error}")
        return
    raise CheckFailedError("It loads from a folder that does not exist.")


def loads(trial: Trial) -> None:
    """Return a `Corpus` with sorted ids."""
    corpus = trial.corpus
    require(isinstance(corpus, Corpus), f"It returns {type(corpus).__name__}, not Corpus.")
    require(
        list(corpus.ids) == sorted(corpus.ids),
        "The clips are not sorted by id; return corpus.ordered().",
    )


def loads_the_same_every_time(trial: Trial) -> None:
    """Digests agree."""
    one, other = trial.corpus, trial.load()
    require(one.digest == other.digest, f"Two digests: {one.digest} and {other.digest}.")


def has_the_files_it_names(trial: Trial) -> None:
    """Every clip has a performance, and every file exists."""
    corpus = trial.corpus
    for clip in corpus.clips:
        named = [clip.midi, clip.audio, clip.score_midi, clip.score_xml]
        require(bool(clip.midi or clip.audio), f"Clip {clip.id!r} has neither MIDI nor audio.")
        absent = [path for path in named if path is not None and not path.is_file()]
        require(not absent, f"Clip {clip.id!r} names a file that is absent: {absent}.")


def groups_every_clip(trial: Trial) -> None:
    """At least by one kind of group, and never by an empty name."""
    corpus = trial.corpus
    require(bool(corpus.groups), "It names no groups, so that no split can keep them whole.")
    for kind, names in corpus.groups.items():
        without = [clip for clip, name in zip(corpus.ids, names, strict=True) if not name]
        require(not without, f"{len(without)} clips have no {kind}, for example {without[:1]}.")


def scales_its_targets(trial: Trial) -> None:
    """To [0, 1], and with dimensions that differ in name and vary."""
    corpus = trial.corpus
    if not corpus.dimensions:
        raise NotRunError("It has no labels.")
    low, high = corpus.targets.min(), corpus.targets.max()
    require(low >= 0 and high <= 1, f"Targets run from {low:.3g} to {high:.3g}, not in [0, 1].")
    names = [dimension.name for dimension in corpus.dimensions]
    require(len(set(names)) == len(names), f"Two dimensions share a name: {names}.")
    still = [n for n, values in zip(names, corpus.targets.T, strict=True) if np.ptp(values) == 0]
    require(not still, f"The labels of these dimensions never vary: {still}.")


def counts_its_raters(trial: Trial) -> None:
    """At least one a clip, and ratings that point to clips."""
    corpus = trial.corpus
    require(bool((corpus.raters >= 1).all()), f"Fewest raters of a clip: {corpus.raters.min()}.")
    if corpus.ratings is not None:
        indices = corpus.ratings.clip
        require(
            indices.min() >= 0 and indices.max() < len(corpus.clips),
            f"Ratings point to clips {indices.min()} to {indices.max()} of {len(corpus.clips)}.",
        )


PROMISES = (
    loads,
    loads_the_same_every_time,
    has_the_files_it_names,
    groups_every_clip,
    scales_its_targets,
    counts_its_raters,
)
