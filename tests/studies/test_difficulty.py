"""The study of difficulty: labelled or by proxy, with the composer held fixed."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from pianobench.errors import DataError, UsageError
from pianobench.run import Workplace
from pianobench.studies.applied import Application
from pianobench.studies.difficulty import Difficulty, difficulty
from pianobench.studies.difficulty_text import (
    difficulty_text,
    draw_difficulty,
    report_difficulty,
)
from pianobench.written_difficulty import PROXIES, written_difficulty

Ask = Callable[..., Application]


def predicted(folder: Path, dimension: str) -> dict[str, float]:
    with (folder / "predictions.csv").open(newline="") as file:
        return {row["clip"]: float(row[dimension]) for row in csv.DictReader(file)}


@pytest.fixture
def by_proxy(asked: Ask, at: Workplace) -> tuple[Difficulty, Path]:
    return difficulty(asked(), at)


def test_labels_are_correlated_with_predictions_piece_by_piece(
    asked: Ask, at: Workplace, psyllabus_root: Path
) -> None:
    study, folder = difficulty(asked("psyllabus"), replace(at, data_root=psyllabus_root))
    assert (study.proxy, study.pieces, study.composers) == (None, 22, 4)
    values = predicted(folder, "tempo")
    levels = [int(clip.rpartition(" ")[2]) // 2 for clip in values]
    expected = spearmanr(list(values.values()), levels).statistic
    found = study.dimensions["tempo"]
    assert found.rho == pytest.approx(expected, abs=1e-6)
    assert found.low < found.rho < found.high
    assert found.p_value <= found.max_t
    # The invented pieces are faster the harder they are, and demo's tempo runs from fast to slow.
    assert found.rho < -0.8
    assert study.note_rate is not None
    assert study.note_rate.rho > 0.9
    assert found.within_composers is not None
    assert study.of_proxies == {}


def test_takes_of_a_piece_are_averaged_and_the_proxy_is_of_its_score(
    by_proxy: tuple[Difficulty, Path], at: Workplace
) -> None:
    study, folder = by_proxy
    assert (study.proxy, study.pieces, study.composers) == ("written", 8, 3)
    takes = defaultdict(list)
    for clip, value in predicted(folder, "timing").items():
        takes[clip.rpartition("/")[0]].append(value)
    assert at.data_root is not None
    scores = [at.data_root / "asap" / piece / "midi_score.mid" for piece in takes]
    means = [np.mean(values) for values in takes.values()]
    for proxy in PROXIES:
        expected = spearmanr(means, written_difficulty(scores, proxy)).statistic
        assert study.of_proxies["timing"][proxy] == pytest.approx(expected, abs=1e-6)
    assert study.proxies["span"]["span"] == pytest.approx(1)
    assert study.of_proxies["timing"]["written"] == pytest.approx(study.dimensions["timing"].rho)


def test_another_proxy_is_another_study(asked: Ask, at: Workplace, by_proxy) -> None:
    study, folder = difficulty(asked(), at, "note-rate")
    assert study.proxy == "note-rate"
    assert folder != by_proxy[1]
    assert study.note_rate is not None
    assert study.note_rate.rho > 0.9


def test_labels_leave_nothing_to_a_proxy_and_neither_is_refused(
    asked: Ask, at: Workplace, psyllabus_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"'psyllabus' has them. Leave it out"):
        difficulty(asked("psyllabus"), replace(at, data_root=psyllabus_root), "span")
    application = asked()
    load = type(application.dataset).load

    def without_scores(dataset, root):
        corpus = load(dataset, root)
        return replace(corpus, clips=tuple(replace(clip, score_midi=None) for clip in corpus.clips))

    monkeypatch.setattr(type(application.dataset), "load", without_scores)
    with pytest.raises(DataError, match="neither labels of difficulty nor scores for 17 of its 17"):
        difficulty(application, at)


def test_the_report_says_what_stands_in_for_difficulty(
    by_proxy: tuple[Difficulty, Path],
) -> None:
    pytest.importorskip("matplotlib")
    study, folder = by_proxy
    draw_difficulty(folder / "rho.svg", study)
    report_difficulty(folder, study)
    page = (folder / "report.html").read_text()
    assert page.count("<svg") == 1
    assert "None measures difficulty" in page
    assert all(f">{proxy}<" in page for proxy in PROXIES)
    said = difficulty_text(study)
    assert said.startswith("midi-stats, ridge, fitted on demo, against the proxy 'written' of 8")
    assert "note rate" in said
    held = [a for a in study.dimensions.values() if a.max_t <= 0.05]
    within = [a for a in held if a.within_max_t is not None and a.within_max_t <= 0.05]
    assert f"with the composer held fixed, {len(within)} of these do." in said
    nothing = {f"within_{name}": None for name in ("composers", "low", "high", "max_t")}
    unknown = {name: found.model_copy(update=nothing) for name, found in study.dimensions.items()}
    overall = study.overall.model_copy(update=nothing)
    other = study.model_copy(update={"dimensions": unknown, "overall": overall})
    assert other.composers == 3
    said = difficulty_text(other)
    assert "with the composer held fixed, how many of these do is not known." in said
