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
from pianobench.leaderboard import Board, write_labels, write_leaderboard
from pianobench.leaderboard.check import Checked, check_leaderboard
from pianobench.places import cache_at
from pianobench.plan import plan_run
from pianobench.plugins import Registry
from pianobench.run import Workplace, run

HOSTILE = [
    "</script><script>ran=1</script>",
    "<img src=x onerror=ran=1>",
    "\"><svg onload='ran=1'>",
    "javascript:ran=1",
    "<!--<script>",
    "\u2028${ran=1}`",
    "../../x?a#b",
]


class Hostile(NamedTuple):
    texts: list[str]
    board: Board


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


@pytest.fixture(scope="session")
def published_board() -> Board:
    """The leaderboard of this repository."""
    path = Path(__file__).parents[2] / "leaderboard" / "board.json"
    return Board.model_validate_json(path.read_text())


@pytest.fixture(scope="session")
def hostile(published_board: Board) -> Hostile:
    """The leaderboard of this repository with such text wherever a result can have text."""
    board = published_board
    (dataset,) = board.datasets
    rows = []
    for row, text in zip(dataset.rows, HOSTILE * len(dataset.rows), strict=False):
        encoder = row.encoder.model_copy(
            update={"name": text, "citation": text, "licence": text, "pretraining": text}
        )
        head = row.head and row.head.model_copy(update={"name": text, "changed": {text: text}})
        scores = {
            name: of.model_copy(update={"flags": (text,), "files": (f"results/{text}/{text}",)})
            for name, of in row.scores.items()
        }
        given = {"encoder": encoder, "head": head, "scores": scores, "options": (text,)}
        rows.append(row.model_copy(update={**given, "input": text}))
    reported = tuple(
        each.model_copy(update={"row": text, "source": text, "caveat": text})
        for each, text in zip(board.reported, HOSTILE, strict=False)
    )
    cards = (dataset.dimensions[0].model_copy(update={"low": HOSTILE[0]}), *dataset.dimensions[1:])
    held = dataset.model_copy(update={"rows": tuple(rows), "dimensions": cards})
    given = {"datasets": (held,), "reported": reported}
    return Hostile(HOSTILE, board.model_copy(update=given))


@pytest.fixture(scope="session")
def unpack() -> Callable[[Any], list[Any]]:
    """What static/columns.js does, written from the description of the format."""
    return unpacked


def unpacked(packed: Any) -> list[Any]:
    if isinstance(packed, list):
        return packed
    if "all" in packed:
        return [packed["all"]] * packed["n"]
    if "milli" in packed:
        return [value / 1000 for value in packed["milli"]]
    if "pool" in packed:
        return [packed["pool"][place] for place in packed["at"]]
    if "some" in packed:
        present = iter(unpacked(packed["of"]))
        return [next(present) if there == "1" else None for there in packed["some"]]
    if "sizes" in packed:
        inner = iter(unpacked(packed["of"]))
        return [[next(inner) for _ in range(size)] for size in unpacked(packed["sizes"])]
    columns = {key: unpacked(of) for key, of in packed["keys"].items()}
    count = len(next(iter(columns.values())))
    return [{key: of[place] for key, of in columns.items()} for place in range(count)]


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
