"""Several renders of a clip: never on both sides, together no heavier than one, in any order."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import r2_score

from pianobench import Corpus, Head, NetworkHead, Pooling
from pianobench.config import RunConfig
from pianobench.contenders import align
from pianobench.corpus import load_corpus
from pianobench.ensemble import Ensemble
from pianobench.evaluate import evaluate
from pianobench.fitting import Material, Member, fit_and_predict_each
from pianobench.grid import Grid
from pianobench.layer_vectors import LayerVectors
from pianobench.leaderboard import Row as TableRow
from pianobench.places import cache_at
from pianobench.plan import plan_run
from pianobench.plugins import Registry
from pianobench.predictions import read_predictions
from pianobench.rescore import rescore
from pianobench.run import Workplace, encode_plan, run
from pianobench.sequences import Sequences
from pianobench.split import inner_groups, make_split
from pianobench.store import FeatureStore, Row
from pianobench.stored_features import StoredFeatures
from pianobench.sweep import find_missing, prepare, sweep
from pianobench.sweep_plan import plan_sweep
from pianobench.training import inner_validation, train_network

Floats = NDArray[np.float64]


@dataclass
class Constant:
    selected: dict[str, Any]
    width: int

    def predict(self, x: Floats) -> Floats:
        # A test row is predicted by its render's number: the mean says which were averaged.
        return np.tile(x[:, 1:2], (1, self.width))


class Spy(Head):
    """Takes down what it is fitted on."""

    name = "spy"

    def fit(self, x, y, groups, seed, sample_weight=None):  # type: ignore[no-untyped-def]
        fitted.append((x, y, groups, sample_weight))
        return Constant({}, y.shape[1])


fitted: list[tuple[Floats, Floats, NDArray[np.str_], Floats]] = []


def named_rows(clips: int, renders: int) -> Floats:
    """Rows that say which clip and which render they are."""
    return np.array([[clip, render] for render in range(renders) for clip in range(clips)], float)


def head(name: str, **options: Any) -> Head:
    return Registry().create(Head, "head", name, options)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    chosen=st.integers(1, 4).flatmap(
        lambda renders: st.tuples(
            st.just(renders),
            st.lists(st.integers(0, renders - 1), min_size=1, unique=True),
            st.lists(st.integers(0, renders - 1), min_size=1, unique=True),
        )
    ),
    protocol=st.sampled_from(["piece", "unseen", "work", "random"]),
)
def test_no_render_of_a_test_clip_is_ever_trained_on(
    corpus: Corpus, chosen: tuple[int, list[int], list[int]], protocol: str
) -> None:
    renders, train, test = chosen
    clips = len(corpus.clips)
    split = make_split(corpus, protocol)
    fitted.clear()
    x = named_rows(clips, renders)
    ensemble = Ensemble(clips, tuple(train), tuple(test))
    (found,) = evaluate(Spy(), x, corpus, [split], (0,), ensemble=ensemble)
    raters = corpus.raters.astype(float)
    assert len(fitted) == len(split.folds)
    for fold, (seen, y, groups, weight) in zip(split.folds, fitted, strict=True):
        rows = {(int(clip), int(render)) for clip, render in seen}
        assert rows == {(clip, render) for clip in fold.train.tolist() for render in train}
        assert len(seen) == len(rows)
        assert not {clip for clip, _ in rows} & set(fold.test.tolist())
        of = seen[:, 0].astype(int)
        np.testing.assert_array_equal(y, corpus.targets[of])
        # All renders of a clip are in one group, which no inner split divides.
        np.testing.assert_array_equal(groups, inner_groups(corpus, split)[of])
        assert weight.sum() == pytest.approx(len(fold.train))
        np.testing.assert_allclose(weight * len(train), raters[of] / raters[fold.train].mean())
    scored = found.folds != ""
    np.testing.assert_allclose(found.values[0][scored], np.mean(test))


@pytest.mark.parametrize("name", ["ridge", "kernel-ridge"])
def test_a_render_that_is_heard_twice_counts_as_once(
    corpus: Corpus, features: Floats, name: str
) -> None:
    split = make_split(corpus, "piece")
    (once,) = evaluate(head(name), features, corpus, [split], (0,))
    ensemble = Ensemble(len(corpus.clips), (0, 1), (0, 1))
    twice_heard = np.concatenate([features, features])
    (twice,) = evaluate(head(name), twice_heard, corpus, [split], (0,), ensemble=ensemble)
    np.testing.assert_allclose(twice.values, once.values, rtol=0, atol=1e-9)
    for one, two in zip(once.selected, twice.selected, strict=True):
        assert two["penalty"] == one["penalty"]
        assert two["inner_r2"] == pytest.approx(one["inner_r2"], abs=1e-9)


def test_layers_that_are_added_up_hear_a_render_twice_as_once(
    tmp_path: Path, corpus: Corpus, features: Floats
) -> None:
    described = {"encoder": "none"}
    rows = [Row(clip, [f[:3], f[1:]]) for clip, f in zip(corpus.ids, features, strict=True)]
    FeatureStore(tmp_path, described).write(rows)
    stored = StoredFeatures(tmp_path, described, corpus.ids, (0, 1))
    assert stored.adds_up
    split = make_split(corpus, "piece")
    (once,) = evaluate(head("ridge"), stored, corpus, [split], (0,))
    doubled = replace(stored, keys=stored.keys * 2)
    ensemble = Ensemble(len(corpus.clips), (0, 1), (0, 1))
    (twice,) = evaluate(head("ridge"), doubled, corpus, [split], (0,), ensemble=ensemble)
    np.testing.assert_allclose(twice.values, once.values, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["ridge", "kernel-ridge", "mean", "extra-trees"])
def test_one_render_that_is_named_is_one_that_is_not(
    corpus: Corpus, features: Floats, name: str
) -> None:
    split = make_split(corpus, "piece")
    (plain,) = evaluate(head(name), features, corpus, [split], (0,))
    clips = len(corpus.clips)
    two = np.concatenate([features + 1, features])
    (named,) = evaluate(
        head(name), two, corpus, [split], (0,), ensemble=Ensemble(clips, (1,), (1,))
    )
    np.testing.assert_array_equal(named.values, plain.values)


@pytest.mark.parametrize("name", ["ridge", "kernel-ridge"])
def test_the_order_of_renders_does_not_matter(corpus: Corpus, features: Floats, name: str) -> None:
    split = make_split(corpus, "piece")
    clips = len(corpus.clips)
    rng = np.random.default_rng(3)
    renders = [features + 0.1 * rng.normal(size=features.shape) for _ in range(3)]
    found = [
        evaluate(
            head(name),
            np.concatenate([renders[i] for i in order]),
            corpus,
            [split],
            (0,),
            ensemble=Ensemble(clips, (0, 1, 2), (0, 1, 2)),
        )[0].values
        for order in ([0, 1, 2], [2, 0, 1])
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-9)


def test_predictions_of_each_render_are_at_hand(corpus: Corpus, features: Floats) -> None:
    split = make_split(corpus, "piece")
    clips, fold = len(corpus.clips), split.folds[0]
    two = np.concatenate([features, features + 0.5])
    material = Material.of(head("ridge"), two, corpus, ensemble=Ensemble(clips, (0,), (0, 1)))
    member = Member(0, fold, inner_groups(corpus, split), 0)
    each = fit_and_predict_each(material, member).predicted
    assert each.shape == (2, len(fold.test), 3)
    (plain,) = evaluate(head("ridge"), features, corpus, [split], (0,))
    np.testing.assert_array_equal(each[0], plain.values[0][fold.test])
    assert np.abs(each[1] - each[0]).max() > 0.1


def test_what_is_only_tested_on_is_never_validated_on() -> None:
    assert Ensemble(9, (0, 1, 2), (3,)).validated == (0, 1, 2)
    assert Ensemble(9, (0, 1, 2), (0, 1, 2)).trained == (0, 1, 2)
    # What is tested comes first, since early stopping hears the first ones.
    assert Ensemble(9, (0, 1, 2), (2,)).trained == (2, 0, 1)
    assert Ensemble(9, (0, 1, 2), (2, 3)).validated == (2,)


def test_early_stopping_hears_the_mean_over_the_renders_it_is_told(
    corpus: Corpus, features: Floats
) -> None:
    pytest.importorskip("torch")
    mlp = Registry().create(NetworkHead, "head", "mlp", {"epochs": 1, "hidden": 8})
    rng = np.random.default_rng(1)
    x = np.concatenate([features + rng.normal(size=features.shape) for _ in range(3)])
    y, groups = np.tile(corpus.targets, (3, 1)), np.tile(corpus.group("passage"), 3)
    network = train_network(mlp, x, y, groups, 4, renders=3, validated=2)
    held_out = inner_validation(
        corpus.group("passage"), np.random.SeedSequence(4).generate_state(3)[0]
    )
    by_render = x.reshape(3, *features.shape)[:2, held_out]
    predicted = np.mean([network.predict(render) for render in by_render], axis=0)
    expected = r2_score(corpus.targets[held_out], predicted)
    assert network.curve[0].validation_r2 == pytest.approx(expected, abs=1e-5)
    assert network.selected["validation_clips"] == held_out.sum()


@pytest.mark.parametrize("peek", [False, True])
def test_networks_are_fitted_on_several_renders(
    corpus: Corpus, features: Floats, peek: bool
) -> None:
    pytest.importorskip("torch")
    mlp = head("mlp", epochs=2, hidden=8, refit=True, loss="rank")
    clips, split = len(corpus.clips), make_split(corpus, "piece")
    x = LayerVectors(np.concatenate([features, features[:, ::-1]]), (0, 1))
    ensemble = Ensemble(clips, (0, 1), (1,))
    selection = "test-fold" if peek else "nested"
    (found,) = evaluate(
        mlp,
        x,
        corpus,
        [split],
        (0,),
        ensemble=ensemble,
        selection=selection,  # type: ignore[arg-type]
    )
    assert np.isfinite(found.values).all()
    for fold, chosen in zip(split.folds, found.selected, strict=True):
        assert chosen.get("refit_clips") == (None if peek else len(fold.train))
        # Of the inner part, clips are counted and not their renders.
        most = len(fold.test) if peek else len(fold.train) // 2
        assert 0 < chosen["validation_clips"] <= most


def test_a_learned_pooling_is_fitted_on_several_renders(
    corpus: Corpus, features: Floats, write_frames: Callable[..., tuple[Path, ...]]
) -> None:
    pytest.importorskip("torch")
    pooling = Registry().create(Pooling, "pooling", "attention")
    frames = [np.stack([f, f + 0.1, f - 0.1]) for f in features]
    paths = write_frames(frames)
    mlp = head("mlp", epochs=1, hidden=4)
    split = make_split(corpus, "piece")
    ensemble = Ensemble(len(corpus.clips), (0, 1), (0, 1))
    x = Sequences(pooling, paths + paths)
    (found,) = evaluate(mlp, x, corpus, [split], (0,), ensemble=ensemble)
    assert np.isfinite(found.values).all()


MEL = {"dataset": "demo", "encoder": "mel", "head": "ridge", "protocols": ["piece"]}


def test_a_run_on_several_renders_from_midi_to_a_row(tmp_path: Path, own_cache: Path) -> None:
    registry = Registry()
    place = Workplace(tmp_path / "results", own_cache, jobs=1)
    names = ["tone:0.2", "tone:0.9"]
    alone = [plan_run(RunConfig.parse({**MEL, "renderer": n}, "test"), registry) for n in names]
    single, of_single = run(alone[0], registry, place)
    given = {**MEL, "renderer": ",".join(names[::-1]), "test_renderer": names[1]}
    plan = plan_run(RunConfig.parse(given, "test"), registry)
    result, folder = run(plan, registry, place)

    corpus = load_corpus(plan.dataset, None, own_cache)
    stored = sorted(path.name for path in (own_cache / "features").rglob("*.safetensors"))
    with cache_at(own_cache):
        x = [encode_plan(one, corpus, place)[1].read() for one in alone]  # type: ignore[union-attr]
    # Each render lies where a run on it alone looks for it.
    assert sorted(p.name for p in (own_cache / "features").rglob("*.safetensors")) == stored
    expected = np.full(corpus.targets.shape, np.nan)
    passages = corpus.group("passage")
    for fold in make_split(corpus, "piece").folds:
        both = np.concatenate([features[fold.train] for features in x])
        labels, groups = (np.concatenate([v[fold.train]] * 2) for v in (corpus.targets, passages))
        fitted = plan.head.fit(both, labels, groups, 0, np.full(len(both), 0.5))
        expected[fold.test] = fitted.predict(x[1][fold.test])
    predictions = read_predictions(folder / "predictions-piece.csv", corpus)
    np.testing.assert_allclose(predictions.mean, expected, rtol=0, atol=2e-6)

    assert rescore(folder, result, plan.dataset, corpus) == []
    assert list(result.components) == [
        *("dataset", "encoder", "renderer 1", "renderer 2", "pooling", "head")
    ]
    for part in ("renderer 1", "renderer 2"):
        assert "no piano" in result.components[part].facts["card"]
    row = TableRow.of(result)
    bright = "tone brightness=0.9"
    assert row.renderer == f"tone brightness=0.2 + {bright}, tested on {bright}"
    assert row.options == ()
    assert row.ranked
    both_rows = align([of_single, folder], [single, result], "piece", plan.dataset, corpus)
    assert both_rows.predictions.shape[0] == 2

    lists = {"renderer": ["tone:0.2", "tone:0.9,tone:0.2"]}
    grid = Grid("g", {**MEL, "test_renderer": "tone:0.9"}, lists)
    swept = plan_sweep([grid], registry)
    ground = prepare(swept, place)
    first = find_missing(swept, ground, place.results)
    assert [missing.cell.varied["renderer"] for missing in first] == ["tone:0.2"]
    before = (folder / "predictions-piece.csv").read_bytes()
    shutil.rmtree(folder)
    assert sweep(find_missing(swept, ground, place.results), ground, registry, place) == {}
    assert (folder / "predictions-piece.csv").read_bytes() == before
