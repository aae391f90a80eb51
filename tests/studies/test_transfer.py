"""From one instrument to another: cells by hand, what an instrument costs, nothing fitted twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import r2_score

from pianobench import Corpus, Head
from pianobench.config import RunConfig
from pianobench.ensemble import Ensemble
from pianobench.errors import ResultError, UsageError
from pianobench.evaluate import evaluate
from pianobench.metrics import pooled_r2
from pianobench.plan import Plan, plan_run
from pianobench.plugins import Registry
from pianobench.run import Workplace
from pianobench.split import make_split
from pianobench.statistics import jackknife_t
from pianobench.store import FeatureStore, Row
from pianobench.stored_features import StoredFeatures
from pianobench.studies import transfer_models
from pianobench.studies.folder import read_study
from pianobench.studies.transfer import Instrument, Transfer, TransferRow, transfer
from pianobench.studies.transfer_models import Models, Predicted, fit_models, training_sets
from pianobench.studies.transfer_scores import DIFFERENCES, GROUPS, score_transfer
from pianobench.studies.transfer_text import draw_transfer, report_transfer, transfer_text

TONES = ["tone:0.2", "tone:0.6", "tone:0.9"]


def plan(**given: object) -> Plan:
    asked = {"dataset": "demo", "encoder": "mel", "renderer": ",".join(TONES), "head": "ridge"}
    return plan_run(RunConfig.parse({**asked, **given}, "test"), Registry())


@pytest.fixture
def heard(corpus: Corpus) -> list[NDArray[np.float64]]:
    """What three instruments make of the clips: the labels, each with a colour of its own."""
    rng = np.random.default_rng(11)
    signal = corpus.targets @ rng.normal(size=(3, 6))
    # All colours lie in a plane, as timbres of pianos do: two instruments show it.
    plane = rng.normal(size=(2, 6))
    colours = rng.normal(size=(3, 2)) @ plane
    loudness = signal @ plane.T / np.square(plane).sum(axis=1) @ plane
    # Where the colour is, an instrument also bends the signal.
    bent = [signal + strength * loudness for strength in (0.0, 0.8, -0.8)]
    noise = 0.02 * rng.normal(size=(3, *signal.shape))
    return [b + c + n for b, c, n in zip(bent, colours, noise, strict=True)]


@pytest.fixture
def models(tmp_path: Path, corpus: Corpus, heard: list[NDArray[np.float64]]) -> Models:
    described = {"encoder": "none"}
    keys = tuple(f"{number}-{clip}" for number in range(3) for clip in corpus.ids)
    rows = [Row(key, [x]) for key, x in zip(keys, np.concatenate(heard), strict=True)]
    FeatureStore(tmp_path / "features", described).write(rows)
    stored = StoredFeatures(tmp_path / "features", described, keys, (0,))
    return Models(plan(), corpus, make_split(corpus, "piece"), stored, tmp_path / "predictions")


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The training set of every model that is fitted."""
    sets: list[tuple[int, ...]] = []
    really: Callable[..., object] = transfer_models.fit_and_predict_each

    def counted(material, member):  # type: ignore[no-untyped-def]
        sets.append(material.ensemble.train)
        return really(material, member)

    monkeypatch.setattr(transfer_models, "fit_and_predict_each", counted)
    return sets


def scored(models: Models, predicted: dict[tuple[int, ...], Predicted]):  # type: ignore[no-untyped-def]
    values = {trained_on: found.values for trained_on, found in predicted.items()}
    return score_transfer(models.corpus.targets, values, models.corpus.group("passage"))


def test_models_are_trained_on_each_alone_on_all_but_each_and_on_all() -> None:
    assert training_sets(2) == [(0,), (1,), (0, 1)]
    assert training_sets(3) == [(0,), (1,), (2,), (1, 2), (0, 2), (0, 1), (0, 1, 2)]


