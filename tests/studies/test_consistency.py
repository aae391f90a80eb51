"""The study of consistency: numbers by hand, and what they are said to be worth."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pianobench.corpus import load_corpus
from pianobench.errors import DataError
from pianobench.run import Workplace
from pianobench.studies.applied import Application
from pianobench.studies.consistency import Consistency, Estimated, consistency
from pianobench.studies.consistency_text import (
    consistency_text,
    draw_consistency,
    report_consistency,
)

Ask = Callable[..., Application]


@pytest.fixture
def done(asked: Ask, at: Workplace) -> tuple[Consistency, Path]:
    return consistency(asked(), at)


def test_the_spread_is_that_of_the_stored_predictions_and_the_labels(
    done: tuple[Consistency, Path], asked: Ask, at: Workplace
) -> None:
    study, folder = done
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    pieces = {row["clip"].rpartition("/")[0]: [] for row in rows}
    for row in rows:
        pieces[row["clip"].rpartition("/")[0]].append(float(row["loudness"]))
    several = [values for values in pieces.values() if len(values) > 1]
    freedom = sum(len(values) - 1 for values in several)
    within = sum(np.var(values) * len(values) for values in several) / freedom
    assert study.spread["loudness"].within_sd.value == pytest.approx(np.sqrt(within), abs=1e-6)
    assert study.mean_sd["loudness"] == pytest.approx(
        np.mean([np.std(v) for v in several]), abs=1e-6
    )
    assert (study.pieces, study.single_takes) == (8, ["Chopin: Waltz"])
    demo = load_corpus(asked().plan.dataset, None, at.cache)
    labels = demo.targets[demo.human, 3].reshape(20, 5)
    assert study.label_spread["loudness"].within_sd.value == pytest.approx(
        np.sqrt(labels.var(axis=1, ddof=1).mean())
    )
    # The labels of demo are means of six answers that err by 0.1 and are rounded to sevenths.
    noise = (0.1**2 + (1 / 7) ** 2 / 12) / 6
    assert study.label_within_sd("loudness") ** 2 == pytest.approx(
        labels.var(axis=1, ddof=1).mean() - noise, rel=0.15
    )
    assert json.loads((folder / "study.json").read_text()) == study.model_dump(mode="json")


def test_a_model_that_hears_the_playing_follows_it_and_the_mean_is_blind(
    done: tuple[Consistency, Path], asked: Ask, at: Workplace
) -> None:
    study, _ = done
    follows = study.follows["loudness"]
    assert follows.value is not None
    assert 0.7 < follows.value < 1.2
    assert study.reading("loudness") == "follows"
    zero = Estimated(value=0.01, low=-0.1, high=0.12)
    nothing = Estimated(value=None, low=None, high=None)
    other = study.model_copy(
        update={"follows": {**study.follows, "tempo": zero, "timing": nothing}}
    )
    assert other.reading("tempo") == "may be blind"
    assert other.reading("timing") == "labels cannot tell"
    said = consistency_text(other)
    assert "in 4 of 6 dimensions" in said.lower()
    assert "uncorrected for the number of dimensions" in said
    assert "it may be blind to the player in tempo; labels differ by no more than noise" in said


def test_pieces_of_few_takes_are_left_out_when_asked(
    asked: Ask, at: Workplace, list_also: Callable[..., None]
) -> None:
    assert at.data_root is not None
    take = (at.data_root / "asap/Liszt/Lied/Emil08.mid").read_bytes()
    for title in ("Prelude", "Fugue_2", "Ballade"):
        list_also("Zoe", take, title)
    study, folder = consistency(asked(), at, min_takes=2)
    assert study.pieces == 7
    assert not study.single_takes_kept
    assert "1 pieces have one take and are left out" in consistency_text(study)
    assert "on 19 performances of 7 pieces" in consistency_text(study)
    fewer, other = consistency(asked(), at, min_takes=3)
    assert other != folder
    assert (fewer.performances, fewer.pieces) == (15, 5)
    with (other / "predictions.csv").open(newline="") as file:
        takes = [
            (row["clip"].rpartition("/")[0], float(row["tempo"])) for row in csv.DictReader(file)
        ]
    pieces = {name: [value for of, value in takes if of == name] for name, _ in takes}
    spreads = [np.std(values) for values in pieces.values() if len(values) >= 3]
    assert fewer.mean_sd["tempo"] == pytest.approx(np.mean(spreads), abs=1e-6)
    assert fewer.mean_sd["tempo"] != pytest.approx(study.mean_sd["tempo"], abs=1e-4)
    with pytest.raises(DataError, match="has 4 takes or more; the most are 3"):
        consistency(asked(), at, min_takes=4)


def test_the_report_opens_without_anything_beside_it(done: tuple[Consistency, Path]) -> None:
    pytest.importorskip("matplotlib")
    study, folder = done
    draw_consistency(folder / "spread.svg", study)
    report_consistency(folder, study)
    page = (folder / "report.html").read_text()
    assert "midi-stats, ridge, fitted on demo, on 17 performances of 8 pieces of asap" in page
    assert page.count("<svg") == 1
    assert "<td>loudness</td>" in page


def test_the_same_study_has_the_same_name_and_other_data_another(
    done: tuple[Consistency, Path], asked: Ask, at: Workplace, list_also: Callable[..., None]
) -> None:
    study, folder = done
    assert folder.name.startswith("consistency-asap-midi-stats-ridge-")
    again, _ = consistency(asked(), replace(at, results=at.results.parent / "again"))
    unlike = {"applied", "environment"}
    assert again.model_dump(exclude=unlike) == study.model_dump(exclude=unlike)
    assert at.data_root is not None
    list_also("Zoe03", (at.data_root / "asap/Liszt/Lied/Emil08.mid").read_bytes())
    assert consistency(asked(), at)[1] != folder
