"""A head fitted on a whole corpus: what is fitted, and what it says of other clips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pianobench.config import RunConfig
from pianobench.corpus import load_corpus
from pianobench.errors import DataError
from pianobench.fitted_model import encode_clips, fit_model
from pianobench.places import cache_at
from pianobench.plan import Plan, plan_run
from pianobench.plugins import Registry
from pianobench.run import Workplace
from pianobench.stored_features import StoredFeatures
from pianobench.values import Corpus


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture
def place(tmp_path: Path, own_cache: Path, shared_cache: Path) -> Iterator[Workplace]:
    with cache_at(shared_cache):
        yield Workplace(tmp_path / "models", shared_cache, jobs=1)


def plan(**given: Any) -> Plan:
    asked = {"dataset": "demo", "encoder": "midi-stats", "head": "ridge", **given}
    return plan_run(RunConfig.parse(asked, "test"), Registry())


@pytest.fixture
def demo(place: Workplace) -> Corpus:
    return load_corpus(plan().dataset, None, place.cache)


def without_labels(corpus: Corpus, clips: int) -> Corpus:
    """The first clips of a corpus, as nobody rated them."""
    return replace(
        corpus,
        clips=corpus.clips[:clips],
        dimensions=(),
        targets=np.empty((clips, 0)),
        groups={},
        human=corpus.human[:clips],
        raters=corpus.raters[:clips],
        ratings=None,
    )


@pytest.mark.parametrize("head", ["ridge", "kernel-ridge"])
def test_the_model_is_the_head_fitted_by_hand_to_every_clip(
    head: str, place: Workplace, demo: Corpus
) -> None:
    asked = plan(head=head)
    features = encode_clips(asked, demo, place).features
    assert isinstance(features, StoredFeatures)
    x, weight = features.read(), demo.raters / demo.raters.mean()
    by_hand = asked.head.fit(x, demo.targets, demo.group("passage"), 0, weight)
    model = fit_model(asked, demo, features)
    expected = by_hand.predict(x)
    np.testing.assert_array_equal(model.predict(features), expected)
    assert model.selected == ({"seed": 0, **by_hand.selected},)
    unlabelled = without_labels(demo, 7)
    np.testing.assert_allclose(
        model.predict(encode_clips(model.plan, unlabelled, place).features),
        expected[:7],
        rtol=0,
        atol=1e-12,
    )


def test_seeds_are_averaged_where_they_matter(place: Workplace, demo: Corpus) -> None:
    trees = plan(head={"name": "extra-trees", "n_estimators": 5}, seeds=[1, 4])
    features = encode_clips(trees, demo, place).features
    both = fit_model(trees, demo, features)
    assert both.seeds == (1, 4)
    single = [fit_model(trees, demo, features, [seed]).predict(features) for seed in (1, 4)]
    np.testing.assert_allclose(both.predict(features), np.mean(single, axis=0), atol=1e-12)
    assert np.abs(single[0] - single[1]).max() > 0.01
    assert fit_model(plan(seeds=[1, 4]), demo, features).seeds == (1,)


def test_a_corpus_that_nobody_rated_is_not_fitted(place: Workplace, demo: Corpus) -> None:
    features = encode_clips(plan(), demo, place).features
    with pytest.raises(DataError, match="'demo' has no labels, so that nothing can be fitted"):
        fit_model(plan(), without_labels(demo, 7), features)
