from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from pianobench.errors import StatisticsError
from pianobench.statistics import benjamini_hochberg, holm

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array)


@settings(max_examples=15)  # statsmodels takes 70 ms for each
@given(p_values)
def test_holm_equals_statsmodels(p):
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-12)


@given(p_values)
def test_benjamini_hochberg_equals_statsmodels(p):
    expected = multipletests(p, method="fdr_bh")[1]
    np.testing.assert_allclose(benjamini_hochberg(p), expected, atol=1e-12)


@given(p_values)
def test_adjusted_values_keep_the_order_and_never_shrink(p):
    order = np.argsort(p, kind="stable")
    for adjust in (holm, benjamini_hochberg):
        assert (np.diff(adjust(p)[order]) >= 0).all()
        assert (adjust(p) >= p * (1 - 1e-12)).all()


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
@pytest.mark.parametrize("bad", [[0.1, 1.2], [0.1, np.nan], [[0.1]]])
def test_values_that_are_no_probabilities_are_refused(adjust, bad):
    with pytest.raises(StatisticsError, match="values between 0 and 1"):
        adjust(np.array(bad))
