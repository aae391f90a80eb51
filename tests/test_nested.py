"""The nested choice: made inside training parts, scored outside, and kept with what it rests on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import r2_score

from pianobench import Corpus
from pianobench.config import RunConfig
from pianobench.evaluate import OutOfFold
from pianobench.inner_folds import inner_splits
from pianobench.nested import InnerPlace, choose
from pianobench.predictions import Predictions, read_predictions, write_predictions
from pianobench.split import make_split

Floats = NDArray[np.float64]
CELLS = [
    RunConfig.parse({"dataset": "small", "encoder": name, "protocols": ["piece"]}, "test")
    for name in ("a", "b", "c")
]


@pytest.fixture
def place(tmp_path: Path, corpus: Corpus) -> InnerPlace:
    divided = inner_splits(corpus, make_split(corpus, "piece"))
    return InnerPlace(tmp_path / "results", corpus, "piece", divided)


def noisy(corpus: Corpus, size: float, seed: int) -> Floats:
    noise = np.random.default_rng(seed).normal(size=corpus.targets.shape)
    return np.asarray(corpus.targets + size * noise).round(6)


def inside(place: InnerPlace, values: dict[str, Floats]) -> list[OutOfFold]:
    found = []
    for fold, split in place.splits.items():
        folds = np.full(len(place.corpus.clips), "", dtype=object)
        for part in split.folds:
            folds[part.test] = part.name
        found.append(OutOfFold((0,), values[fold][None], folds.astype(np.str_), ()))
    return found


def outside(corpus: Corpus, values: Floats, path: Path) -> Predictions:
    split = make_split(corpus, "piece")
    folds = np.full(len(corpus.clips), "", dtype=object)
    for fold in split.folds:
        folds[fold.test] = fold.name
    write_predictions(path, corpus, OutOfFold((0,), values[None], folds.astype(np.str_), ()))
    return read_predictions(path, corpus)


@pytest.fixture
def sizes(place: InnerPlace) -> list[dict[str, float]]:
    """Error of each cell inside each fold: b wins in fold 1, a in the others, c never."""
    return [
        {fold: {"a": 0.05, "b": 0.02 if fold == "1" else 0.09, "c": 0.1}[cell] for fold in "1234"}
        for cell in "abc"
    ]


def test_every_fold_is_scored_by_the_cell_that_its_training_part_chose(
    place: InnerPlace, corpus: Corpus, sizes: list[dict[str, float]], tmp_path: Path
) -> None:
    insides = [
        {fold: noisy(corpus, size, 10 * i + int(fold)) for fold, size in of.items()}
        for i, of in enumerate(sizes)
    ]
    for config, values in zip(CELLS, insides, strict=True):
        place.write(config, inside(place, values))
    # Outside, c is the best: a table would name it, and the choice must not know.
    outer = [noisy(corpus, size, 100 + i) for i, size in enumerate((0.06, 0.08, 0.01))]
    predictions = [outside(corpus, v, tmp_path / f"{i}.csv") for i, v in enumerate(outer)]
    found = choose(place, CELLS, predictions, tmp_path)

    names = [fold.result.split("-")[1] for fold in found.folds]
    assert names == ["b", "a", "a", "a"]
    expected = outer[0].copy()
    split = make_split(corpus, "piece")
    expected[split.folds[0].test] = outer[1][split.folds[0].test]
    assert found.r2 == pytest.approx(r2_score(corpus.targets, expected), abs=1e-12)
    assert found.best.split("-")[1] == "c"
    assert found.best_r2 == pytest.approx(r2_score(corpus.targets, outer[2]), abs=1e-12)
    assert found.optimism == pytest.approx(found.best_r2 - found.r2)
    for fold in found.folds:
        train = next(f.train for f in split.folds if f.name == fold.fold)
        inner = insides[1][fold.fold]
        of_b = next(value for name, value in fold.inner_r2.items() if "-b-" in name)
        assert of_b == pytest.approx(r2_score(corpus.targets[train], inner[train]), abs=1e-12)
    written = read_predictions(tmp_path / "predictions-nested-piece.csv", corpus)
    np.testing.assert_array_equal(written.mean, expected)


def test_equal_cells_are_chosen_in_the_order_of_the_grid(
    place: InnerPlace, corpus: Corpus, tmp_path: Path
) -> None:
    same = dict.fromkeys("1234", noisy(corpus, 0.05, 1))
    for config in CELLS:
        place.write(config, inside(place, same))
    one = outside(corpus, noisy(corpus, 0.05, 2), tmp_path / "one.csv")
    found = choose(place, CELLS, [one] * 3, tmp_path)
    assert {fold.result for fold in found.folds} == {found.best}
    assert found.optimism == pytest.approx(0, abs=1e-12)


def test_what_is_kept_is_of_this_configuration_and_unchanged(
    place: InnerPlace, corpus: Corpus
) -> None:
    assert not place.holds(CELLS[0])
    place.write(CELLS[0], inside(place, dict.fromkeys("1234", corpus.targets)))
    assert place.holds(CELLS[0])
    assert not place.holds(CELLS[1])
    other = inner_splits(corpus, make_split(corpus, "excerpt"))
    moved = InnerPlace(place.results, corpus, "piece", {**place.splits, "1": other["2"]})
    assert not moved.holds(CELLS[0])
    (path,) = place.results.rglob("predictions-piece-2.csv")
    path.write_text(path.read_text().replace("0.5", "0.4"))
    assert not place.holds(CELLS[0])
