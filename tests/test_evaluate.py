"""Out-of-fold predictions: nothing scored was seen, nothing depends on order or on processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

from pianobench import Corpus, Head, NetworkHead
from pianobench.errors import PluginError, SplitError, StatisticsError, TrainingError, UsageError
from pianobench.evaluate import evaluate
from pianobench.fitting import Material, Member, fit_and_predict
from pianobench.model_files import read_network
from pianobench.plugins import Registry
from pianobench.split import make_split
from pianobench.training import train_network

Floats = NDArray[np.float64]
Seen = list[tuple[Floats, NDArray[np.str_], int, Floats]]


@dataclass
class Fitted:
    model: Any
    selected: Mapping[str, Any]

    def predict(self, x: Floats) -> Floats:
        return np.asarray(self.model.predict(x))


class PlainRidge(Head):
    """scikit-learn's ridge with a fixed penalty, so that folds can be compared with its own."""

    name = "plain"
    slow = True

    def fit(self, x, y, groups, seed, sample_weight=None):  # type: ignore[no-untyped-def]
        return Fitted(Ridge(0.1).fit(x, y), {"groups": sorted(set(groups.tolist())), "n": len(x)})


class Broken(PlainRidge):
    """Predicts NaN for one clip."""

    name = "broken"

    def fit(self, x, y, groups, seed, sample_weight=None):  # type: ignore[no-untyped-def]
        class Bad:
            def predict(self, x: Floats) -> Floats:
                predicted = np.zeros((len(x), y.shape[1]))
                predicted[0, 0] = np.nan
                return predicted

        return Fitted(Bad(), {})


def test_predictions_equal_those_of_scikit_learn_over_the_same_folds(
    corpus: Corpus, features: Floats
) -> None:
    split = make_split(corpus, "work")
    (found,) = evaluate(PlainRidge(), features, corpus, [split], (0,))
    works = np.asarray(corpus.groups["work"])
    expected = cross_val_predict(
        Ridge(0.1), features, corpus.targets, cv=LeaveOneGroupOut(), groups=works
    )
    np.testing.assert_allclose(found.values[0], expected, atol=1e-12)
    assert set(found.folds.tolist()) == {fold.name for fold in split.folds}


def test_the_head_gets_the_training_clips_and_their_passages_only(
    corpus: Corpus, features: Floats
) -> None:
    split = make_split(corpus, "piece")
    (found,) = evaluate(PlainRidge(), features, corpus, [split], (0,))
    passages = np.asarray(corpus.groups["passage"])
    for fold, chosen in zip(split.folds, found.selected, strict=True):
        assert chosen["fold"] == fold.name
        assert chosen["n"] == len(fold.train)
        assert not set(chosen["groups"]) & set(passages[fold.test].tolist())


def test_several_processes_give_the_same_numbers_as_one(
    corpus: Corpus, features: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pianobench.parallel._WORTH_PROCESSES_S", 0.0)
    split = make_split(corpus, "unseen")
    head = Registry().create(Head, "head", "extra-trees", {"n_estimators": 5})
    (one,) = evaluate(head, features, corpus, [split], (0, 1), jobs=1)
    (two,) = evaluate(head, features, corpus, [split], (0, 1), jobs=2)
    np.testing.assert_array_equal(one.values, two.values)
    assert one.seeds == (0, 1)
    assert np.abs(one.values[0] - one.values[1]).max() > 0


def test_a_head_without_chance_is_fitted_with_one_seed(corpus: Corpus, features: Floats) -> None:
    (found,) = evaluate(PlainRidge(), features, corpus, [make_split(corpus, "piece")], (4, 5, 6))
    assert found.seeds == (4,)
    assert found.values.shape == (1, 48, 3)


def test_features_that_are_not_finite_name_the_clip(corpus: Corpus, features: Floats) -> None:
    features[3, 1] = np.nan
    with pytest.raises(StatisticsError, match=rf"Feature 1 of clip '{corpus.ids[3]}' is nan"):
        evaluate(PlainRidge(), features, corpus, [make_split(corpus, "piece")], (0,))


def test_predictions_that_are_not_finite_name_head_and_fold(
    corpus: Corpus, features: Floats
) -> None:
    with pytest.raises(StatisticsError, match=r"head 'broken'.*1 non-finite values in fold"):
        evaluate(Broken(), features, corpus, [make_split(corpus, "piece")], (0,))


def test_stopping_on_the_scored_fold_needs_a_head_that_stops(
    corpus: Corpus, features: Floats
) -> None:
    with pytest.raises(UsageError, match="head 'plain' has no early stopping"):
        evaluate(
            PlainRidge(),
            features,
            corpus,
            [make_split(corpus, "piece")],
            (0,),
            selection="test-fold",
        )


def test_stopping_on_the_scored_fold_looks_better_than_it_is(
    corpus: Corpus, features: Floats
) -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(len(corpus.clips), 30))
    split = make_split(corpus, "piece")
    options = {"hidden": 32, "learning_rate": 0.01, "epochs": 40}
    head = Registry().create(Head, "head", "mlp", options)
    (honest,) = evaluate(head, noise, corpus, [split], (0, 1))
    (peeking,) = evaluate(head, noise, corpus, [split], (0, 1), selection="test-fold")

    def error(values: Floats) -> float:
        return float(((values - corpus.targets) ** 2).mean())

    assert error(peeking.values) < error(honest.values)


