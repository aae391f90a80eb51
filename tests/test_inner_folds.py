"""Folds inside training parts: whole units, nothing of the fold outside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pianobench import Corpus, Fold
from pianobench.errors import SplitError
from pianobench.inner_folds import INNER_FOLDS, inner_splits
from pianobench.split import make_split


@pytest.mark.parametrize("protocol", ["piece", "unseen"])
def test_inner_folds_divide_the_training_part_and_no_passage(protocol: str, corpus: Corpus) -> None:
    split = make_split(corpus, protocol)
    passages = corpus.group("passage")
    found = inner_splits(corpus, split)
    assert list(found) == [fold.name for fold in split.folds]
    for fold in split.folds:
        inner = found[fold.name]
        scored = np.sort(np.concatenate([f.test for f in inner.folds]))
        np.testing.assert_array_equal(scored, fold.train)
        assert len(inner.folds) == INNER_FOLDS
        for part in inner.folds:
            assert not set(passages[part.train]) & set(passages[part.test])
            assert not set(part.train.tolist()) & set(fold.test.tolist())


def test_two_units_make_two_folds_and_one_is_refused(corpus: Corpus) -> None:
    split = make_split(corpus, "piece")
    passages = corpus.group("passage")

    def trained_on(names: list[str]) -> Fold:
        return Fold("only", np.flatnonzero(np.isin(passages, names)), split.folds[0].test)

    two = replace(split, folds=(trained_on(["p0", "p1"]),))
    assert len(inner_splits(corpus, two)["only"].folds) == 2
    one = replace(split, folds=(trained_on(["p0"]),))
    with pytest.raises(SplitError, match=r"fold 'only' of 'piece' needs two groups.*holds 1 \(p0"):
        inner_splits(corpus, one)
