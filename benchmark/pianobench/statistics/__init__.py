"""Intervals, tests and rankings of R2, from out-of-fold predictions.

Two scopes, never mixed. Scope C asks about new passages by these performers: passages are the
independent units (`passage_jackknife`, `bootstrap_interval`). Scope G asks about new passages and
new performers: both are (`two_way_jackknife`).
"""

from __future__ import annotations

from .bootstrap import (
    BootstrapIntervals,
    Bounds,
    bca_interval,
    bootstrap_interval,
    bootstrap_r2,
    counts_of,
    percentile_interval,
    resample_indices,
)
from .ceiling import IntraclassCorrelation, intraclass_correlation, split_half
from .components_of_variance import VarianceComponents, variance_components
from .correlation import ErrorCorrelation, error_correlation, fusion_bound
from .effects import Effect, EffectSizes, effect_sizes
from .equivalence import MARGIN, Verdict, probability_within, tost, verdict
from .following import TrueDeviations, true_deviations, within_slope
from .jackknife import (
    Interval,
    Jackknife,
    jackknife_t,
    passage_jackknife,
    t_interval,
    two_way_jackknife,
    two_way_jackknife_t,
)
from .multiplicity import benjamini_hochberg, holm
from .precision import seed_variance, smallest_detectable_difference, with_seed_variance
from .published import AsPublished, Measured, PublishedTest, as_published
from .rank_association import (
    RankTests,
    rank_correlation,
    rank_correlation_interval,
    rank_correlation_tests,
)
from .ranks import RankIntervals, best_p_values, rank_intervals
from .ratings import Reliability
from .significance import DimensionTests, PairTests, dimension_tests, pair_tests
from .simulation import Rate, coverage_of_passages
from .simulation_crossed import coverage_of_crossed, error_rate_of_crossed
from .simulation_tests import error_rate_of_passages

__all__ = [
    "MARGIN",
    "AsPublished",
    "BootstrapIntervals",
    "Bounds",
    "DimensionTests",
    "Effect",
    "EffectSizes",
    "ErrorCorrelation",
    "Interval",
    "IntraclassCorrelation",
    "Jackknife",
    "Measured",
    "PairTests",
    "PublishedTest",
    "RankIntervals",
    "RankTests",
    "Rate",
    "Reliability",
    "TrueDeviations",
    "VarianceComponents",
    "Verdict",
    "as_published",
    "bca_interval",
    "benjamini_hochberg",
    "best_p_values",
    "bootstrap_interval",
    "bootstrap_r2",
    "counts_of",
    "coverage_of_crossed",
    "coverage_of_passages",
    "dimension_tests",
    "effect_sizes",
    "error_correlation",
    "error_rate_of_crossed",
    "error_rate_of_passages",
    "fusion_bound",
    "holm",
    "intraclass_correlation",
    "jackknife_t",
    "pair_tests",
    "passage_jackknife",
    "percentile_interval",
    "probability_within",
    "rank_correlation",
    "rank_correlation_interval",
    "rank_correlation_tests",
    "rank_intervals",
    "resample_indices",
    "seed_variance",
    "smallest_detectable_difference",
    "split_half",
    "t_interval",
    "tost",
    "true_deviations",
    "two_way_jackknife",
    "two_way_jackknife_t",
    "variance_components",
    "verdict",
    "with_seed_variance",
    "within_slope",
]
