"""The study of the published protocol: its numbers by hand, and that nothing is fitted twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import r2_score

from pianobench.array_files import read_arrays, write_arrays
from pianobench.config import RunConfig
from pianobench.corpus import load_corpus
from pianobench.errors import ResultError, TrainingError
from pianobench.fitting import Fitted, Material, Member
from pianobench.places import cache_at
from pianobench.plan import Plan, plan_run
from pianobench.plugins import Registry
from pianobench.run import Workplace, encode_plan
from pianobench.stored_features import StoredFeatures
from pianobench.studies import published_split as module
from pianobench.studies.draws import draw_test_set
from pianobench.studies.published_split import published_split, read_published_split
from pianobench.values import Corpus

RIDGE = {"dataset": "demo", "encoder": "midi-stats", "head": "ridge"}


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture
def place(tmp_path: Path, own_cache: Path, shared_cache: Path) -> Iterator[Workplace]:
    with cache_at(shared_cache):
        yield Workplace(tmp_path / "studies", shared_cache, jobs=1)


def plan(**given: Any) -> Plan:
    return plan_run(RunConfig.parse({**RIDGE, **given}, "test"), Registry())


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The draw seed of every model that is fitted."""
    seeds: list[int] = []
    really = module.fit_and_predict

    def counted(material: Any, member: Any) -> Any:
        seeds.append(member.seed)
        return really(material, member)

    monkeypatch.setattr(module, "fit_and_predict", counted)
    return seeds


def test_the_scores_of_a_draw_are_those_of_four_models_fitted_by_hand(place: Workplace) -> None:
    study, _ = published_split(plan(), place, [5])
    (record,) = study.draws
    asked = plan()
    corpus = load_corpus(asked.dataset, None, place.cache)
    _, features = encode_plan(asked, corpus, place)
    assert isinstance(features, StoredFeatures)
    x = features.read()
    draw = draw_test_set(corpus, 5)
    excerpts, raters = corpus.group("excerpt"), corpus.raters.astype(float)
    predicted = []
    for held_out in range(4):
        train = np.sort(np.concatenate([draw.folds[k] for k in range(4) if k != held_out]))
        weight = raters[train] / raters[train].mean()
        model = asked.head.fit(x[train], corpus.targets[train], excerpts[train], 5, weight)
        predicted.append(model.predict(x[draw.test]))
    y, mean = corpus.targets[draw.test], np.mean(predicted, axis=0)
    assert record.r2_models == pytest.approx([r2_score(y, each) for each in predicted])
    assert record.r2_mean_of_models == pytest.approx(np.mean(record.r2_models))
    assert record.r2_of_mean == pytest.approx(r2_score(y, mean))
    assert record.r2_of_mean_flat == pytest.approx(r2_score(y.ravel(), mean.ravel()))
    assert record.r2_of_mean >= record.r2_mean_of_models
    assert record.excerpts == sorted(set(excerpts[draw.test].tolist()))
    assert (record.clips, record.known_music) == (18, 0)


def test_a_network_stops_on_the_fold_that_its_model_holds_out(place: Workplace) -> None:
    mlp = {"name": "mlp", "options": {"epochs": 2, "hidden": 8}}
    asked = plan(head=mlp)
    study, _ = published_split(asked, place, [0])
    corpus = load_corpus(asked.dataset, None, place.cache)
    draw = draw_test_set(corpus, 0)
    chosen = study.draws[0].selected
    assert [each["validation"] for each in chosen] == ["given"] * 4
    assert [each["validation_clips"] for each in chosen] == [len(fold) for fold in draw.folds]


def test_a_draw_that_is_stored_is_not_fitted_again(place: Workplace, fitted: list[int]) -> None:
    first, folder = published_split(plan(), place, [0, 1], [0.5])
    assert sorted(fitted) == [0] * 4 + [1] * 4
    again, _ = published_split(plan(), place, [0, 1], [0.5])
    assert len(fitted) == 8
    assert again == first == read_published_split(folder)
    more, same = published_split(plan(), place, [0, 1, 2])
    assert fitted[8:] == [2] * 4
    assert same == folder
    assert more.draws[:2] == first.draws


def test_a_damaged_draw_is_made_again_and_equal(place: Workplace, fitted: list[int]) -> None:
    first, folder = published_split(plan(), place, [0, 1])
    (folder / first.draws[1].predictions).write_bytes(b"half")
    again, _ = published_split(plan(), place, [0, 1])
    assert fitted[8:] == [1] * 4
    assert again.distributions == first.distributions