def test_every_cell_is_what_a_run_trained_and_tested_so_scores(models: Models) -> None:
    predicted = fit_models(models, jobs=1)
    scores = scored(models, predicted)
    corpus, x = models.corpus, models.features.read()  # type: ignore[union-attr]
    passages = corpus.group("passage")
    for trained_on in training_sets(3):
        for tested in range(3):
            ensemble = Ensemble(len(corpus.clips), trained_on, (tested,))
            (run,) = evaluate(models.plan.head, x, corpus, [models.split], (0,), ensemble=ensemble)
            cell = scores.cells[trained_on][tested]
            assert cell.value == pytest.approx(r2_score(corpus.targets, run.values[0]), abs=1e-12)
            interval = jackknife_t(corpus.targets, run.values, passages)
            assert (cell.low, cell.high) == pytest.approx((interval.low[0], interval.high[0]))
    ensemble = Ensemble(len(corpus.clips), (0, 1, 2), (0, 1, 2))
    (run,) = evaluate(models.plan.head, x, corpus, [models.split], (0,), ensemble=ensemble)
    assert scores.mean_of_all.value == pytest.approx(r2_score(corpus.targets, run.values[0]))


def test_groups_and_differences_are_those_of_the_cells(models: Models) -> None:
    scores = scored(models, fit_models(models, jobs=1))
    value = {
        (trained_on, tested): cell.value
        for trained_on, cells in scores.cells.items()
        for tested, cell in enumerate(cells)
    }
    expected = {
        "same": [value[(i,), i] for i in range(3)],
        "other": [value[(i,), j] for i in range(3) for j in range(3) if i != j],
        "left out": [value[(1, 2), 0], value[(0, 2), 1], value[(0, 1), 2]],
        "all": [value[(0, 1, 2), j] for j in range(3)],
    }
    assert list(scores.groups) == list(GROUPS) == list(expected)
    for name, group in scores.groups.items():
        assert group.cells == len(expected[name])
        assert group.mean.value == pytest.approx(np.mean(expected[name]), abs=1e-12)
        assert group.sd == pytest.approx(np.std(expected[name], ddof=1))
        assert (group.least, group.most) == (min(expected[name]), max(expected[name]))
    for name, (one, other) in DIFFERENCES.items():
        found = scores.differences[name]
        assert found.value == pytest.approx(np.mean(expected[one]) - np.mean(expected[other]))
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.value < found.high


def test_what_an_instrument_costs_and_training_on_several_regains_is_seen(models: Models) -> None:
    scores = scored(models, fit_models(models, jobs=1))
    groups = {name: group.mean.value for name, group in scores.groups.items()}
    assert groups["same"] > 0.6
    assert groups["other"] < groups["same"] - 0.3
    assert groups["left out"] > groups["other"] + 0.2
    assert groups["all"] > groups["left out"]


def test_the_noise_of_seeds_widens_an_interval(models: Models) -> None:
    trees = Registry().create(Head, "head", "extra-trees", {"n_estimators": 2})
    config = models.plan.config.model_copy(update={"seeds": (0, 1, 2)})
    noisy = replace(models, plan=replace(models.plan, head=trees, config=config))
    found = fit_models(noisy, jobs=1)
    assert found[(0,)].values.shape == (3, 3, *models.corpus.targets.shape)
    cell = scored(noisy, found).cells[(0,)][0]
    targets, values = models.corpus.targets, found[(0,)].values[:, 0]
    plain = jackknife_t(targets, values.mean(axis=0)[None], models.corpus.group("passage"))
    noise = pooled_r2(targets, values).mean(axis=-1).var(ddof=1) / 3
    assert cell.value == pytest.approx(plain.estimate[0])
    assert cell.high is not None
    wider = (cell.high - cell.value) / (plain.high[0] - plain.estimate[0])
    assert wider == pytest.approx(np.sqrt(1 + noise / plain.standard_error[0] ** 2))
    assert wider > 1


def test_too_few_passages_leave_the_numbers_without_intervals(models: Models) -> None:
    predicted = fit_models(models, jobs=1)
    clips = np.isin(models.corpus.group("passage"), ["p0", "p1", "p2"])
    scores = score_transfer(
        models.corpus.targets[clips],
        {trained_on: found.values[:, :, clips] for trained_on, found in predicted.items()},
        models.corpus.group("passage")[clips],
    )
    assert scores.mean_of_all.low is None
    assert np.isfinite(scores.groups["other"].mean.value)
    assert scores.limits[0].startswith("no interval: ")


