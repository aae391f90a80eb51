"""The noise ceiling of a corpus: the R2 that a perfect judge would reach against noisy labels.

It is the reliability of the labels itself, not its root, since R2 is taken against the noisy
labels: of their variance, the share that is not noise of the raters.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from . import statistics
from .values import Corpus

__all__ = ["Ceiling", "ceiling_of"]

_SPLITTING_SEED = 0


class Ceiling(BaseModel):
    """Reliability of the labels, by split half with disjoint raters and Spearman-Brown.

    `low` and `high` are the 95% jackknife-t interval of the mean over passages;
    `intraclass` is the reliability of the mean of a clip's raters by analysis of variance, a
    check by another route.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float
    low: float
    high: float
    intraclass: float
    dimensions: dict[str, float]


def ceiling_of(corpus: Corpus) -> Ceiling | None:
    """Estimate the noise ceiling from the raw ratings; None where the corpus has none.

    Raises
    ------
    StatisticsError
        If the ratings do not vary in a dimension, or are of too few passages.
    """
    if corpus.ratings is None:
        return None
    ratings, passages = corpus.ratings, corpus.group("passage")
    halves = statistics.split_half(
        ratings.rater, ratings.clip, ratings.values, passages, seed=_SPLITTING_SEED
    )
    variance = statistics.intraclass_correlation(
        ratings.rater, ratings.clip, ratings.values, passages
    )
    names = [dimension.name for dimension in corpus.dimensions]
    return Ceiling(
        mean=float(halves.mean.estimate),
        low=float(halves.mean.low),
        high=float(halves.mean.high),
        intraclass=float(variance.average.mean.estimate),
        dimensions=dict(zip(names, halves.per_dimension.estimate.tolist(), strict=True)),
    )
