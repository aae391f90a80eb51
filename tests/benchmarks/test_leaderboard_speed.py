"""How long a leaderboard of two thousand rows takes, cold: reading, ranking, writing.

``pytest tests/benchmarks/test_leaderboard_speed.py`` prints the time; memory and the size of what
is written are in the extra information. They depend on the machine, so none is asserted.
"""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import numpy as np
import pytest

from pianobench import Clip, Corpus, Dimension
from pianobench.curves import curves_name
from pianobench.leaderboard import write_labels, write_leaderboard
from pianobench.metrics import pooled_r2
from pianobench.predictions import file_digest
from pianobench.result import read_result

ROWS = int(os.environ.get("PIANOBENCH_ROWS", "2000"))
PUBLISHED = Path(__file__).parents[2] / "leaderboard"
SIZES = [156, 91, 91, 91, 68, 68, 68, 52, 45, 39, 39, 39] + 17 * [14] + 13 * [9]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows as PercePiano's, of models that share two thirds of their errors."""
    folder = tmp_path_factory.mktemp("leaderboard")
    corpus = invented()
    write_labels(folder, corpus, "CC0-1.0", "invented")
    (template,) = PUBLISHED.glob("results/percepiano-midi-stats-kernel-ridge-*/result.json")
    given = json.loads(template.read_text())
    given["data"] |= {"dataset": "invented", "version": "1", "digest": corpus.digest}
    record = given["protocols"]["piece"]
    given["protocols"] = {"piece": record}
    rng = np.random.default_rng(0)
    shared = rng.normal(size=corpus.targets.shape)
    names = [dimension.name for dimension in corpus.dimensions]
    header = ",".join(["clip", "fold", "seed", *names])
    for number in range(ROWS):
        row = folder / "results" / f"row-{number:04d}"
        row.mkdir(parents=True)
        own = rng.normal(size=corpus.targets.shape)
        scale = 0.09 + 0.04 * rng.random()
        values = np.round(corpus.targets + scale * (0.8 * shared + 0.6 * own), 6)
        lines = [
            f"{clip},1,0," + ",".join(f"{value:.6f}" for value in clip_values)
            for clip, clip_values in zip(corpus.ids, values.tolist(), strict=True)
        ]
        path = row / record["predictions"]
        path.write_text("\n".join([header, *lines]) + "\n")
        r2 = pooled_r2(corpus.targets, values)
        given["name"] = row.name
        record["predictions_sha256"] = file_digest(path)
        record["scores"]["metrics"]["r2"] = float(r2.mean())
        record["scores"]["dimensions"]["r2"] = dict(zip(names, r2.tolist(), strict=True))
        (row / "result.json").write_text(json.dumps(given))
    assert not (row / curves_name("piece")).exists()
    assert read_result(row).name == row.name
    return folder


def invented() -> Corpus:
    rng = np.random.default_rng(1)
    passages = np.repeat(np.arange(42), SIZES)
    performers = np.concatenate([np.arange(size) % 22 for size in SIZES])
    order = [dimension["name"] for dimension in dimensions()]
    targets = 0.5 + 0.08 * rng.normal(size=(1202, 19)) + 0.08 * rng.normal(size=(42, 19))[passages]
    return Corpus(
        name="invented",
        version="1",
        clips=tuple(Clip(id=f"clip-{i:04d}") for i in range(1202)),
        dimensions=tuple(Dimension(name, category=f"c{i % 8}") for i, name in enumerate(order)),
        targets=targets,
        groups={
            "passage": tuple(f"p{passage:02d}" for passage in passages),
            "performer": tuple(f"q{performer:02d}" for performer in performers),
        },
        human=performers < 20,
        raters=np.full(1202, 9),
    )


def dimensions() -> list[dict[str, str]]:
    (labels,) = PUBLISHED.glob("labels/percepiano-*.json")
    found: list[dict[str, str]] = json.loads(labels.read_text())["dimensions"]
    return found


def test_a_leaderboard_of_two_thousand_rows(benchmark, folder: Path) -> None:
    files = benchmark.pedantic(write_leaderboard, args=(folder,), rounds=1)
    own, children = (
        resource.getrusage(of).ru_maxrss / 2**20
        for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    benchmark.extra_info["peak GiB of this process, and of the largest other"] = [
        round(own, 2),
        round(children, 2),
    ]
    sizes = {path.name: round(path.stat().st_size / 2**20, 2) for path in files}
    benchmark.extra_info["MiB"] = sizes
    (board,) = (path for path in files if path.name == "board.json")
    assert len(json.loads(board.read_text())["datasets"][0]["rows"]) == ROWS
