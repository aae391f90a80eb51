"""A model applied elsewhere: what is predicted, and what is left out because the model knows it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pianobench.corpus import load_corpus
from pianobench.errors import DataError, UsageError
from pianobench.run import Workplace, encode_plan
from pianobench.stored_features import StoredFeatures
from pianobench.studies.applied import (
    Application,
    fit_and_apply,
    record_of,
    subset,
    write_applied,
)

Ask = Callable[..., Application]
Add = Callable[[str, bytes], None]


def test_predictions_are_those_of_the_head_fitted_by_hand_to_all_of_the_training_data(
    asked: Ask, at: Workplace, tmp_path: Path
) -> None:
    applied = fit_and_apply(asked(), at)
    plan = asked().plan
    training = load_corpus(plan.dataset, at.data_root, at.cache)
    corpus = load_corpus(asked().dataset, at.data_root, at.cache)
    x, new = (_vectors(plan, of, at) for of in (training, corpus))
    weight = training.raters / training.raters.mean()
    head = plan.head.fit(x, training.targets, training.group("passage"), 0, weight)
    np.testing.assert_allclose(applied.predicted, head.predict(new), atol=1e-12)
    assert applied.corpus.ids == corpus.ids
    write_applied(tmp_path / "p.csv", applied)
    with (tmp_path / "p.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["clip"] for row in table] == list(corpus.ids)
    tempo = [float(row["tempo"]) for row in table]
    np.testing.assert_allclose(tempo, applied.predicted[:, 5], atol=5e-7)


def _vectors(plan, corpus, at) -> np.ndarray:
    _, features = encode_plan(plan, corpus, at)
    assert isinstance(features, StoredFeatures)
    return np.asarray(features.read())


def test_a_take_that_the_training_data_hold_is_left_out_under_any_name(
    asked: Ask, at: Workplace, list_also: Add
) -> None:
    demo = load_corpus(asked().plan.dataset, None, at.cache)
    assert demo.clips[0].midi is not None
    list_also("Nobody09", demo.clips[0].midi.read_bytes())
    applied = fit_and_apply(asked(), at)
    record = record_of(asked(), applied)
    assert "Bach/Prelude/Nobody09" not in applied.corpus.ids
    assert record.known == ["Bach/Prelude/Nobody09"]
    assert record.left_out == {"the training data hold the take": ["Bach/Prelude/Nobody09"]}
    assert record.sentences() == [
        "Clips that are takes that demo holds as well, note for note, left out: 1 "
        "(Bach/Prelude/Nobody09)."
    ]
    kept = fit_and_apply(asked(keep_known=True), at)
    assert "Bach/Prelude/Nobody09" in kept.corpus.ids
    said = record_of(asked(keep_known=True), kept).sentences()
    assert said[0].startswith("Clips that are takes that demo holds as well, note for note, kept")


def test_one_performance_under_two_names_is_named_and_left_out_only_when_asked(
    asked: Ask, at: Workplace, list_also: Add
) -> None:
    assert at.data_root is not None
    twice = at.data_root / "asap" / "Bach" / "Prelude" / "LEE_K03.mid"
    list_also("Zoe03", twice.read_bytes())
    applied = fit_and_apply(asked(), at)
    assert applied.repeated == ("Bach/Prelude/Zoe03",)
    assert len(applied.corpus.clips) == 18
    skipped = fit_and_apply(asked(skip_repeated=True), at)
    assert len(skipped.corpus.clips) == len(skipped.predicted) == 17
    record = record_of(asked(skip_repeated=True), skipped)
    assert record.left_out == {"the performance is that of another clip": ["Bach/Prelude/Zoe03"]}
    assert "the same performance as an earlier one, left out: 1" in record.sentences()[0]


def test_what_was_skipped_or_could_not_be_checked_is_said(asked: Ask, at: Workplace) -> None:
    assert at.data_root is not None
    (at.data_root / "asap" / "Chopin" / "Waltz" / "Emil06.mid").unlink()
    with pytest.raises(DataError, match="1 of the 17 entries of asap cannot be used"):
        fit_and_apply(asked(), at)
    asking = asked({"name": "asap", "unusable": "skip"})
    record = record_of(asking, fit_and_apply(asking, at))
    assert record.sentences() == [
        "Entries that are left out because the performance is missing: 1 (Chopin/Waltz/Emil06)."
    ]
    unchecked = record.model_copy(update={"overlap_unchecked": "3 clips of asap have no MIDI"})
    assert unchecked.sentences()[0] == (
        "The overlap of asap with demo could not be checked: 3 clips of asap have no MIDI."
    )


def test_nothing_is_fitted_without_labels(asked: Ask, at: Workplace) -> None:
    other = asked()
    unlabelled = replace(other, plan=replace(other.plan, dataset=other.dataset))
    with pytest.raises(UsageError, match="'asap' has no labels"):
        fit_and_apply(unlabelled, at)


def test_a_part_of_a_corpus_keeps_everything_in_step(corpus) -> None:
    keep = np.arange(len(corpus.clips)) % 5 == 1
    part = subset(corpus, keep)
    assert part.ids == tuple(np.array(corpus.ids)[keep])
    np.testing.assert_array_equal(part.targets, corpus.targets[keep])
    assert part.group("passage").tolist() == corpus.group("passage")[keep].tolist()
    with pytest.raises(DataError, match="None of the 48 clips of 'small' is left"):
        subset(corpus, np.zeros(48, dtype=bool))
