"""The simulations as a product: which bars are held, with what tolerance, and what is reported."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pianobench import Clip, Corpus, Dimension
from pianobench.contenders import Contenders
from pianobench.errors import StatisticsError, UsageError
from pianobench.statistics import Rate
from pianobench.validate import BARS, Validation, judge, validate

Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def clustered() -> Contenders:
    """Two models on 12 passages, two takes by each of 7 performers, one of them a machine.

    Errors are shared by the clips of a passage, so that no two of them are independent.
    """
    rng = np.random.default_rng(5)
    passage, performer, take = (axis.ravel() for axis in np.indices((12, 7, 2)))
    shape = (len(passage), 3)

    def effects() -> Floats:
        parts = [(12, passage, 1.0), (7, performer, 0.3), (len(passage), np.arange(shape[0]), 0.3)]
        return np.sum([w * rng.normal(size=(n, 3))[index] for n, index, w in parts], axis=0)

    targets = 0.5 + 0.1 * effects()
    corpus = Corpus(
        name="clustered",
        version="1",
        clips=tuple(
            Clip(id=f"p{p:02}_{q}_{t}", midi=Path("x.mid"))
            for p, q, t in zip(passage, performer, take, strict=True)
        ),
        dimensions=(Dimension("timing"), Dimension("touch"), Dimension("tempo")),
        targets=targets,
        groups={
            "passage": tuple(f"p{p:02}" for p in passage),
            "performer": tuple(f"q{q}" for q in performer),
            "work": tuple(f"w{p % 2}" for p in passage),
        },
        human=performer > 0,
        raters=np.full(len(passage), 5),
    )
    return Contenders(
        corpus=corpus,
        protocol="piece",
        names=("a", "b"),
        folders=(Path("a"), Path("b")),
        clips=np.arange(len(passage)),
        by_seed=tuple((targets + 0.05 * effects())[None] for _ in range(2)),
    )


@pytest.fixture(scope="module")
def short(clustered: Contenders) -> Validation:
    return validate(clustered, scale=0.02, seed=1)


def test_every_bar_is_measured_once_and_at_its_share_of_the_full_size(short: Validation) -> None:
    keys = [(row.study, row.method, row.quantity) for row in short.measurements]
    assert len(set(keys)) == len(keys)
    assert set(BARS) <= set(keys)
    sizes = {row.study: row.simulations for row in short.measurements}
    assert sizes == {
        "coverage, C": 40,
        "coverage, G": 30,
        "error rate, C": 60,
        "error rate, G": 40,
    }
    for row in short.measurements:
        assert (row.kept is None) == ((row.study, row.method, row.quantity) not in BARS)
        assert row.monte_carlo_error == pytest.approx(
            np.sqrt(row.value * (1 - row.value) / row.simulations)
        )
    assert short.limits == []


def test_clusters_show_the_contrast_that_naive_methods_err(short: Validation) -> None:
    rates = {(row.study, row.method, row.quantity): row for row in short.measurements}
    for quantity in ("first", "second", "difference"):
        ours = rates["coverage, C", "jackknife-t", quantity].value
        assert ours > rates["coverage, C", "iid-percentile", quantity].value + 0.2
    naive = rates["error rate, C", "paired-t", "swapped"]
    assert naive.contrast
    assert naive.kept
    assert naive.value > rates["error rate, C", "sign-flip", "swapped"].value + 0.1


def test_the_text_marks_each_bar_and_states_the_tolerance(short: Validation) -> None:
    text = short.text()
    held = [row for row in short.measurements if row.kept is not None and not row.contrast]
    assert len(held) == 10
    assert f"{10 - short.broken} of 10 bars kept, to within 3 standard errors" in text
    assert text.count("BROKEN") == short.broken
    assert "0.036 to 0.065" in text
    assert "12 passages; a and b" in text


def test_the_same_seed_gives_the_same_table_and_json_holds_it(
    short: Validation, clustered: Contenders
) -> None:
    again = validate(clustered, scale=0.02, seed=1)
    assert again == short
    assert Validation.model_validate_json(short.model_dump_json()) == short


@pytest.mark.parametrize(
    ("value", "simulations", "kept"),
    [
        (0.065, 3_000, True),
        # Three standard errors at the bar: 3 sqrt(0.065 * 0.935 / 3000) = 0.0135.
        (0.078, 3_000, True),
        (0.079, 3_000, False),
        # 3 sqrt(0.036 * 0.964 / 3000) = 0.0102.
        (0.026, 3_000, True),
        (0.025, 3_000, False),
        # None of 15 is no evidence against 5%, though the rate seems to have no error.
        (0.0, 15, True),
        (0.5, 15, False),
    ],
)
def test_a_bar_is_broken_beyond_three_standard_errors(
    value: float, simulations: int, kept: bool
) -> None:
    error = float(np.sqrt(value * (1 - value) / simulations))
    row = judge("error rate, C", Rate("sign-flip", "levelled", value, error, simulations))
    assert row.kept is kept
    assert (row.low, row.high) == (0.036, 0.065)


def test_a_rate_without_a_bar_is_shown_and_not_judged() -> None:
    row = judge("coverage, C", Rate("bca", "first", 0.5, 0.01, 2_000))
    assert (row.low, row.high, row.kept, row.contrast) == (None, None, None, False)


def test_a_broken_bar_is_counted_and_an_absent_contrast_is_not(short: Validation) -> None:
    broken = judge("coverage, C", Rate("jackknife-t", "first", 0.5, 0.01, 2_000))
    absent = judge("coverage, C", Rate("iid-percentile", "first", 0.95, 0.01, 2_000))
    found = short.model_copy(update={"measurements": [broken, absent]})
    assert found.broken == 1
    text = found.text()
    assert "0 of 1 bars kept" in text
    assert "1 contrasts absent: these clips are so nearly independent" in text


def test_a_corpus_without_repeated_takes_is_measured_in_scope_c_alone(
    corpus: Corpus, clustered: Contenders
) -> None:
    rng = np.random.default_rng(2)
    single = Contenders(
        corpus=corpus,
        protocol="piece",
        names=("a", "b"),
        folders=clustered.folders,
        clips=np.arange(len(corpus.clips)),
        by_seed=tuple(
            (corpus.targets + 0.05 * rng.normal(size=corpus.targets.shape))[None] for _ in range(2)
        ),
    )
    found = validate(single, scale=0.005)
    assert {row.study for row in found.measurements} == {"coverage, C", "error rate, C"}
    assert [limit.partition(":")[0] for limit in found.limits] == ["coverage, G", "error rate, G"]
    assert "not measured: coverage, G: no two of 40 clips share" in found.text()


def test_what_cannot_be_simulated_is_refused(clustered: Contenders) -> None:
    three = Contenders(
        clustered.corpus, "piece", ("a", "b", "c"), clustered.folders * 2, clustered.clips,
        (*clustered.by_seed, clustered.by_seed[0]),
    )  # fmt: skip
    with pytest.raises(UsageError, match="3 results given; simulations need exactly two"):
        validate(three)
    work = Contenders(
        clustered.corpus, "work", ("a", "b"), clustered.folders, clustered.clips, clustered.by_seed
    )
    with pytest.raises(UsageError, match=r"nothing to validate: .*'work'"):
        validate(work)
    with pytest.raises(UsageError, match=r"Scale 0 is not positive"):
        validate(clustered, scale=0)
    perfect = Contenders(
        clustered.corpus, "piece", ("a", "b"), clustered.folders, clustered.clips,
        (clustered.by_seed[0], clustered.targets[None]),
    )  # fmt: skip
    with pytest.raises(StatisticsError, match="without error"):
        validate(perfect, scale=0.001)


@pytest.mark.data
@pytest.mark.slow
def test_every_bar_is_kept_on_percepiano(data_root: Path, tmp_path: Path) -> None:
    from pianobench.config import RunConfig
    from pianobench.contenders import read_contenders
    from pianobench.plan import plan_run
    from pianobench.plugins import Registry
    from pianobench.run import Workplace, run

    registry = Registry()
    place = Workplace(tmp_path / "results", Path(os.environ["PIANOBENCH_CACHE"]), data_root)
    folders = []
    for head in ("kernel-ridge", "ridge"):
        asked = {"dataset": "percepiano", "encoder": "midi-stats", "head": head}
        config = RunConfig.parse({**asked, "protocols": ("piece",)}, "test")
        folders.append(run(plan_run(config, registry), registry, place)[1])
    found = validate(read_contenders(folders, "piece", registry, data_root))
    assert found.broken == 0, found.text()
    assert all(row.kept for row in found.measurements if row.contrast), found.text()
