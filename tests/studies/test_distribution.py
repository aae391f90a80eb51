"""Numbers over draws, against libraries that count the same."""

from __future__ import annotations

from itertools import combinations
from statistics import stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import percentileofscore

from pianobench.studies.distribution import describe_draws, share_apart, share_below

numbers = st.lists(st.floats(-1, 1).map(lambda x: round(x, 2)), min_size=2, max_size=25)


@given(values=numbers, mark=st.floats(-1, 1).map(lambda x: round(x, 2)))
def test_the_share_below_a_mark_is_its_percentile(values: list[float], mark: float) -> None:
    expected = percentileofscore(values, mark, kind="mean") / 100
    assert share_below(np.array(values), mark) == pytest.approx(expected)


@given(values=numbers)
def test_the_share_of_pairs_apart_is_counted_over_all_pairs(values: list[float]) -> None:
    pairs = list(combinations(values, 2))
    expected = sum(abs(a - b) > 0.05 for a, b in pairs) / len(pairs)
    assert share_apart(np.array(values)) == pytest.approx(expected)


def test_a_distribution_holds_the_usual_numbers_and_every_mark() -> None:
    values = [0.3, 0.4, 0.45, 0.6]
    found = describe_draws(values, [0.4, 0.9])
    assert found.mean == pytest.approx(0.4375)
    assert found.sd == pytest.approx(stdev(values))
    assert (found.low, found.high) == (0.3, 0.6)
    assert [(m.value, m.share_below) for m in found.marks] == [(0.4, 0.375), (0.9, 1.0)]


def test_one_draw_has_no_spread() -> None:
    found = describe_draws([0.4], [])
    assert found.sd is None
    assert found.share_apart is None
