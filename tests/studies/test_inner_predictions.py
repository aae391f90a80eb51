"""Models fitted inside training parts: by hand, stored as they come, and what is noted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from pianobench.array_files import read_arrays
from pianobench.config import RunConfig
from pianobench.corpus import load_corpus
from pianobench.errors import TrainingError
from pianobench.evaluate import evaluate
from pianobench.inner_folds import inner_splits
from pianobench.plan import Plan, plan_run
from pianobench.plugins import Registry
from pianobench.result import read_result
from pianobench.run import (
    Workplace,
    component_records,
    encode,
    encode_plan,
    ensemble_of,
    features_of,
    render,
)
from pianobench.split import load_split
from pianobench.stored_features import StoredFeatures
from pianobench.studies import inner_predictions as module
from pianobench.studies.inner_predictions import Base, InnerPredictions, predict_inside
from pianobench.values import Corpus, Split

# An encoder that hears quickly.
SPECTRA = """
import numpy as np
from pianobench import AudioEncoder, hookimpl

class Spectra(AudioEncoder):
    name, sample_rate, backend, chunk_s = "spectra", 2000, "numpy", None

    def load(self, device):
        def spectra(waveforms):
            whole = waveforms[:, : waveforms.shape[1] // 100 * 100]
            frames = whole.reshape(len(whole), -1, 100)
            return [np.log1p(np.abs(np.fft.rfft(frames))).astype(np.float32)]
        return spectra

@hookimpl
def bench_components():
    return [Spectra]
"""


class Ground(NamedTuple):
    bases: list[Base]
    corpus: Corpus
    split: Split


@pytest.fixture
def ground(results: list[Path], place: Workplace) -> Ground:
    stored = [read_result(path) for path in results]
    bases = [Base(result, plan_run(result.config, Registry())) for result in stored]
    corpus = load_corpus(bases[0].plan.dataset, None, place.cache)
    return Ground(bases, corpus, load_split(corpus, "piece", bases[0].plan.dataset))


def predict(ground: Ground, place: Workplace, folds: int = 3) -> list[InnerPredictions]:
    inner = inner_splits(ground.corpus, ground.split, folds)
    return predict_inside(ground.bases, ground.corpus, ground.split, inner, place)


def files(place: Workplace) -> list[Path]:
    return sorted((place.cache / "inner").rglob("*.safetensors"))


def vectors_of(plan: Plan, corpus: Corpus, place: Workplace) -> StoredFeatures:
    _, features = encode_plan(plan, corpus, place)
    assert isinstance(features, StoredFeatures)
    return features


def test_predictions_are_those_of_models_that_a_run_would_fit(
    ground: Ground, place: Workplace
) -> None:
    found = predict(ground, place, folds=4)
    inner = list(inner_splits(ground.corpus, ground.split, 4).values())
    for base, predictions in zip(ground.bases, found, strict=True):
        features = vectors_of(base.plan, ground.corpus, place)
        expected = evaluate(base.plan.head, features, ground.corpus, inner, (0,))
        assert predictions.models == 16
        for fold, by_hand in zip(ground.split.folds, expected, strict=True):
            values = predictions.values[fold.name]
            np.testing.assert_array_equal(values, by_hand.values[0, fold.train])
            # Nothing is known of the fold outside.
            assert not np.isfinite(by_hand.values[0, fold.test]).any()


def test_several_seeds_are_averaged(ground: Ground, place: Workplace) -> None:
    head = {"name": "mlp", "options": {"hidden": 4, "epochs": 2}}
    given = ground.bases[0].result.config.model_dump(exclude={"head", "seeds"})
    plan = plan_run(RunConfig.parse({**given, "head": head, "seeds": [3, 5]}, "test"), Registry())
    base = Base(ground.bases[0].result, plan)
    (found,) = predict(ground._replace(bases=[base]), place, folds=2)
    inner = list(inner_splits(ground.corpus, ground.split, 2).values())
    features = vectors_of(plan, ground.corpus, place)
    expected = evaluate(plan.head, features, ground.corpus, inner, (3, 5))
    for fold, by_hand in zip(ground.split.folds, expected, strict=True):
        mean = by_hand.values.mean(axis=0)[fold.train]
        assert found.values[fold.name] == pytest.approx(mean, abs=1e-12)
    assert found.models == 16


def test_models_that_are_stored_are_not_fitted_again(
    ground: Ground, place: Workplace, fitted: list[Any]
) -> None:
    first = predict(ground, place)
    assert len(fitted) == len(files(place)) == 24
    again = predict(ground, place)
    assert len(fitted) == 24
    assert [found.cpu_s for found in again] == [found.cpu_s for found in first]
    # Half a file is as good as none; another number of inner folds is other models.
    broken = files(place)[0]
    broken.write_bytes(b"half")
    predict(ground, place)
    assert len(fitted) == 25
    assert read_arrays(broken) is not None
    predict(ground, place, folds=2)
    assert len(fitted) == 25 + 16


def test_what_was_fitted_before_a_failure_is_kept(
    ground: Ground, place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, calls = module.fit_and_predict, []

    def failing(material: Any, member: Any) -> Any:
        calls.append(member)
        if len(calls) == 7:
            raise TrainingError("the loss diverged")
        return really(material, member)

    monkeypatch.setattr(module, "fit_and_predict", failing)
    with pytest.raises(TrainingError, match="diverged"):
        predict(ground, place)
    assert len(files(place)) == 23
    calls.clear()

    def killed(material: Any, member: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "fit_and_predict", killed)
    with pytest.raises(KeyboardInterrupt):
        predict(ground, place)
    assert len(files(place)) == 23
    monkeypatch.setattr(module, "fit_and_predict", failing)
    predict(ground, place)
    assert len(calls) == 1


def test_an_encoder_that_has_changed_is_noted(ground: Ground, place: Workplace) -> None:
    assert [found.limits for found in predict(ground, place)] == [(), ()]
    stored = json.loads(ground.bases[0].result.model_dump_json())
    stored["components"]["encoder"]["facts"]["fingerprint"] = "old"
    changed = Base(type(ground.bases[0].result).model_validate(stored), ground.bases[0].plan)
    found = predict(ground._replace(bases=[changed, ground.bases[1]]), place)
    assert found[0].limits[0].startswith("fingerprint of the encoder is ")
    assert f"and 'old' in {changed.result.name}" in found[0].limits[0]
    assert found[1].limits == ()


def test_several_renders_are_fitted_together_and_averaged(
    ground: Ground, place: Workplace, tmp_path: Path
) -> None:
    (tmp_path / "spectra.py").write_text(SPECTRA)
    given = ground.bases[0].result.config.model_dump(exclude={"encoder", "head", "layers"})
    several = {"encoder": "spectra", "head": "ridge", "renderer": ["tone", "tone:0.2"]}
    registry = Registry((tmp_path / "spectra.py",))
    plan = plan_run(RunConfig.parse({**given, **several}, "test"), registry)
    heard = plan.by_renderer()
    encoded = [encode(p, ground.corpus, render(p, ground.corpus, place), place) for p in heard]
    components = component_records(plan, encoded[0])
    base = Base(ground.bases[0].result.model_copy(update={"components": components}), plan)
    (found,) = predict(ground._replace(bases=[base]), place, folds=2)
    assert found.limits == ()
    inner = list(inner_splits(ground.corpus, ground.split, 2).values())
    ensemble = ensemble_of(plan, ground.corpus)
    features = features_of(plan, *encoded)
    expected = evaluate(plan.head, features, ground.corpus, inner, (0,), ensemble=ensemble)
    for fold, by_hand in zip(ground.split.folds, expected, strict=True):
        np.testing.assert_array_equal(found.values[fold.name], by_hand.values[0, fold.train])


def test_a_device_serves_only_encoders_that_can_use_it(ground: Ground, place: Workplace) -> None:
    on_device = Workplace(place.results, place.cache, device="cuda", jobs=1)
    assert len(predict(ground, on_device)) == 2


def test_models_are_fitted_again_for_other_weights_or_another_version_of_a_plugin(
    ground: Ground, place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(ground, place)
    stored = len(files(place))
    base = ground.bases[0]
    upgraded = replace(base.plan, origins={**base.plan.origins, "head": "elsewhere 2.0"})
    one = ground._replace(bases=[Base(base.result, upgraded)])
    predict(one, place)
    of_one = len(files(place)) - stored
    assert of_one == stored / len(ground.bases)
    encode_now = module.encode
    monkeypatch.setattr(
        module, "encode", lambda *given: replace(encode_now(*given), namespace="other weights")
    )
    predict(one, place)
    assert len(files(place)) == stored + 2 * of_one
