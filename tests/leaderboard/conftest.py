"""A leaderboard of two results on the demo corpus, made once; tests damage copies of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pianobench import Corpus, Dataset
from pianobench.config import Choice, RunConfig
from pianobench.corpus import load_corpus
from pianobench.leaderboard import write_labels, write_leaderboard
from pianobench.leaderboard.check import Checked, check_leaderboard
from pianobench.places import cache_at
from pianobench.plan import plan_run
from pianobench.plugins import Registry
from pianobench.run import Workplace, run


class Published(NamedTuple):
    folder: Path
    dataset: Dataset
    corpus: Corpus


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    place = tmp_path_factory.mktemp("published")
    registry = Registry()
    folder = place / "leaderboard"
    with cache_at(place / "cache"):
        for head in ("ridge", "mean"):
            given = {"dataset": "demo", "encoder": "midi-stats", "head": head}
            config = RunConfig.parse({**given, "protocols": ["piece", "work"]}, "test")
            plan = plan_run(config, registry)
            run(plan, registry, Workplace(folder / "results", place / "cache", jobs=1))
        corpus = load_corpus(plan.dataset)
    write_labels(folder, corpus, plan.dataset.licence, plan.dataset.citation)
    reported = {
        "dataset": "demo",
        "row": "Somebody's model",
        "r2": 0.6,
        "low": 0.5,
        "high": 0.7,
        "source": "a paper",
        "caveat": "leaky folds",
    }
    (folder / "reported.json").write_text(json.dumps([reported]))
    write_leaderboard(folder, jobs=1)
    return Published(folder, plan.dataset, corpus)


@pytest.fixture
def folder(published: Published, tmp_path: Path) -> Path:
    """A copy of the leaderboard, to be damaged."""
    return Path(shutil.copytree(published.folder, tmp_path / "leaderboard"))


@pytest.fixture
def row(folder: Path) -> Path:
    """The folder of a row."""
    (found,) = folder.glob("results/*-ridge-*")
    return found


@pytest.fixture
def check(published: Published, folder: Path) -> Callable[..., Checked]:
    """Check the copy, against the demo corpus or another dataset."""

    def checked(dataset: Dataset | None = None, corpus: Corpus | None = None) -> Checked:
        def load(choice: Choice) -> tuple[Dataset, Corpus]:
            return dataset or published.dataset, corpus or published.corpus

        return check_leaderboard(folder, load, jobs=1)

    return checked


@pytest.fixture
def edit() -> Callable[[Path, str, Any], None]:
    """Set a value of a JSON file by its path, such as ``protocols.piece.ranked``."""

    def change(path: Path, where: str, value: Any) -> None:
        given = json.loads(path.read_text())
        inner = given
        *parents, last = where.split(".")
        for key in parents:
            inner = inner[int(key) if key.isdigit() else key]
        inner[last] = value
        path.write_text(json.dumps(given))

    return change