def test_splits_fitted_side_by_side_give_what_each_gives_alone(
    corpus: Corpus, features: Floats
) -> None:
    splits = [make_split(corpus, "piece"), make_split(corpus, "unseen")]
    together = evaluate(PlainRidge(), features, corpus, splits, (0,))
    for split, found in zip(splits, together, strict=True):
        (alone,) = evaluate(PlainRidge(), features, corpus, [split], (0,))
        np.testing.assert_array_equal(found.values, alone.values)
        np.testing.assert_array_equal(found.folds, alone.folds)
        assert found.selected == alone.selected


def test_early_stopping_looks_at_the_validation_clips_of_a_fold(
    corpus: Corpus, features: Floats
) -> None:
    (first, *_) = make_split(corpus, "piece").folds
    fold = replace(first, train=first.train[6:], validation=first.train[:6])
    head = Registry().create(NetworkHead, "head", "mlp", {"epochs": 2, "hidden": 8})
    groups = corpus.group("passage")
    member = Member(split=0, fold=fold, groups=groups, seed=3)
    predicted, selected, _ = fit_and_predict(Material.of(head, features, corpus), member)
    train, seen = fold.train, first.train[:6]
    weight = corpus.raters[train] / corpus.raters[train].mean()
    by_hand = train_network(
        head,
        features[train],
        corpus.targets[train],
        groups[train],
        3,
        weight,
        validation=(features[seen], corpus.targets[seen]),
    )
    np.testing.assert_array_equal(predicted, by_hand.predict(features[fold.test]))
    assert (selected["validation"], selected["validation_clips"]) == ("given", 6)


def network_head(**options: Any) -> Head:
    pytest.importorskip("torch")
    given = {"hidden": 8, "learning_rate": 0.01, "epochs": 4, **options}
    return Registry().create(Head, "head", "mlp", given)


@pytest.mark.parametrize("loss", ["mse", "rank"])
def test_networks_do_not_depend_on_what_is_trained_before_them(
    corpus: Corpus, features: Floats, loss: str
) -> None:
    head, split = network_head(loss=loss), make_split(corpus, "piece")
    (all_of_them,) = evaluate(head, features, corpus, [split], (0, 1))
    backwards = replace(split, folds=split.folds[::-1])
    (some,) = evaluate(head, features, corpus, [backwards], (1,))
    np.testing.assert_array_equal(some.values[0], all_of_them.values[1])
    assert sorted(some.curves) == sorted(c for c in all_of_them.curves if c.seed == 1)


