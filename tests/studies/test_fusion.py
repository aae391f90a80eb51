"""The study of fusion: the leak it is built against, its numbers by hand, what it refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import r2_score

from pianobench.compare import compare
from pianobench.contenders import read_contenders
from pianobench.errors import CheckpointAbsentError, ResultError, TrainingError, UsageError
from pianobench.metrics import pooled_r2
from pianobench.plugins import Registry
from pianobench.predictions import read_predictions
from pianobench.run import Workplace
from pianobench.studies.fusion import fuse, fusion
from pianobench.studies.fusion_record import Fusion
from pianobench.studies.fusion_rules import FUSIONS, StackedRule
from pianobench.values import Fold, Split


def parts_of(units: np.ndarray, folds: int) -> list[np.ndarray]:
    return [np.flatnonzero(units % folds == fold) for fold in range(folds)]


def ridge(x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Ridge with an intercept; without features the mean of the training labels."""
    centre, mean = x[train].mean(axis=0), y[train].mean(axis=0)
    rows = x[train] - centre
    weights = np.linalg.solve(rows.T @ rows + np.eye(x.shape[1]), rows.T @ (y[train] - mean))
    return mean + (x[test] - centre) @ weights


class Noise:
    """Labels of passages that have nothing to do with the features, and models of them."""

    def __init__(self, seed: int, passages: int, widths: tuple[int, ...]) -> None:
        rng = np.random.default_rng(seed)
        clips = 4 * passages
        self.passage = np.repeat(np.arange(passages), 4)
        self.y = rng.normal(size=(clips, 2)) + rng.normal(size=(passages, 2))[self.passage]
        features = [rng.normal(size=(clips, width)) for width in widths]
        everything = np.arange(clips)
        folds = tuple(
            Fold(str(i), np.setdiff1d(everything, test), test)
            for i, test in enumerate(parts_of(self.passage, 4))
        )
        self.split = Split("piece", ("passage",), folds, "")
        self.outside = np.zeros((len(widths), *self.y.shape))
        self.inside: dict[str, np.ndarray] = {}
        for fold in folds:
            for model, x in enumerate(features):
                self.outside[model, fold.test] = ridge(x, self.y, fold.train, fold.test)
            found = np.zeros((len(widths), len(fold.train), 2))
            units = np.unique(self.passage[fold.train], return_inverse=True)[1]
            for test in parts_of(units, 3):
                rest = np.setdiff1d(np.arange(len(fold.train)), test)
                for model, x in enumerate(features):
                    found[model, test] = ridge(x, self.y, fold.train[rest], fold.train[test])
            self.inside[fold.name] = found

    @property
    def leaking(self) -> dict[str, np.ndarray]:
        return {fold.name: self.outside[:, fold.train] for fold in self.split.folds}


def least_squares(predictions: np.ndarray, targets: np.ndarray, groups: np.ndarray) -> StackedRule:
    design = np.hstack([np.ones((len(targets), 1)), *predictions])
    found = np.linalg.lstsq(design, targets)[0]
    return StackedRule(found[1:], found[0], {})


def test_stored_predictions_of_other_folds_give_away_the_labels_of_a_fold() -> None:
    noise = Noise(seed=0, passages=12, widths=(0,))
    single = slice(0, 1)
    y, folds = noise.y[:, single], noise.split.folds

    def fused(inside: dict[str, np.ndarray]) -> np.ndarray:
        one = {name: values[:, :, single] for name, values in inside.items()}
        outside = noise.outside[:, :, single]
        return fuse(least_squares, noise.split, outside, one, y, noise.passage).values

    leaky, honest = fused(noise.leaking), fused(noise.inside)
    for fold in folds:
        assert leaky[fold.test] == pytest.approx(np.full((12, 1), y[fold.test].mean()))
        assert honest[fold.test] == pytest.approx(np.full((12, 1), y[fold.train].mean()))
    assert pooled_r2(y, leaky)[0] > 0 > pooled_r2(y, honest)[0]


