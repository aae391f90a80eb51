"""Features by reference: what is read, what is compared, and what is kept of comparisons."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pianobench import Corpus, Fold, Pairs, PairwiseHead
from pianobench.evaluate import evaluate
from pianobench.layer_vectors import LayerVectors
from pianobench.plugins import Registry
from pianobench.split import make_split
from pianobench.store import FeatureStore, Row
from pianobench.stored_features import StoredFeatures

WIDTHS = (7, 3, 11)


class Products(PairwiseHead):
    """Counts how often clips are compared."""

    name = "products"

    @property
    def measures(self) -> tuple[str, ...]:
        return ("product",)

    def compare(self, x: NDArray[np.float64], x_new: NDArray[np.float64]) -> Pairs:
        compared.append(x.shape[1])
        return Pairs(x.shape[1], {"product": x @ x.T}, {"product": x_new @ x.T})


compared: list[int] = []


@pytest.fixture
def layers(corpus: Corpus) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(2)
    signal = corpus.targets - corpus.targets.mean(axis=0)
    made = []
    for width in WIDTHS:
        noise = 0.1 * rng.normal(size=(len(corpus.clips), width))
        made.append((signal @ rng.normal(size=(3, width)) + noise).astype(np.float32))
    made[1][:, 2] = 0.25
    return made


@pytest.fixture
def stored(tmp_path: Path, corpus: Corpus, layers: list[NDArray[np.float32]]) -> StoredFeatures:
    described = {"encoder": "none"}
    rows = [Row(clip, [layer[i] for layer in layers]) for i, clip in enumerate(corpus.ids)]
    FeatureStore(tmp_path / "features", described).write(rows[::-1])
    return StoredFeatures(tmp_path / "features", described, corpus.ids, (0, 1, 2))


@pytest.fixture
def fold(corpus: Corpus) -> Fold:
    return make_split(corpus, "piece").folds[0]


def test_layers_are_read_side_by_side_in_the_order_of_the_clips(
    stored: StoredFeatures, layers: list[NDArray[np.float32]]
) -> None:
    np.testing.assert_array_equal(stored.read(), np.hstack(layers))
    np.testing.assert_array_equal(replace(stored, layers=(0, 2)).read(), np.hstack(layers[::2]))
    assert len(stored) == len(layers[0])


def test_a_reference_is_small_enough_to_travel(stored: StoredFeatures) -> None:
    assert len(pickle.dumps(stored)) < 4000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(stored)).read(), stored.read())


@pytest.mark.parametrize("name", ["ridge", "kernel-ridge"])
def test_layers_added_up_predict_what_their_joined_features_predict(
    name: str, stored: StoredFeatures, corpus: Corpus
) -> None:
    head = Registry().create(PairwiseHead, "head", name)
    splits = [make_split(corpus, protocol) for protocol in ("piece", "unseen")]
    by_pairs = evaluate(head, stored, corpus, splits, (0,))
    directly = evaluate(head, stored.read(), corpus, splits, (0,))
    for one, other in zip(by_pairs, directly, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-9)
        for chosen, expected in zip(one.selected, other.selected, strict=True):
            assert chosen["penalty"] == pytest.approx(expected["penalty"])
            assert chosen["inner_r2"] == pytest.approx(expected["inner_r2"], abs=1e-9)


def test_the_sum_over_layers_is_exact_for_products(stored: StoredFeatures, fold: Fold) -> None:
    pairs = stored.pairs(Products(), fold)
    x = stored.read()
    assert pairs.width == sum(WIDTHS)
    np.testing.assert_allclose(pairs.within["product"], x[fold.train] @ x[fold.train].T)
    np.testing.assert_allclose(pairs.across["product"], x[fold.test] @ x[fold.train].T)


def test_a_layer_is_compared_once_whatever_choices_of_layers_share_it(
    stored: StoredFeatures, corpus: Corpus, fold: Fold, tmp_path: Path
) -> None:
    compared.clear()
    kept = replace(stored, scratch=tmp_path / "scratch")
    for layers in ((0, 1), (1, 2), (0, 1, 2)):
        chosen = replace(kept, layers=layers)
        chosen.pairs(Products(), fold)
        shared = chosen.pairs(Products(), fold)
        alone = replace(stored, layers=layers).pairs(Products(), fold)
        np.testing.assert_array_equal(shared.within["product"], alone.within["product"])
        np.testing.assert_array_equal(shared.across["product"], alone.across["product"])
        assert shared.width == alone.width
    alone_s = [WIDTHS[k] for layers in ((0, 1), (1, 2), (0, 1, 2)) for k in layers]
    assert sorted(compared) == sorted([*WIDTHS, *alone_s])
    other = make_split(corpus, "piece").folds[1]
    kept.pairs(Products(), other)
    assert len(compared) == len(WIDTHS) + len(alone_s) + len(WIDTHS)


def test_layers_that_are_to_be_weighted_are_read_as_such(
    stored: StoredFeatures, layers: list[NDArray[np.float32]]
) -> None:
    even = replace(stored, layers=(0,), how="weighted")
    found = even.read()
    assert isinstance(found, LayerVectors)
    assert found.layers == (0,)
    np.testing.assert_array_equal(found.x, layers[0])


def test_an_average_of_layers_and_a_single_layer_do_not_add_up(stored: StoredFeatures) -> None:
    assert stored.adds_up
    assert not replace(stored, how="mean").adds_up
    assert not replace(stored, layers=(1,)).adds_up
