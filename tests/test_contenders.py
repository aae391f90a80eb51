"""Results that may be compared, and every reason for which they may not."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pianobench import Corpus, Dataset
from pianobench.config import RunConfig
from pianobench.contenders import Contenders, align, read_contenders
from pianobench.errors import ResultError, UsageError
from pianobench.evaluate import OutOfFold
from pianobench.plugins import Registry
from pianobench.predictions import file_digest, write_predictions
from pianobench.result import DataRecord, ProtocolRecord, Result, read_result, save, writing
from pianobench.score import Scores
from pianobench.split import make_split

Floats = NDArray[np.float64]
Store = Callable[..., Path]

PLUGIN = """\
import pickle
from pianobench import Dataset, hookimpl


class Small(Dataset):
    "A corpus read from a pickle."
    name = "small"

    def load(self, root):
        return pickle.loads((root / "corpus.pickle").read_bytes())


@hookimpl
def bench_components():
    return [Small]
"""

# A comparison computes everything anew.
UNREAD = Scores(
    clips=0, metrics={}, dimensions={}, folds={}, r2_per_seed={}, intervals=[], limits=[]
)


class Small(Dataset):
    """Stands for the dataset of the corpus fixture; the harness makes its folds."""

    name = "small"


@pytest.fixture
def store(tmp_path: Path, corpus: Corpus) -> Store:
    """Store a result of given predictions [seed, clip, dimension]."""

    def stored(
        name: str, values: Floats, of: Corpus = corpus, head: str = "", flags: tuple[str, ...] = ()
    ) -> Path:
        seeds = tuple(range(len(values)))
        config = RunConfig.parse(
            {"dataset": "small", "encoder": "notes", "head": head or name, "seeds": seeds}, "test"
        )
        split = make_split(of, "piece")
        folds = np.full(len(of.clips), "", dtype=object)
        for fold in split.folds:
            folds[fold.test] = fold.name
        with writing(tmp_path / "results", name) as folder:
            path = folder / "predictions-piece.csv"
            write_predictions(path, of, OutOfFold(seeds, values, folds.astype(np.str_), ()))
            record = ProtocolRecord(
                unit=list(split.unit),
                folds=len(split.folds),
                split_digest=split.digest,
                ranked=not flags,
                flags=list(flags),
                audit={},
                predictions=path.name,
                predictions_sha256=file_digest(path),
                seeds=list(seeds),
                selected=[],
                scores=UNREAD,
            )
            result = Result(
                name=name,
                pianobench="0",
                config=config,
                config_digest=config.digest,
                data=DataRecord(
                    dataset=of.name,
                    version=of.version,
                    digest=of.digest,
                    clips=len(of.clips),
                    dimensions=[dimension.name for dimension in of.dimensions],
                ),
                components={},
                protocols={"piece": record},
                environment={},
                timings_s={},
            )
            save(result, folder)
        return tmp_path / "results" / name

    return stored


@pytest.fixture
def values(corpus: Corpus) -> Floats:
    """Predictions [model, seed, clip, dimension] with six decimals, as files hold them."""
    noise = np.random.default_rng(3).normal(size=(2, 2, *corpus.targets.shape))
    return np.round(corpus.targets + 0.05 * noise, 6)


@pytest.fixture
def two(store: Store, values: Floats) -> list[Path]:
    return [store("a", values[0]), store("b", values[1])]


def aligned(folders: list[Path], corpus: Corpus, protocol: str = "piece") -> Contenders:
    results = [read_result(folder) for folder in folders]
    return align(folders, results, protocol, Small(), corpus)


def rewrite(folder: Path, change: Callable[[str], str]) -> None:
    """Change the predictions as if they had been written so."""
    path = folder / "predictions-piece.csv"
    path.write_text(change(path.read_text()))
    edit_record(folder, "predictions_sha256", file_digest(path))


def edit_record(folder: Path, field: str, value: object) -> None:
    path = folder / "result.json"
    given = json.loads(path.read_text())
    given["protocols"]["piece"][field] = value
    path.write_text(json.dumps(given))


def test_predictions_come_averaged_over_seeds_on_the_rows_of_the_corpus(
    two: list[Path], corpus: Corpus, values: Floats
) -> None:
    found = aligned(two, corpus)
    np.testing.assert_allclose(found.predictions, values.mean(axis=1), atol=1e-12)
    np.testing.assert_array_equal(found.targets, corpus.targets)
    np.testing.assert_array_equal(found.group("performer"), corpus.group("performer"))
    assert found.fixed.sum() == 8
    assert found.names == ("notes with a", "notes with b")


def test_the_order_of_rows_in_a_file_does_not_matter(
    two: list[Path], corpus: Corpus, values: Floats
) -> None:
    def backwards(text: str) -> str:
        head, *rows = text.splitlines()
        return "\n".join([head, *reversed(rows)]) + "\n"

    rewrite(two[0], backwards)
    found = aligned(two, corpus)
    np.testing.assert_allclose(found.predictions, values.mean(axis=1), atol=1e-12)


def test_models_of_one_name_are_told_apart_by_their_folders(
    store: Store, corpus: Corpus, values: Floats
) -> None:
    folders = [store("a", values[0], head="mlp"), store("b", values[1], head="mlp")]
    names = aligned(folders, corpus).names
    assert names == tuple(f"notes with mlp ({folder})" for folder in folders)


def test_what_a_result_warns_of_comes_along(store: Store, corpus: Corpus, values: Floats) -> None:
    folders = [store("a", values[0]), store("b", values[1], flags=("it peeked",))]
    assert aligned(folders, corpus).flags == ("notes with b: it peeked",)


def test_the_dataset_is_found_by_the_name_that_the_results_give(
    two: list[Path], corpus: Corpus, values: Floats, tmp_path: Path
) -> None:
    (tmp_path / "small.py").write_text(PLUGIN)
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "corpus.pickle").write_bytes(pickle.dumps(corpus))
    registry = Registry([tmp_path / "small.py"])
    files = [two[0] / "result.json", two[1]]
    found = read_contenders(files, "piece", registry, tmp_path)
    np.testing.assert_allclose(found.predictions, values.mean(axis=1), atol=1e-12)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_results_are_refused(two: list[Path], count: int) -> None:
    with pytest.raises(UsageError, match=rf"{count} result given: a comparison needs at least two"):
        read_contenders(two[:count], "piece", Registry())


def test_a_result_given_twice_is_refused_under_any_name(two: list[Path], corpus: Corpus) -> None:
    with pytest.raises(UsageError, match="are the same result"):
        aligned([two[0], two[0]], corpus)
    copy = two[0].with_name("copy")
    shutil.copytree(two[0], copy)
    with pytest.raises(UsageError, match="are the same result"):
        aligned([two[0], two[1], copy], corpus)


def test_two_models_that_predict_alike_are_let_pass(
    store: Store, corpus: Corpus, values: Floats
) -> None:
    found = aligned([store("a", values[0]), store("b", values[0])], corpus)
    np.testing.assert_array_equal(found.predictions[0], found.predictions[1])


def test_results_on_other_datasets_or_other_data_are_refused(
    store: Store, corpus: Corpus, values: Floats
) -> None:
    first = store("a", values[0])
    elsewhere = store("b", values[1], replace(corpus, name="other"))
    with pytest.raises(ResultError, match=r"on dataset 'small', .* on 'other'"):
        aligned([first, elsewhere], corpus)
    later = replace(corpus, version="2", targets=corpus.targets + 0.001)
    changed = store("c", values[1], later)
    with pytest.raises(ResultError, match=r"different data: version '1' .* and '2'"):
        aligned([first, changed], corpus)


def test_results_on_data_that_are_not_here_are_refused(two: list[Path], corpus: Corpus) -> None:
    with pytest.raises(ResultError, match="on other data than is here"):
        aligned(two, replace(corpus, targets=corpus.targets + 0.001))


def test_a_protocol_that_was_not_run_or_does_not_exist_is_refused(
    two: list[Path], corpus: Corpus
) -> None:
    with pytest.raises(ResultError, match="holds no predictions of the protocol 'work', only of"):
        aligned(two, corpus, "work")
    with pytest.raises(UsageError, match=r"no protocol named 'peice'\. Did you mean 'piece'"):
        aligned(two, corpus, "peice")


def test_other_folds_are_refused(two: list[Path], corpus: Corpus) -> None:
    edit_record(two[1], "split_digest", "0" * 64)
    with pytest.raises(ResultError, match=r"other folds of 'piece' .*Run it again"):
        aligned(two, corpus)


def test_predictions_changed_after_they_were_written_are_refused(
    two: list[Path], corpus: Corpus
) -> None:
    path = two[1] / "predictions-piece.csv"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(ResultError, match="changed after it was written"):
        aligned(two, corpus)


def test_absent_predictions_are_refused(two: list[Path], corpus: Corpus) -> None:
    (two[1] / "predictions-piece.csv").unlink()
    with pytest.raises(ResultError, match="Cannot read the predictions"):
        aligned(two, corpus)


def test_missing_clips_are_refused_even_where_both_results_lack_them(
    two: list[Path], corpus: Corpus
) -> None:
    clip = corpus.ids[7]

    def without(text: str) -> str:
        rows = (row for row in text.splitlines() if not row.startswith(f"{clip},"))
        return "\n".join(rows) + "\n"

    for folder in two:
        rewrite(folder, without)
    with pytest.raises(ResultError, match=rf"47 of the 48 clips .*1 are missing, such as '{clip}'"):
        aligned(two, corpus)


def test_predictions_that_are_not_numbers_are_refused(two: list[Path], corpus: Corpus) -> None:
    def spoilt(text: str) -> str:
        head, first, *rows = text.splitlines()
        return "\n".join([head, first.rsplit(",", 1)[0] + ",nan", *rows]) + "\n"

    rewrite(two[0], spoilt)
    with pytest.raises(ResultError, match="holds a non-finite prediction"):
        aligned(two, corpus)