@pytest.mark.slow
def test_networks_trained_by_two_processes_are_those_of_one(
    corpus: Corpus, features: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pianobench.parallel._WORTH_PROCESSES_S", 0.0)
    split = make_split(corpus, "piece")
    (one,) = evaluate(network_head(hidden=512), features, corpus, [split], (0, 1), jobs=1)
    (two,) = evaluate(network_head(hidden=512), features, corpus, [split], (0, 1), jobs=2)
    np.testing.assert_array_equal(two.values, one.values)
    assert (two.curves, two.selected) == (one.curves, one.selected)


def test_every_network_leaves_its_curve(corpus: Corpus, features: Floats) -> None:
    split = make_split(corpus, "piece")
    (found,) = evaluate(network_head(), features, corpus, [split], (0, 1))
    members = [(fold.name, seed) for fold in split.folds for seed in (0, 1)]
    assert [(curve.fold, curve.seed) for curve in found.curves] == members
    for curve, chosen in zip(found.curves, found.selected, strict=True):
        assert curve.epochs[chosen["epochs"] - 1].validation_r2 == chosen["validation_r2"]
    (plain,) = evaluate(PlainRidge(), features, corpus, [split], (0,))
    assert plain.curves == ()


def test_networks_that_are_kept_predict_what_was_predicted(
    corpus: Corpus, features: Floats, tmp_path: Path
) -> None:
    head, split = network_head(), make_split(corpus, "piece")
    (found,) = evaluate(head, features, corpus, [split], (5,), models=tmp_path)
    assert len(list(tmp_path.rglob("*.safetensors"))) == len(split.folds)
    for fold in split.folds:
        path = tmp_path / "piece" / f"{fold.name}-seed5.safetensors"
        predicted = read_network(path, head, features).predict(features[fold.test])
        np.testing.assert_array_equal(predicted, found.values[0, fold.test])


class Weighing(PlainRidge):
    """Tells the weights it was given."""

    name = "weighing"

    def fit(self, x, y, groups, seed, sample_weight=None):  # type: ignore[no-untyped-def]
        return Fitted(Ridge(0.1).fit(x, y), {"weight": sample_weight.tolist()})


def test_clips_weigh_their_raters_or_all_the_same(corpus: Corpus, features: Floats) -> None:
    raters = np.random.default_rng(0).integers(1, 20, size=len(corpus.clips))
    corpus, split = replace(corpus, raters=raters), make_split(corpus, "piece")
    (by_raters,) = evaluate(Weighing(), features, corpus, [split], (0,))
    (equal,) = evaluate(Weighing(), features, corpus, [split], (0,), weighting="equal")
    for fold, uneven, even in zip(split.folds, by_raters.selected, equal.selected, strict=True):
        expected = raters[fold.train] / raters[fold.train].mean()
        np.testing.assert_allclose(uneven["weight"], expected, rtol=1e-12)
        assert even["weight"] == [1.0] * len(fold.train)


def test_the_order_loss_is_told_the_passages_whatever_the_protocol_keeps_whole(
    corpus: Corpus, features: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def spy(*args: Any, **options: Any) -> Any:
        told.append(options["passages"])
        return train_network(*args, **options)

    monkeypatch.setattr("pianobench.fitting.train_network", spy)
    split = make_split(corpus, "performer")
    evaluate(network_head(loss="rank"), features, corpus, [split], (0,))
    passages = np.asarray(corpus.groups["passage"])
    for fold, given in zip(split.folds, told, strict=True):
        np.testing.assert_array_equal(given, passages[fold.train])


def test_passages_are_asked_for_only_where_the_loss_needs_them(
    corpus: Corpus, features: Floats
) -> None:
    split = replace(make_split(corpus, "piece"), protocol="own")
    groups = {kind: of for kind, of in corpus.groups.items() if kind != "passage"}
    without = replace(corpus, groups=groups)
    for head in (PlainRidge(), network_head()):
        (found,) = evaluate(head, features, without, [split], (0,))
        assert np.isfinite(found.values).all()
    with pytest.raises(SplitError, match="which passage"):
        evaluate(network_head(loss="rank"), features, without, [split], (0,))


class Unmade(NetworkHead):
    """Has layers that do not fit each other."""

    name = "unmade"

    def network(self, width: int, dimensions: int) -> Any:
        from torch import nn

        return nn.Sequential(nn.Linear(width, 3), nn.Linear(4, dimensions))


def test_what_a_network_raises_names_head_fold_and_seed(corpus: Corpus, features: Floats) -> None:
    pytest.importorskip("torch")
    with pytest.raises(
        PluginError, match=r"head 'unmade' failed to fit fold '\w+' \(seed 3\) .*: RuntimeError: "
    ):
        evaluate(Unmade(), features, corpus, [make_split(corpus, "piece")], (3,))


def test_a_training_that_fails_names_its_fold_and_seed(corpus: Corpus, features: Floats) -> None:
    split = make_split(corpus, "piece")
    with pytest.raises(
        TrainingError, match=r"^In fold '\w+' of 'piece' with seed 3: .* diverged: .* in epoch 1"
    ):
        evaluate(network_head(learning_rate=1e30), features, corpus, [split], (3,))
    fold = split.folds[0]
    only = np.flatnonzero(np.asarray(corpus.groups["passage"]) == "p0")
    short = replace(split, folds=(replace(fold, train=only),))
    with pytest.raises(SplitError, match=r"^In fold .* with seed 3: .* holds 1 \(p0\)"):
        evaluate(network_head(), features, corpus, [short], (3,))
