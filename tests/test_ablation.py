"""The table of a sweep: its numbers are those of a comparison of the same results."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pianobench import Corpus, Dataset
from pianobench.ablation import tabulate_cells
from pianobench.compare import compare
from pianobench.config import RunConfig
from pianobench.contenders import Contenders, align
from pianobench.evaluate import OutOfFold
from pianobench.predictions import write_predictions
from pianobench.record import data_record, protocol_record
from pianobench.result import Result, result_name, save, writing
from pianobench.split import make_split

NAMES = ["good", "copy", "fair", "poor"]


class Small(Dataset):
    """Stands for the dataset of the corpus fixture; the harness makes its folds."""

    name = "small"


def store(results: Path, corpus: Corpus, name: str, size: float, protocol: str) -> Result:
    split = make_split(corpus, protocol)
    folds = np.full(len(corpus.clips), "", dtype=object)
    for fold in split.folds:
        folds[fold.test] = fold.name
    # Two names of one size have the same errors.
    noise = np.random.default_rng(int(1000 * size)).normal(size=(2, *corpus.targets.shape))
    found = OutOfFold((0, 1), corpus.targets + size * noise, folds.astype(np.str_), ())
    config = RunConfig.parse(
        {"dataset": "small", "encoder": name, "seeds": [0, 1], "protocols": [protocol]}, "test"
    )
    with writing(results, result_name(config)) as folder:
        write_predictions(folder / f"predictions-{protocol}.csv", corpus, found)
        record = protocol_record(folder, corpus, split, "nested", (), optimism=False)
        result = Result(
            name=result_name(config),
            pianobench="0",
            config=config,
            config_digest=config.digest,
            data=data_record(corpus),
            components={},
            protocols={protocol: record},
            environment={},
            timings_s={},
        )
        save(result, folder)
    return result


def stand(tmp_path: Path, corpus: Corpus, protocol: str) -> tuple[Contenders, list[Result]]:
    sizes = (0.03, 0.03, 0.034, 0.2)
    results = [
        store(tmp_path, corpus, name, size, protocol)
        for name, size in zip(NAMES, sizes, strict=True)
    ]
    folders = [tmp_path / result.name for result in results]
    return align(folders, results, protocol, Small(), corpus), results


VARIED = [{"encoder": name} for name in NAMES]


def test_numbers_are_those_of_a_comparison_and_the_best_comes_first(
    tmp_path: Path, corpus: Corpus
) -> None:
    given, results = stand(tmp_path, corpus, "piece")
    table = tabulate_cells(given, VARIED, results)
    models = dict(zip(NAMES, compare(given).models, strict=True))
    assert [row.varied["encoder"] for row in table.rows] == ["good", "copy", "fair", "poor"]
    for row in table.rows:
        model = models[row.varied["encoder"]]
        assert row.r2 == pytest.approx(model.r2, abs=1e-12)
        assert (row.best_rank, row.worst_rank) == (model.best_rank, model.worst_rank)
        assert (row.p_best, row.may_be_best) == (model.p_best, model.tied_with_best)
        record = results[NAMES.index(row.varied["encoder"])].protocols["piece"]
        assert row.r2 == pytest.approx(record.scores.metrics["r2"], abs=1e-12)
        (interval,) = [i for i in record.scores.intervals if i.method == "jackknife-t"]
        assert (row.low, row.high) == (interval.low, interval.high)
        assert row.seeds == 2


def test_equal_cells_share_a_rank_and_the_poor_one_is_told_apart(
    tmp_path: Path, corpus: Corpus
) -> None:
    table = tabulate_cells(*_with_varied(stand(tmp_path, corpus, "piece")))
    rows = {row.varied["encoder"]: row for row in table.rows}
    assert rows["good"].best_rank == rows["copy"].best_rank
    assert rows["good"].may_be_best is rows["copy"].may_be_best is True
    assert rows["poor"].best_rank == rows["poor"].worst_rank == 4
    assert rows["poor"].may_be_best is False


def test_a_protocol_that_supports_no_interval_has_no_ranks_and_says_why(
    tmp_path: Path, corpus: Corpus
) -> None:
    table = tabulate_cells(*_with_varied(stand(tmp_path, corpus, "random")))
    assert {row.best_rank for row in table.rows} == {None}
    assert {row.may_be_best for row in table.rows} == {None}
    assert [row.varied["encoder"] for row in table.rows][-1] == "poor"
    assert any("random" in limit for limit in table.limits)


def _with_varied(
    stood: tuple[Contenders, list[Result]],
) -> tuple[Contenders, list[dict[str, str]], list[Result]]:
    return stood[0], VARIED, stood[1]
