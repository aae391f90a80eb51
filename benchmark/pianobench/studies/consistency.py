"""Whether predictions of several performances of a piece agree, and what that agreement is worth.

A model is fitted on rated performances and applied to a corpus of pieces that were played several
times. Its predictions spread within pieces and between them. A small spread within pieces reads as
consistency, but a model that hears the piece and not the player shows it too. What tells them apart
is measured where there are labels: how far the labels themselves spread within an excerpt, the
raters' noise taken off, and what share of such differences the model repeats in clips it was not
fitted on (`follows`: 1 for all, 0 for a model that is blind to the player).

There, clips are predicted out of fold by the protocol `piece`: all takes of an excerpt by one
model, as in the corpus the model is applied to. Machine renditions are not counted.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..evaluate import evaluate
from ..run import Workplace, environment
from ..split import load_split
from ..statistics import TrueDeviations, true_deviations, variance_components, within_slope
from ..statistics.components_of_variance import VarianceComponents
from ..statistics.jackknife import Interval
from ..values import Corpus
from .applied import (
    Application,
    AppliedModel,
    AppliedRecord,
    fit_and_apply,
    record_of,
    subset,
    write_applied,
)
from .folder import Record, make_folder, save_study, study_name

__all__ = ["Consistency", "Estimated", "Reading", "Spread", "consistency"]

KIND = "consistency"
Reading = Literal["follows", "may be blind", "labels cannot tell"]
"""Whether predictions follow the player, cannot be shown to, or labels differ by noise alone."""
_PROTOCOL = "piece"
_SPLITTING_SEED = 0


class Estimated(Record):
    """A number and its 95% interval."""

    value: float | None
    low: float | None
    high: float | None


class Spread(Record):
    """How values of one dimension spread over the takes of a piece, and over pieces."""

    within_sd: Estimated
    between_sd: Estimated
    share_within: Estimated
    """Of the variance, what is within pieces."""


class Consistency(Record):
    """What the study found; dictionaries are by dimension."""

    schema_version: Literal[1] = 1
    study: Literal["consistency"] = "consistency"
    ranked: Literal[False] = False
    name: str
    pianobench: str
    applied: AppliedRecord
    performances: int
    """Of the pieces that are not left out for having few takes."""
    pieces: int
    single_takes: list[str]
    """Pieces of one take: they tell of the spread between pieces only."""
    single_takes_kept: bool
    spread: dict[str, Spread]
    """Of the predictions, by piece."""
    mean_sd: dict[str, float]
    """Mean over pieces of several takes of their standard deviation (divided by n, not n - 1), as
    published studies have it."""
    training_excerpts: int
    training_spread: dict[str, Spread]
    """Of out-of-fold predictions of the training data, by excerpt."""
    label_spread: dict[str, Spread]
    """Of its labels, by excerpt; the raters' noise is part of what is within."""
    true_within_sd: dict[str, float] | None
    """Of the labels within excerpts without the raters' noise; None where there are no raw
    ratings."""
    follows: dict[str, Estimated]
    """Share of a difference between two takes' labels that the predictions repeat, free of the
    raters' noise where there are raw ratings."""
    environment: dict[str, str]

    def label_within_sd(self, dimension: str) -> float:
        """Spread of labels within an excerpt, without the raters' noise where that is known."""
        if self.true_within_sd is not None:
            return self.true_within_sd[dimension]
        return self.label_spread[dimension].within_sd.value or 0.0

    def reading(self, dimension: str) -> Reading:
        """Say what a small spread within pieces is worth."""
        low = self.follows[dimension].low
        if low is None:
            return "labels cannot tell"
        return "follows" if low > 0 else "may be blind"