def test_training_sets_that_are_kept_are_not_fitted_again(
    models: Models, fitted: list[tuple[int, ...]]
) -> None:
    first = fit_models(models, jobs=1)
    folds = len(models.split.folds)
    assert sorted(fitted) == sorted(training_sets(3) * folds)
    first[(1, 2)].path.write_bytes(b"half")
    fitted.clear()
    again = fit_models(models, jobs=1)
    assert fitted == [(1, 2)] * folds
    for trained_on, found in first.items():
        np.testing.assert_array_equal(found.values, again[trained_on].values)


def test_sets_that_were_fitted_are_kept_when_another_fails(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = transfer_models.fit_and_predict_each

    def fails(material, member):  # type: ignore[no-untyped-def]
        if material.ensemble.train == (1,):
            raise UsageError("not this one")
        return really(material, member)

    monkeypatch.setattr(transfer_models, "fit_and_predict_each", fails)
    with pytest.raises(UsageError, match="not this one"):
        fit_models(models, jobs=1)
    assert len(list(models.folder.iterdir())) == len(training_sets(3)) - 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"renderer": "tone"}, "1 are named for training and 1 for testing"),
        ({"encoder": "midi-stats", "renderer": None}, "0 are named for training and 0"),
        ({"test_renderer": "tone:0.2"}, "3 are named for training and 1 for testing"),
    ],
)
def test_a_study_of_one_instrument_is_refused(
    tmp_path: Path, given: dict[str, str], said: str, own_cache: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        transfer(plan(**given), Workplace(tmp_path, own_cache))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def study(models: Models) -> Transfer:
    predicted = fit_models(models, jobs=1)
    scores = scored(models, predicted)
    return Transfer(
        name="transfer-small",
        pianobench="0",
        config=models.plan.config.model_dump(mode="json"),
        dataset="small",
        data_version="1",
        data_digest="",
        protocol="piece",
        split_digest="",
        clips=48,
        seeds=[0],
        instruments=[Instrument(name=name, version="1", card=f"no {name}") for name in TONES],
        rows=[
            TransferRow(
                trained_on=[TONES[number] for number in trained_on],
                r2=dict(zip(TONES, cells, strict=True)),
                cpu_s=0.0,
                predictions=predicted[trained_on].path.name,
            )
            for trained_on, cells in scores.cells.items()
        ],
        mean_of_all=scores.mean_of_all,
        groups=dict(scores.groups),
        differences=dict(scores.differences),
        limits=scores.limits,
        environment={},
    )


def test_the_text_shows_every_cell_in_its_place(study: Transfer) -> None:
    rows = {line.split("  ")[0]: line for line in transfer_text(study).splitlines()}
    by_set = {tuple(row.trained_on): row.r2 for row in study.rows}
    for name in TONES:
        cells = [by_set[(name,)][tested].value for tested in TONES]
        assert rows[name].split()[1:] == [f"{value:.3f}" for value in cells]
    left_out = [
        by_set[tuple(other for other in TONES if other != tested)][tested].value for tested in TONES
    ]
    assert rows["all but it"].split()[3:] == [f"{value:.3f}" for value in left_out]
    for words in (*GROUPS.values(), *DIFFERENCES):
        assert words in rows


def test_the_report_holds_the_matrix_with_intervals_and_the_cards(
    tmp_path: Path, study: Transfer
) -> None:
    pytest.importorskip("matplotlib")
    draw_transfer(tmp_path / "matrix.svg", study)
    report_transfer(tmp_path / "report.html", study, tmp_path / "matrix.svg")
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 1
    for row in study.rows:
        for cell in row.r2.values() if len(row.trained_on) == 1 else ():
            assert f"<td>{cell.value:.3f} [{cell.low:.3f}, {cell.high:.3f}]</td>" in page
    for name in TONES:
        assert f"<td>no {name}</td>" in page
    report_transfer(tmp_path / "plain.html", study, None)
    assert "<svg" not in (tmp_path / "plain.html").read_text()


def test_a_study_that_is_none_is_named(tmp_path: Path, study: Transfer) -> None:
    with pytest.raises(ResultError, match="There is no study at"):
        read_study(tmp_path, Transfer, "transfer")
    path = tmp_path / "study.json"
    path.write_text(study.model_dump_json())
    assert read_study(tmp_path, Transfer, "transfer") == study
    path.write_text('{"study": "fusion"}')
    with pytest.raises(ResultError, match="is not a study of kind 'transfer'"):
        read_study(tmp_path, Transfer, "transfer")
