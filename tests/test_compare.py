"""Comparisons: numbers against other libraries and brute force, words, and what is refused."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import r2_score
from statsmodels.stats.multitest import multipletests

from pianobench import Corpus, Dimension, Ratings, statistics
from pianobench.cli import main
from pianobench.compare import compare
from pianobench.comparison import Comparison, PairRecord
from pianobench.comparison_text import comparison_text, draw_comparison, estimates_of
from pianobench.contenders import Contenders
from pianobench.errors import StatisticsError
from pianobench.statistics import Verdict
from pianobench.validate import BARS, Bar

Floats = NDArray[np.float64]
CATEGORIES = {"Technical": [0], "Sound": [1, 2]}
PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"


@pytest.fixture
def rated(corpus: Corpus) -> Corpus:
    """The corpus with categories, and with the ratings of five raters to a clip."""
    rng = np.random.default_rng(9)
    clips, raters = len(corpus.clips), 5
    values = np.repeat(corpus.targets, raters, axis=0)
    return replace(
        corpus,
        dimensions=tuple(
            Dimension(d.name, category=category)
            for d, category in zip(corpus.dimensions, ("Technical", "Sound", "Sound"), strict=True)
        ),
        ratings=Ratings(
            rater=np.tile(np.arange(raters), clips),
            clip=np.repeat(np.arange(clips), raters),
            values=values + 0.1 * rng.normal(size=values.shape),
        ),
    )


def contenders(corpus: Corpus, *models: Floats, protocol: str = "piece") -> Contenders:
    """Line up models by their predictions [clip, dimension] or [seed, clip, dimension]."""
    names = tuple("abcdef"[: len(models)])
    return Contenders(
        corpus=corpus,
        protocol=protocol,
        names=names,
        folders=tuple(map(Path, names)),
        clips=np.arange(len(corpus.clips)),
        by_seed=tuple(m if m.ndim == 3 else m[None] for m in models),
    )


def model(corpus: Corpus, scale: float, seed: int) -> Floats:
    """Predictions with errors of the clip and of the passage."""
    rng = np.random.default_rng(seed)
    passage = np.unique(corpus.group("passage"), return_inverse=True)[1]
    shape = corpus.targets.shape
    shared = rng.normal(size=(passage.max() + 1, shape[1]))[passage]
    errors: Floats = rng.normal(size=shape) + shared
    return corpus.targets + scale * errors


def only_pair(comparison: Comparison) -> PairRecord:
    (pair,) = comparison.pairs
    return pair


def r2(targets: Floats, predictions: Floats, dimensions: list[int]) -> float:
    return float(r2_score(targets[:, dimensions], predictions[:, dimensions]))


def left_out(
    targets: Floats, models: list[Floats], groups: NDArray, dimensions: list[int]
) -> float:
    """Jackknife variance of the difference in R2, by leaving out one group after another."""
    found = []
    for group in set(groups.tolist()) - {""}:
        kept = groups != group
        first, second = (r2(targets[kept], p[kept], dimensions) for p in models)
        found.append(first - second)
    return (len(found) - 1) * float(np.var(found))


def test_differences_are_those_of_scikit_learn(rated: Corpus) -> None:
    a, b = model(rated, 0.03, 1), model(rated, 0.06, 2)
    pair = only_pair(compare(contenders(rated, a, b)))
    members = {"overall": [0, 1, 2], **CATEGORIES, "timing": [0], "touch": [1], "tempo": [2]}
    rows = (pair.overall, *pair.categories, *pair.dimensions)
    assert [row.name for row in rows] == list(members)
    for row in rows:
        first, second = (r2(rated.targets, p, members[row.name]) for p in (a, b))
        assert row.first == pytest.approx(first, abs=1e-12)
        assert row.second == pytest.approx(second, abs=1e-12)
        assert row.difference == pytest.approx(first - second, abs=1e-12)


def test_intervals_are_those_of_leaving_out_each_group_by_hand(rated: Corpus) -> None:
    models = [model(rated, 0.03, 1), model(rated, 0.06, 2)]
    pair = only_pair(compare(contenders(rated, *models)))
    passages = rated.group("passage")
    # A machine is no draw: the empty name is left out of nothing but its passage.
    performers = np.where(rated.human, rated.group("performer"), "")
    cells = np.where(rated.human, np.char.add(passages, performers), "")
    for row, members in ((pair.overall, [0, 1, 2]), (pair.categories[1], [1, 2])):
        by_passage, by_performer, by_cell = (
            left_out(rated.targets, models, groups, members)
            for groups in (passages, performers, cells)
        )
        both = max(by_passage + by_performer - by_cell, by_passage, by_performer)
        for test, variance, df in ((row.scope_c, by_passage, 7), (row.scope_g, both, 4)):
            t = stats.t(df, row.difference, np.sqrt(variance))
            assert test.df == df
            assert test.standard_error == pytest.approx(np.sqrt(variance), rel=1e-9)
            assert (test.low, test.high) == pytest.approx(t.interval(0.95), abs=1e-9)
        assert row.scope_g.p_value == pytest.approx(2 * t.cdf(min(0, 2 * row.difference)), abs=1e-9)


def test_p_values_in_scope_c_are_those_of_all_sign_flips(rated: Corpus) -> None:
    a, b = model(rated, 0.05, 1), model(rated, 0.06, 2)
    pair = only_pair(compare(contenders(rated, a, b)))
    scale = ((rated.targets - rated.targets.mean(axis=0)) ** 2).sum(axis=0)
    gains = ((b - rated.targets) ** 2 - (a - rated.targets) ** 2) / scale
    passages = rated.group("passage")
    by_passage = np.array([gains[passages == name].sum(axis=0) for name in np.unique(passages)])
    for row, members in ((pair.overall, [0, 1, 2]), (pair.categories[1], [1, 2])):
        steps = by_passage[:, members].mean(axis=1)
        flipped = [abs(np.dot(signs, steps)) for signs in product([-1, 1], repeat=8)]
        exact = np.mean(np.array(flipped) >= abs(steps.sum()) - 1e-12)
        assert row.scope_c.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 10_000))


def test_p_values_are_corrected_for_what_is_shown_together(rated: Corpus) -> None:
    models = [model(rated, scale, seed) for seed, scale in enumerate((0.04, 0.05, 0.055, 0.06))]
    found = compare(contenders(rated, *models))
    for scope in ("scope_c", "scope_g"):
        families = [[pair.overall for pair in found.pairs]]
        families += [pair.categories for pair in found.pairs]
        if scope == "scope_g":
            families += [pair.dimensions for pair in found.pairs]
        for family in families:
            tests = [getattr(row, scope) for row in family]
            for raw, adjusted in (
                ("p_value", "p_adjusted"),
                ("p_equivalent", "p_equivalent_adjusted"),
            ):
                corrected = multipletests([getattr(test, raw) for test in tests], method="holm")[1]
                assert [getattr(test, adjusted) for test in tests] == pytest.approx(list(corrected))
    for pair in found.pairs:
        raw = [row.scope_c.p_value for row in pair.dimensions]
        for method, field in (("holm", "p_holm"), ("fdr_bh", "p_benjamini_hochberg")):
            shown = [getattr(row, field) for row in pair.dimensions]
            assert shown == pytest.approx(list(multipletests(raw, method=method)[1]))
        # Max-T uses the correlation of the dimensions, and is about as strict as Holm.
        for row in pair.dimensions:
            assert row.scope_c.p_value <= row.scope_c.p_adjusted


def test_the_other_order_turns_signs_and_verdicts_around(rated: Corpus) -> None:
    a, b = model(rated, 0.03, 1), model(rated, 0.06, 2)
    pair = only_pair(compare(contenders(rated, a, b)))
    turned = only_pair(compare(contenders(rated, b, a)))
    opposite = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    rows = (pair.overall, *pair.categories, *pair.dimensions)
    others = (turned.overall, *turned.categories, *turned.dimensions)
    assert pair.overall.scope_c.verdict == Verdict.BETTER
    for row, other in zip(rows, others, strict=True):
        assert other.difference == pytest.approx(-row.difference, abs=1e-12)
        for scope in ("scope_c", "scope_g"):
            one, two = getattr(row, scope), getattr(other, scope)
            assert (two.low, two.high) == pytest.approx((-one.high, -one.low), abs=1e-12)
            assert two.p_value == pytest.approx(one.p_value, rel=1e-9)
            assert two.p_adjusted == pytest.approx(one.p_adjusted, rel=1e-9)
            assert two.verdict == opposite.get(one.verdict, one.verdict)
    assert "more of the variance" in pair.sentence
    assert "less of the variance" in turned.sentence


def test_models_that_predict_alike_are_equivalent_not_merely_undistinguished(
    rated: Corpus,
) -> None:
    a = model(rated, 0.05, 1)
    found = compare(contenders(rated, a, a.copy()), as_published=True)
    pair = only_pair(found)
    for row in (pair.overall, *pair.categories, *pair.dimensions):
        assert row.difference == 0
        for test in (row.scope_c, row.scope_g):
            assert (test.low, test.high, test.p_value) == (0, 0, 1)
            assert test.verdict == Verdict.EQUIVALENT
    assert pair.probability_within_margin == 1
    assert "exactly as much of the variance" in pair.sentence
    assert [entry.best_rank for entry in found.models] == [1, 1]
    assert [entry.worst_rank for entry in found.models] == [2, 2]
    assert all(entry.tied_with_best for entry in found.models)
    assert pair.published is None
    assert any("as published: both models' losses differ by 0" in limit for limit in pair.limits)
    assert "as published:" in comparison_text(found)


# The corpus is frozen: examples may share it.
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(order=st.permutations(range(48)), shift=st.floats(-1, 1), scale=st.floats(0.5, 2))
def test_neither_the_order_of_clips_nor_the_scale_of_labels_matters(
    corpus: Corpus, order: list[int], shift: float, scale: float
) -> None:
    a, b = model(corpus, 0.04, 1), model(corpus, 0.06, 2)
    moved = replace(
        corpus,
        clips=tuple(corpus.clips[i] for i in order),
        targets=shift + scale * corpus.targets[order],
        groups={kind: tuple(of[i] for i in order) for kind, of in corpus.groups.items()},
        human=corpus.human[order],
        raters=corpus.raters[order],
    )
    pair = only_pair(compare(contenders(corpus, a, b)))
    others = (shift + scale * predictions[order] for predictions in (a, b))
    again = only_pair(compare(contenders(moved, *others)))
    assert again.sentence == pair.sentence
    assert again.overall.difference == pytest.approx(pair.overall.difference, abs=1e-9)
    assert again.overall.scope_g.low == pytest.approx(pair.overall.scope_g.low, abs=1e-9)
    assert again.overall.scope_c.p_value == pair.overall.scope_c.p_value
    assert again.error_correlation.raw == pytest.approx(pair.error_correlation.raw, abs=1e-9)


def test_the_noise_of_seeds_widens_every_interval(rated: Corpus) -> None:
    rng = np.random.default_rng(4)
    seeds = model(rated, 0.04, 1) + 0.03 * rng.normal(size=(3, *rated.targets.shape))
    b = model(rated, 0.06, 2)
    found = compare(contenders(rated, seeds, b))
    bare = compare(contenders(rated, seeds.mean(axis=0), b))
    per_seed = [r2(rated.targets, values, [0, 1, 2]) for values in seeds]
    variance = float(np.var(per_seed, ddof=1))
    assert found.models[0].seed_variance == pytest.approx(variance)
    assert found.models[1].seed_variance is None
    widened = statistics.with_seed_variance(
        statistics.passage_jackknife(
            rated.targets, np.stack([seeds.mean(axis=0), b]), rated.group("passage")
        ).interval(lambda values: (values[..., 0, :] - values[..., 1, :]).mean(axis=-1)),
        variance,
        3,
    )
    test = only_pair(found).overall.scope_c
    assert (test.low, test.high) == pytest.approx((float(widened.low), float(widened.high)))
    for row, narrow in zip(only_pair(found).dimensions, only_pair(bare).dimensions, strict=True):
        assert row.scope_g.standard_error > narrow.scope_g.standard_error
    assert any("averaged over seeds" in limit for limit in found.limits)
    assert bare.limits == []


def test_models_are_ranked_and_those_that_may_be_the_best_are_named(rated: Corpus) -> None:
    models = [model(rated, scale, seed) for seed, scale in enumerate((0.055, 0.02, 0.0201, 0.1))]
    found = compare(contenders(rated, *models))
    assert len(found.pairs) == 3
    assert [pair.second for pair in found.pairs] == ["b", "c", "d"]
    assert [entry.tied_with_best for entry in found.models] == [False, True, True, False]
    for entry in found.models:
        better = sum(other.r2 > entry.r2 for other in found.models)
        assert entry.best_rank <= 1 + better <= entry.worst_rank
        assert entry.scope_c.low < entry.r2 < entry.scope_c.high
    assert "corrected for 3 comparisons" in found.pairs[0].sentence


def test_a_difference_that_is_not_found_is_not_called_equality(rated: Corpus) -> None:
    pair = only_pair(compare(contenders(rated, model(rated, 0.05, 1), model(rated, 0.05, 2))))
    test = pair.overall.scope_c
    assert test.verdict == Verdict.NOT_DISTINGUISHED
    assert "not distinguished, which does not make them equal" in pair.sentence
    assert "equivalent" not in pair.sentence
    reach = stats.t(7).ppf(0.975) + stats.t(7).ppf(0.8)
    assert test.detectable == pytest.approx(reach * test.standard_error)
    assert f"would have to be {test.detectable:.3f}" in pair.sentence


def test_equivalence_is_two_one_sided_tests_and_resamples_say_how_likely(rated: Corpus) -> None:
    a = model(rated, 0.05, 1)
    b = a + 0.0005 * np.random.default_rng(6).normal(size=a.shape)
    pair = only_pair(compare(contenders(rated, a, b)))
    test = pair.overall.scope_c
    sides = [
        stats.t(7).cdf((abs(pair.overall.difference) - 0.01) / test.standard_error),
        stats.t(7).cdf((-abs(pair.overall.difference) - 0.01) / test.standard_error),
    ]
    assert test.p_equivalent == pytest.approx(max(sides), rel=1e-6)
    assert test.verdict in {Verdict.EQUIVALENT, Verdict.BETTER, Verdict.WORSE}
    assert pair.probability_within_margin == 1


def test_error_correlation_is_corrected_where_ratings_show_the_noise(
    rated: Corpus, corpus: Corpus
) -> None:
    a, b = model(rated, 0.05, 1), model(rated, 0.06, 2)
    found = only_pair(compare(contenders(rated, a, b))).error_correlation
    errors = [(p - rated.targets) / rated.targets.std(axis=0) for p in (a, b)]
    one, two = (e - e.mean(axis=0) for e in errors)
    assert found.raw == pytest.approx((one * two).sum() / np.sqrt((one**2).sum() * (two**2).sum()))
    halves = statistics.split_half(
        rated.ratings.rater, rated.ratings.clip, rated.ratings.values, rated.group("passage"), 0
    )
    expected = statistics.error_correlation(rated.targets, a, b, halves.per_dimension.estimate)
    assert found.corrected == pytest.approx(expected.corrected)
    assert found.corrected < found.raw
    without = compare(contenders(corpus, a, b))
    assert only_pair(without).error_correlation.corrected is None
    assert only_pair(without).error_correlation.raw == pytest.approx(found.raw)
    assert any("the dataset has no raw ratings" in limit for limit in without.limits)


def test_a_single_wild_prediction_is_warned_of_where_interval_and_test_disagree(
    rated: Corpus,
) -> None:
    noise = np.random.default_rng(1).normal(size=(2, *rated.targets.shape))
    a, b = rated.targets + 0.03 * noise[0], rated.targets + 0.08 * noise[1]
    assert only_pair(compare(contenders(rated, a, b))).limits == []
    b[7] += 11
    pair = only_pair(compare(contenders(rated, a, b)))
    assert pair.overall.scope_c.low < 0 < pair.overall.scope_c.high
    assert pair.overall.scope_c.p_value < 0.05
    assert any("a few passages carry most of the difference" in limit for limit in pair.limits)


def test_no_linear_fusion_exceeds_its_bound(rated: Corpus) -> None:
    a, b = model(rated, 0.05, 1), model(rated, 0.06, 2)
    pair = only_pair(compare(contenders(rated, a, b)))
    blends = [r2(rated.targets, w * a + (1 - w) * b, [0, 1, 2]) for w in np.linspace(0, 1, 21)]
    assert pair.fusion_bound >= max(blends) > max(pair.overall.first, pair.overall.second)


def test_the_tests_of_the_study_stand_beside_the_rates_at_which_they_err(rated: Corpus) -> None:
    a, b = model(rated, 0.05, 1), model(rated, 0.06, 2)
    plain = compare(contenders(rated, a, b))
    found = compare(contenders(rated, a, b), as_published=True)
    assert only_pair(plain).published is None
    shown = only_pair(found).published
    losses = [((p - rated.targets) ** 2).mean(axis=1) for p in (a, b)]
    assert shown.paired_t.p_value == pytest.approx(stats.ttest_rel(*losses).pvalue)
    assert shown.wilcoxon.p_value == pytest.approx(stats.wilcoxon(*losses, method="approx").pvalue)
    span = shown.intervals["difference"]
    assert span.low < only_pair(found).overall.difference < span.high
    text = comparison_text(found)
    assert f"in {shown.paired_t.error_rate_c:.0%} (C) and" in text
    assert "As published" not in comparison_text(plain)


@pytest.mark.parametrize("protocol", ["work", "performer", "excerpt", "random"])
def test_protocols_without_intervals_show_differences_and_test_nothing(
    rated: Corpus, protocol: str
) -> None:
    a, b = model(rated, 0.03, 1), model(rated, 0.06, 2)
    found = compare(contenders(rated, a, b, protocol=protocol))
    pair = only_pair(found)
    for row in (pair.overall, *pair.categories, *pair.dimensions):
        assert row.scope_c is None
        assert row.scope_g is None
        assert row.difference > 0
    assert (pair.effects, pair.probability_within_margin) == (None, None)
    assert found.models[0].best_rank is None
    assert any(f"under the protocol {protocol!r}" in limit for limit in found.limits)
    assert pair.sentence.endswith("on these clips; whether it would on others is not tested.")
    assert "are not tested" in comparison_text(found)


def test_few_passages_or_performers_are_a_stated_limit(rated: Corpus) -> None:
    a, b = model(rated, 0.03, 1), model(rated, 0.06, 2)
    given = contenders(rated, a, b)
    few = np.flatnonzero(rated.group("passage") < "p4")
    found = compare(
        replace(given, clips=few, by_seed=tuple(values[:, few] for values in given.by_seed))
    )
    assert only_pair(found).overall.scope_c is None
    assert any("4 passage groups among 24 clips" in limit for limit in found.limits)
    duet = tuple("a" if player < "c" else "b" for player in rated.groups["performer"])
    two = replace(rated, groups={**rated.groups, "performer": duet})
    found = compare(contenders(two, a, b))
    assert only_pair(found).overall.scope_c is not None
    assert only_pair(found).overall.scope_g is None
    assert any("2 performer groups" in limit for limit in found.limits)
    assert only_pair(found).sentence.endswith("For new performers there is no test.")
    unnamed = {kind: of for kind, of in rated.groups.items() if kind != "performer"}
    found = compare(contenders(replace(rated, groups=unnamed), a, b))
    assert found.performers is None
    assert any("does not say which performer" in limit for limit in found.limits)


def test_labels_that_do_not_vary_are_refused(rated: Corpus) -> None:
    targets = rated.targets.copy()
    targets[:, 1] = 0.5
    flat = replace(rated, targets=targets)
    with pytest.raises(StatisticsError, match=r"constant in dimension \[1\]"):
        compare(contenders(flat, model(rated, 0.03, 1), model(rated, 0.06, 2)))


def test_json_holds_the_whole_comparison_and_no_nan(rated: Corpus) -> None:
    perfect = rated.targets.copy()
    found = compare(contenders(rated, model(rated, 0.05, 1), perfect), as_published=True)
    text = found.model_dump_json()
    json.loads(text, parse_constant=pytest.fail)
    assert Comparison.model_validate_json(text) == found
    assert only_pair(found).error_correlation.raw is None
    assert only_pair(found).sentence in comparison_text(found)


def test_the_picture_shows_every_dimension_with_its_interval(rated: Corpus, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    models = [model(rated, scale, seed) for seed, scale in enumerate((0.04, 0.05, 0.06))]
    found = compare(contenders(rated, *models[:2]))
    shown = estimates_of(found)
    assert [estimate.label for estimate in shown] == ["overall", "timing", "touch", "tempo"]
    row = only_pair(found).dimensions[1]
    assert shown[2][1:] == (row.difference, row.scope_c.low, row.scope_c.high)
    assert estimates_of(compare(contenders(rated, *models)))[4].label == "overall, less c"
    draw_comparison(tmp_path / "forest.svg", found)
    assert "timing" in (tmp_path / "forest.svg").read_text()


# The page's commands, as a user types them.


class Done(NamedTuple):
    code: int
    out: str
    err: str


Bench = Callable[[str], Done]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Bench:
    """Type a command line, with patterns of files as a shell expands them."""

    def typed(command: str) -> Done:
        words = [expanded for word in shlex.split(command) for expanded in expand(word)]
        monkeypatch.setattr(sys, "argv", words)
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Done(code, *capfd.readouterr())

    return typed


def expand(word: str) -> list[str]:
    """Replace a pattern by the files it matches, as a shell does."""
    found = sorted(map(str, Path().glob(word))) if "*" in word else []
    return found or [word]


def test_the_commands_of_the_page_run(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^    (bench .*)$", PAGE.read_text(), re.M)
    assert {command.split()[1] for command in commands} == {
        "run", "compare", "power", "validate-statistics",
    }  # fmt: skip
    for command in commands:
        done = bench(command)
        assert done.code == 0, done.err
    assert (tmp_path / "forest.svg").exists()
    first, second = sorted(map(str, (tmp_path / "results").iterdir()))
    compared = Comparison.model_validate_json(bench(f"bench compare {first} {second} --json").out)
    assert only_pair(compared).sentence in bench(f"bench compare {first} {second}").out
    for words in ("power", "validate-statistics --scale 0.01"):
        assert json.loads(bench(f"bench {words} {first} {second} --json").out)["dataset"] == "demo"
    done = bench(f"bench compare {first}")
    assert done.code == 2
    assert "at least two" in done.err
    monkeypatch.setitem(BARS, ("coverage, C", "jackknife-t", "first"), Bar(low=2.0))
    done = bench(f"bench validate-statistics {first} {second} --scale 0.01")
    assert done.code == 1
    assert "1 bars are broken" in done.err
    done = bench(f"bench power {first} {second} --protocol work")
    assert done.code == 2
    assert "not tested" in done.err