def test_on_noise_the_leaky_stack_is_optimistic_and_the_study_s_is_not() -> None:
    r2 = []
    for seed in range(16):
        noise = Noise(seed, passages=24, widths=(2, 2))
        r2.append(
            [
                pooled_r2(
                    noise.y,
                    fuse(
                        FUSIONS["stacked"],
                        noise.split,
                        noise.outside,
                        inside,
                        noise.y,
                        noise.passage,
                    ).values,
                ).mean()
                for inside in (noise.inside, noise.leaking)
            ]
        )
    honest, leaky = np.array(r2).T
    optimism = leaky - honest
    assert optimism.mean() > 3 * optimism.std(ddof=1) / 4
    assert honest.max() < 0 < leaky.max()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the gate out, which is trained for seconds."""
    ways = {name: learn for name, learn in FUSIONS.items() if name != "gated"}
    monkeypatch.setattr("pianobench.studies.fusion.FUSIONS", ways)


def study(results: list[Path], place: Workplace, **options: Any) -> tuple[Fusion, Path]:
    protocol = options.pop("protocol", "piece")
    return fusion(results, protocol, Registry(), place, **options)


@pytest.mark.slow
def test_the_study_s_numbers_are_those_of_its_files(
    results: list[Path], place: Workplace, fitted: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr("pianobench.studies.fusion_gate._SEEDS", (0,))
    found, folder = study(results, place)
    assert json.loads((folder / "study.json").read_text()) == found.model_dump(mode="json")
    assert [fused.name for fused in found.fusions] == list(FUSIONS)
    given = read_contenders(results, "piece", Registry())
    alone = pooled_r2(given.targets, given.predictions)
    best = int(alone.mean(axis=1).argmax())
    assert found.best == given.names[best]
    assert [base.inner_models for base in found.bases] == [12, 12]
    assert len(fitted) == 24
    for fused in found.fusions:
        values = read_predictions(folder / fused.predictions, given.corpus).mean
        assert fused.r2 == pytest.approx(r2_score(given.targets, values))
        pair = replace(
            given,
            names=("fused", "best"),
            by_seed=(values[None], given.predictions[best][None]),
        )
        (expected,) = compare(pair).pairs
        assert fused.gain.difference == pytest.approx(expected.overall.difference)
        for scope in ("scope_c", "scope_g"):
            mine, theirs = getattr(fused.gain, scope), getattr(expected.overall, scope)
            assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high))
            assert mine.p_value == pytest.approx(theirs.p_value)
            assert mine.p_adjusted >= theirs.p_adjusted
        names = [dimension.name for dimension in given.corpus.dimensions]
        assert [gain.name for gain in fused.gains] == names
    mean = read_predictions(folder / found.fusions[0].predictions, given.corpus).mean
    assert mean == pytest.approx(given.predictions.mean(axis=0), abs=1e-6)
    (pair_of_bases,) = compare(given).pairs
    assert found.correlations[0].errors == pair_of_bases.error_correlation
    assert found.bound == pytest.approx(pair_of_bases.fusion_bound)
    assert found.fusions[0].r2 < found.bound < found.bound_across
    rows = np.hstack([np.ones((len(given.clips), 1)), *given.predictions])
    everything = rows @ np.linalg.lstsq(rows, given.targets)[0]
    assert found.bound_across == pytest.approx(r2_score(given.targets, everything))


def test_a_protocol_without_intervals_is_fused_and_not_tested(
    results: list[Path], place: Workplace, quick: None
) -> None:
    found, _ = study(results, place, protocol="work")
    assert all(fused.gain.scope_c is fused.gain.scope_g is None for fused in found.fusions)
    assert any("are not tested" in limit for limit in found.limits)


def test_a_fusion_that_cannot_be_learned_is_left_out_with_the_reason(
    results: list[Path], place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise TrainingError("no labels vary")

    ways = {"mean": FUSIONS["mean"], "gated": refuse}
    monkeypatch.setattr("pianobench.studies.fusion.FUSIONS", ways)
    found, _ = study(results, place)
    assert [fused.name for fused in found.fusions] == ["mean"]
    assert "gated: no labels vary" in found.limits


def test_results_that_cannot_be_fused_are_refused_before_anything_is_fitted(
    results: list[Path], place: Workplace, tmp_path: Path, fitted: list[Any]
) -> None:
    with pytest.raises(UsageError, match="1 result given: a fusion needs at least two"):
        study(results[:1], place)
    with pytest.raises(UsageError, match="are the same result"):
        study([results[0], results[0] / "result.json"], place)
    with pytest.raises(ResultError, match=r"no predictions of the protocol 'unseen'.*--protocol"):
        study(results, place, protocol="unseen")

    def altered(name: str, *keys: str, value: Any) -> Path:
        folder = tmp_path / name
        shutil.copytree(results[1], folder)
        stored = json.loads((folder / "result.json").read_text())
        part = stored
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = value
        (folder / "result.json").write_text(json.dumps(stored))
        return folder

    with pytest.raises(ResultError, match="are results on different data: version '1'"):
        study([results[0], altered("data", "data", "digest", value="0" * 64)], place)
    other_folds = altered("folds", "protocols", "piece", "split_digest", value="0" * 64)
    with pytest.raises(ResultError, match="was scored on other folds of 'piece'"):
        study([results[0], other_folds], place)
    peeked = altered("peeked", "config", "selection", value="test-fold")
    with pytest.raises(UsageError, match=r"peeked stopped training on the fold that is scored"):
        study([results[0], peeked], place)
    evil = {"name": "xares", "options": {"file": "evil.py"}}
    code = altered("code", "config", "encoder", value=evil)
    with pytest.raises(UsageError, match=r"code runs the code 'evil.py'.*--encoder xares:evil.py"):
        study([results[0], code], place)
    with pytest.raises(CheckpointAbsentError, match=r"There is no file 'evil.py'"):
        fusion([results[0], code], "piece", Registry(), place, 3, ["xares:evil.py"])
    assert not fitted
