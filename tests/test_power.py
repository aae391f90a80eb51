"""What can be shown: the scaling of errors by simulation, and how a stored pair calibrates it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from pianobench import Corpus
from pianobench.compare import compare
from pianobench.contenders import Contenders
from pianobench.errors import StatisticsError, UsageError
from pianobench.power import power, scaled_error

Floats = NDArray[np.float64]
PASSAGES, TAKES = 10, 6


def correlated_errors(draws: int, correlation: float, sizes: tuple[float, float]) -> Floats:
    """Draw errors [draw, model, clip] with effects of passages and of clips, both correlated."""
    rng = np.random.default_rng(11)
    root = np.linalg.cholesky([[1, correlation], [correlation, 1]])
    passage = rng.normal(size=(draws, 2, PASSAGES)).repeat(TAKES, axis=2)
    alike = passage + rng.normal(size=(draws, 2, PASSAGES * TAKES))
    return np.array(sizes)[:, None] * np.einsum("ab,dbc->dac", root, alike)


def spread(correlation: float, sizes: tuple[float, float] = (1.0, 1.0)) -> float:
    """Standard deviation of the difference in summed squared errors."""
    squares = (correlated_errors(20_000, correlation, sizes) ** 2).sum(axis=2)
    return float((squares[:, 1] - squares[:, 0]).std())


def contenders(corpus: Corpus, *models: Floats, protocol: str = "piece") -> Contenders:
    names = tuple("abcdef"[: len(models)])
    return Contenders(
        corpus=corpus,
        protocol=protocol,
        names=names,
        folders=tuple(map(Path, names)),
        clips=np.arange(len(corpus.clips)),
        by_seed=tuple(m[None] for m in models),
    )


def pair_of(corpus: Corpus, correlation: float, seed: int) -> tuple[Floats, Floats]:
    """Predictions of two models of like quality whose errors correlate as asked."""
    rng = np.random.default_rng(seed)
    one, two = 0.05 * rng.normal(size=(2, *corpus.targets.shape))
    other = correlation * one + np.sqrt(1 - correlation**2) * two
    return corpus.targets + one, corpus.targets + other


@pytest.mark.parametrize("pair_correlation", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("correlation", [-0.5, 0.3, 0.8, 0.95])
def test_the_error_scales_as_simulated_normal_errors_do(
    pair_correlation: float, correlation: float
) -> None:
    expected = scaled_error(np.array(spread(pair_correlation)), pair_correlation, correlation)
    # 20,000 draws know a standard deviation to 1%.
    assert spread(correlation) == pytest.approx(float(expected), rel=0.04)


def test_a_pair_of_unlike_quality_calibrates_one_of_like_quality() -> None:
    # Squared errors of 1.44 and 1 / 1.44: their geometric mean is that of the like pair, 1.
    unlike = spread(0.6, (1.2, 1 / 1.2))
    expected = scaled_error(np.array(unlike), 0.6, 0.6, 1.2**4)
    assert spread(0.6) == pytest.approx(float(expected), rel=0.04)
    assert unlike > 1.1 * spread(0.6)


@given(r=st.floats(-0.99, 0.99), other=st.floats(-0.99, 0.99), error=st.floats(0.001, 0.1))
def test_scaling_there_and_back_changes_nothing(r: float, other: float, error: float) -> None:
    there = scaled_error(np.array(error), r, other)
    assert float(scaled_error(there, other, r)) == pytest.approx(error)
    assert float(scaled_error(np.array(error), r, r)) == pytest.approx(error)
    assert (float(there) <= error) == (abs(other) >= abs(r)) or float(there) == pytest.approx(error)


def test_the_pair_itself_is_as_bench_compare_shows_it(corpus: Corpus) -> None:
    given_pair = contenders(corpus, *pair_of(corpus, 0.4, 1))
    found = power(given_pair, [0.2, 0.9])
    (shown,) = compare(given_pair).pairs
    for scope, se, detectable in (
        (shown.overall.scope_c, found.pair.standard_error_c, found.pair.detectable_c),
        (shown.overall.scope_g, found.pair.standard_error_g, found.pair.detectable_g),
    ):
        assert se == pytest.approx(scope.standard_error)
        assert detectable == pytest.approx(scope.detectable)
    assert found.pair.correlation == pytest.approx(shown.error_correlation.raw)
    errors = ((given_pair.predictions - corpus.targets) ** 2).sum(axis=1)
    errors /= corpus.targets.var(axis=0)
    assert found.error_ratio == pytest.approx(errors[0].sum() / errors[1].sum())
    reach = stats.t(7).ppf(0.975) + stats.t(7).ppf(0.8)
    for row in found.rows:
        assert row.detectable_c == pytest.approx(reach * row.standard_error_c)
    assert found.rows[0].detectable_c > found.rows[1].detectable_c


def test_what_one_pair_foretells_another_pair_shows(corpus: Corpus) -> None:
    foretold, shown = [], []
    for seed in range(60):
        other = power(contenders(corpus, *pair_of(corpus, 0.8, 1_000 + seed)))
        own = power(contenders(corpus, *pair_of(corpus, 0.2, seed)), [other.pair.correlation])
        foretold.append(own.rows[0].standard_error_c)
        shown.append(other.pair.standard_error_c)
    assert np.mean(foretold) == pytest.approx(np.mean(shown), rel=0.1)


def test_a_table_names_the_pair_and_every_correlation_asked_for(corpus: Corpus) -> None:
    text = power(contenders(corpus, *pair_of(corpus, 0.4, 1)), [0.25, 0.75]).text()
    assert "a and b, which calibrate it" in text
    assert "0.25" in text
    assert "0.75" in text
    assert "this pair, as measured" in text


def test_without_performers_only_scope_c_is_stated(corpus: Corpus) -> None:
    groups = {kind: of for kind, of in corpus.groups.items() if kind != "performer"}
    found = power(contenders(replace(corpus, groups=groups), *pair_of(corpus, 0.4, 1)))
    assert all(row.detectable_g is None for row in found.rows)
    assert "note: new performers (G): Dataset 'small' does not say" in found.text()


def test_what_cannot_calibrate_is_refused(corpus: Corpus) -> None:
    a, b = pair_of(corpus, 0.4, 1)
    with pytest.raises(StatisticsError, match="predict alike"):
        power(contenders(corpus, a, a))
    with pytest.raises(StatisticsError, match="without any error"):
        power(contenders(corpus, a, corpus.targets))
    with pytest.raises(UsageError, match="3 results given; power is calibrated on exactly two"):
        power(contenders(corpus, a, b, b))
    with pytest.raises(UsageError, match=r"Error correlation 1\.0 is not between -1 and 1"):
        power(contenders(corpus, a, b), [1.0])
    with pytest.raises(UsageError, match=r"no power to state: .*'work' .* are not tested"):
        power(contenders(corpus, a, b, protocol="work"))
