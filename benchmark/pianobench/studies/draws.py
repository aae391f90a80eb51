"""Test sets drawn at random, as the code released with PercePiano draws its one.

Clips are shuffled, and their excerpts taken in the order in which they then first occur. Excerpts
of more than one clip are drawn at random, each whole, until the test set holds at least 15% of the
clips; the others are dealt in turn to four folds. A model is trained on three of them, and stops
on the fourth.

An excerpt is kept whole, the music is not: excerpts share it (`pianobench.recurrence`), so most
test clips have theirs in training.

References
----------
``virtuoso/virtuoso/pyScoreParser/m2pf_dataset_compositionfold.py`` in
https://github.com/JonghoKimSNU/PercePiano at 3f6a0d96.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import SplitError
from ..values import Corpus, Fold

__all__ = ["FOLDS", "TEST_SHARE", "Draw", "draw_test_set"]

TEST_SHARE = 0.15
FOLDS = 4


@dataclass(frozen=True)
class Draw:
    """A test set, and the folds of what it leaves.

    Attributes
    ----------
    seed : int
    test : int array, shape (test clips,)
        Indices into the corpus, ascending.
    folds : tuple of int array
        The other clips, each in one fold; indices, ascending.
    """

    seed: int
    test: NDArray[np.int64]
    folds: tuple[NDArray[np.int64], ...]

    def models(self) -> list[Fold]:
        """Say what each model is trained, stopped and scored on."""
        return [
            Fold(
                name=str(held_out + 1),
                train=np.sort(
                    np.concatenate([f for i, f in enumerate(self.folds) if i != held_out])
                ),
                test=self.test,
                validation=self.folds[held_out],
            )
            for held_out in range(len(self.folds))
        ]

    def share_of_known_music(self, corpus: Corpus) -> float:
        """Share of the test clips whose passage the folds hold as well."""
        passages = corpus.group("passage")
        known = np.isin(passages[self.test], passages[np.concatenate(self.folds)])
        return float(known.mean())


def draw_test_set(corpus: Corpus, seed: int) -> Draw:
    """Draw a test set and deal the rest to folds; it depends on the clip ids and the seed alone.

    Parameters
    ----------
    corpus : Corpus
        With its clips in order of their ids.
    seed : int
        Not negative.

    Raises
    ------
    SplitError
        If the corpus does not say which excerpt its clips are of, or has too few excerpts.
    """
    rng = np.random.default_rng(seed)
    excerpts = corpus.group("excerpt")
    sizes = dict(zip(*np.unique(excerpts, return_counts=True), strict=True))
    shuffled = list(dict.fromkeys(excerpts[rng.permutation(len(excerpts))].tolist()))
    wanted = TEST_SHARE * len(excerpts)
    test: list[str] = []
    clips = 0
    for index in rng.permutation(len(shuffled)):
        if clips >= wanted:
            break
        if sizes[shuffled[index]] > 1:
            test.append(shuffled[index])
            clips += sizes[shuffled[index]]
    rest = [excerpt for excerpt in shuffled if excerpt not in test]
    if clips < wanted or len(rest) < FOLDS:
        raise SplitError(
            f"Dataset {corpus.name!r} has {len(shuffled)} excerpts, from which no test set of "
            f"{TEST_SHARE:.0%} of the clips can be drawn that leaves one for each of {FOLDS} "
            "folds. Excerpts of one clip are not drawn. Choose a larger dataset."
        )
    return Draw(
        seed,
        np.flatnonzero(np.isin(excerpts, test)),
        tuple(np.flatnonzero(np.isin(excerpts, rest[fold::FOLDS])) for fold in range(FOLDS)),
    )