def consistency(
    asked: Application, workplace: Workplace, *, min_takes: int = 1
) -> tuple[Consistency, Path]:
    """Carry out the study.

    Parameters
    ----------
    asked : Application
    workplace : Workplace
        Its `results` holds one folder per study.
    min_takes : int
        Leave out pieces with fewer takes; those of one tell of the spread between pieces only.

    Returns
    -------
    study, folder

    Raises
    ------
    SplitError
        If a corpus does not say which excerpt its clips are of.
    StatisticsError
        If no piece was played twice, or there are too few.
    PianobenchError
        Whatever the stages refuse.
    """
    applied = fit_and_apply(asked, workplace)
    corpus = applied.corpus
    pieces = corpus.group("excerpt")
    names, counts = np.unique(pieces, return_counts=True)
    keep = np.isin(pieces, names[counts >= min_takes])
    if not keep.any():
        raise DataError(
            f"No piece of {corpus.name!r} has {min_takes} takes or more; the most are "
            f"{counts.max()}. Choose --min-takes below."
        )
    found = variance_components(
        applied.predicted[keep], pieces[keep], corpus.group("passage")[keep]
    )
    beside = _beside(asked, applied, workplace)
    record = record_of(asked, applied)
    depends = [
        record.model_dump(mode="json", exclude={"timings_s"}),
        applied.namespace,
        applied.features_digest,
        min_takes,
    ]
    config = record.config
    parts = [asked.dataset.name, *(config[part]["name"] for part in ("encoder", "head"))]
    dimensions = [dimension.name for dimension in applied.training.dimensions]
    study = Consistency(
        name=study_name(KIND, parts, depends),
        pianobench=version("pianobench"),
        applied=record,
        performances=int(keep.sum()),
        pieces=found.groups,
        single_takes=names[counts == 1].tolist(),
        single_takes_kept=min_takes <= 1,
        spread=_spreads(dimensions, found),
        mean_sd=_mean_sd(dimensions, applied.predicted[keep], pieces[keep]),
        environment=environment(workplace),
        **beside,
    )
    folder = workplace.results / study.name
    make_folder(folder)
    write_applied(folder / "predictions.csv", applied)
    save_study(study, folder)
    return study, folder


def _beside(asked: Application, applied: AppliedModel, workplace: Workplace) -> dict[str, Any]:
    """Measure on the training data what labels do, and what of it predictions repeat."""
    plan, training = asked.plan, applied.training
    (out_of_fold,) = evaluate(
        plan.head,
        applied.training_features,
        training,
        [load_split(training, _PROTOCOL, plan.dataset)],
        plan.config.seeds,
        weighting=plan.config.weighting,
        jobs=workplace.jobs,
    )
    human = training.human
    played = subset(training, human)
    predicted = out_of_fold.values.mean(axis=0)[human]
    excerpts, passages = played.group("excerpt"), played.group("passage")
    dimensions = [dimension.name for dimension in training.dimensions]
    true = _true_deviations(training, excerpts)
    follows = within_slope(played.targets, predicted, excerpts, true, passages)
    of_labels = variance_components(played.targets, excerpts, passages)
    return {
        "training_excerpts": of_labels.groups,
        "training_spread": _spreads(dimensions, variance_components(predicted, excerpts, passages)),
        "label_spread": _spreads(dimensions, of_labels),
        "true_within_sd": None
        if true is None
        else dict(zip(dimensions, np.sqrt(np.maximum(true.variance, 0)).tolist(), strict=True)),
        "follows": {name: _estimated(follows, i) for i, name in enumerate(dimensions)},
    }


def _true_deviations(corpus: Corpus, excerpts: NDArray[np.str_]) -> TrueDeviations | None:
    """Find what human takes truly deviate, from the raw ratings; None where there are none."""
    ratings = corpus.ratings
    if ratings is None:
        return None
    chosen = corpus.human[ratings.clip]
    place = np.cumsum(corpus.human) - 1
    return true_deviations(
        ratings.rater[chosen],
        place[ratings.clip[chosen]],
        ratings.values[chosen],
        excerpts,
        seed=_SPLITTING_SEED,
    )


def _spreads(dimensions: list[str], found: VarianceComponents) -> dict[str, Spread]:
    def root(variance: Interval) -> Interval:
        bounds = (np.sqrt(part) for part in (variance.estimate, variance.low, variance.high))
        estimate, low, high = bounds
        return variance._replace(estimate=estimate, low=low, high=high)

    within, between = root(found.within), root(found.between)
    return {
        name: Spread(
            within_sd=_estimated(within, i),
            between_sd=_estimated(between, i),
            share_within=_estimated(found.share_within, i),
        )
        for i, name in enumerate(dimensions)
    }


def _estimated(interval: Interval, index: int) -> Estimated:
    """One dimension of an interval; what is not known is None, since JSON has no NaN."""
    numbers = (float(part[index]) for part in (interval.estimate, interval.low, interval.high))
    value, low, high = (number if np.isfinite(number) else None for number in numbers)
    return Estimated(value=value, low=low, high=high)


def _mean_sd(
    dimensions: list[str], predicted: NDArray[np.float64], pieces: NDArray[np.str_]
) -> dict[str, float]:
    names, counts = np.unique(pieces, return_counts=True)
    spreads = [predicted[pieces == piece].std(axis=0) for piece in names[counts > 1]]
    return dict(zip(dimensions, np.mean(spreads, axis=0).tolist(), strict=True))