def test_another_configuration_has_a_folder_of_its_own(place: Workplace) -> None:
    _, first = published_split(plan(), place, [0])
    _, other = published_split(plan(head={"name": "ridge", "penalties": [1.0]}), place, [0])
    assert first != other


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {
            "encoder": {"name": "han", "options": {"features": "performance"}},
            "pooling": "hierarchical",
            "head": "han",
        },
    ],
    ids=["pooled", "frames"],
)
def test_files_that_changed_places_between_clips_are_another_study(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    really = module.encode_plan

    def exchanged(plan: Plan, corpus: Corpus, workplace: Workplace) -> Any:
        encoded, features = really(plan, corpus, workplace)
        if isinstance(features, StoredFeatures):
            return encoded, replace(features, keys=features.keys[::-1])
        return encoded, replace(features, paths=features.paths[::-1])

    def constant(material: Material, member: Member) -> Fitted:
        return Fitted(np.zeros((len(member.fold.test), material.y.shape[1])), {}, ())

    monkeypatch.setattr(module, "fit_and_predict", constant)
    _, first = published_split(plan(**asked), place, [0])
    _, again = published_split(plan(**asked), place, [0])
    monkeypatch.setattr(module, "encode_plan", exchanged)
    _, other = published_split(plan(**asked), place, [0])
    assert again == first
    assert other != first


def test_a_draw_of_other_clips_is_made_again(place: Workplace, fitted: list[int]) -> None:
    first, folder = published_split(plan(), place, [0, 1])
    path = folder / first.draws[1].predictions
    stored = read_arrays(path)
    assert stored is not None
    arrays = {**stored.arrays, "clips": stored.arrays["clips"] + 1}
    write_arrays(path, arrays, stored.words)
    again, _ = published_split(plan(), place, [0, 1])
    assert fitted[8:] == [1] * 4
    assert again.distributions == first.distributions


def test_a_draw_whose_clips_change_before_it_is_recorded_is_refused(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_other_clips(path: Path, arrays: Any, words: Any) -> None:
        write_arrays(path, {**arrays, "clips": arrays["clips"][::-1]}, words)

    monkeypatch.setattr(module, "write_arrays", of_other_clips)
    with pytest.raises(ResultError, match="other clips than the 18 that seed 0 draws"):
        published_split(plan(), place, [0])


def test_what_a_study_keeps_of_its_configuration_makes_the_same_plan(
    place: Workplace, fitted: list[int]
) -> None:
    first, folder = published_split(plan(head={"name": "ridge", "penalties": [1.0]}), place, [0])
    kept = plan_run(RunConfig.parse(first.config, "study.json"), Registry())
    again, same = published_split(kept, place, [draw.seed for draw in first.draws])
    assert (again, same) == (first, folder)
    assert len(fitted) == 4


def test_a_draw_that_fails_costs_no_other(
    place: Workplace, fitted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    really = module.fit_and_predict

    def failing(material: Any, member: Any) -> Any:
        if member.seed == 0:
            raise TrainingError("diverged")
        return really(material, member)

    with monkeypatch.context() as patched:
        patched.setattr(module, "fit_and_predict", failing)
        with pytest.raises(TrainingError, match="diverged"):
            published_split(plan(), place, [0, 1])
    assert fitted == [1] * 4
    published_split(plan(), place, [0, 1])
    assert fitted[4:] == [0] * 4


def test_marks_are_placed_among_the_draws_for_every_measure(place: Workplace) -> None:
    study, _ = published_split(plan(), place, range(3), [-1.0, 1.0])
    assert set(study.distributions) == {"r2_mean_of_models", "r2_of_mean", "r2_of_mean_flat"}
    for measure, found in study.distributions.items():
        assert [mark.share_below for mark in found.marks] == [0, 1]
        assert found.mean == pytest.approx(np.mean([getattr(d, measure) for d in study.draws]))


def test_what_is_no_study_is_refused(tmp_path: Path, place: Workplace) -> None:
    with pytest.raises(ResultError, match="There is no study"):
        read_published_split(tmp_path)
    (tmp_path / "study.json").write_text('{"study": "transfer"}')
    with pytest.raises(ResultError, match="not a study of kind 'published-split'"):
        read_published_split(tmp_path)
    (tmp_path / "studies").write_text("a file")
    with pytest.raises(ResultError, match="--out"):
        published_split(plan(), place, [0])
