"""How well models pass from one instrument to another: R2 of cells, of groups of them, differences.

A cell is a training set and an instrument that is tested. Groups of cells:

- ``same``: trained on one instrument and tested on it (the diagonal of the matrix);
- ``other``: trained on one and tested on another;
- ``left out``: trained on all but one and tested on that;
- ``all``: trained on all and tested on each.

Every number is a weighted sum of the R2 of cells, so that one jackknife over passages serves all:
their intervals are for new passages heard through *these* instruments. The spread over cells is
shown beside them; it is no interval, since cells share their clips and most of their training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .. import statistics
from ..errors import StatisticsError
from ..metrics import FloatArray, LabelArray, pooled_r2
from .folder import Record
from .transfer_models import TrainingSet

__all__ = ["DIFFERENCES", "GROUPS", "Group", "Score", "TransferScores", "score_transfer"]

GROUPS: Mapping[str, str] = {
    "same": "trained on one, tested on the same",
    "other": "trained on one, tested on another",
    "left out": "trained on all but one, tested on that",
    "all": "trained on all, tested on each",
}
DIFFERENCES: Mapping[str, tuple[str, str]] = {
    "lost from one to another": ("other", "same"),
    "regained by training on several": ("left out", "other"),
    "still lost on a new instrument": ("left out", "all"),
    "gained by training on all": ("all", "same"),
}
"""Groups of cells that are compared: the first less the second."""


class Score(Record):
    """R2, the mean over dimensions, or a difference of such."""

    value: float
    low: float | None
    high: float | None
    """95% jackknife-t interval over passages (scope C), with the noise of the seeds."""


class Group(Record):
    """Cells of one kind."""

    mean: Score
    cells: int
    sd: float | None
    """Standard deviation over the cells, with one degree of freedom less; None for one."""
    least: float
    most: float


@dataclass(frozen=True)
class TransferScores:
    """All numbers of the study.

    Attributes
    ----------
    cells : mapping of training set to list of Score
        One for each instrument that is tested.
    mean_of_all : Score
        Trained on all, of the mean prediction over all instruments.
    groups : mapping of str to Group
        By `GROUPS`.
    differences : mapping of str to Score
        By `DIFFERENCES`.
    limits : list of str
        Why there is no interval.
    """

    cells: Mapping[TrainingSet, list[Score]]
    mean_of_all: Score
    groups: Mapping[str, Group]
    differences: Mapping[str, Score]
    limits: list[str]


def score_transfer(
    targets: FloatArray, predicted: Mapping[TrainingSet, FloatArray], passages: LabelArray
) -> TransferScores:
    """Score every cell, groups of cells and how they differ.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predicted : mapping of training set to np.ndarray [shape=(seed, instrument, clip, dimension)]
        The last training set is of all instruments.
    passages : np.ndarray [shape=(clip,)]

    Raises
    ------
    StatisticsError
        If R2 is not defined.
    """
    sets = list(predicted)
    everything = sets[-1]
    places = {
        (trained_on, tested): row * len(everything) + tested
        for row, trained_on in enumerate(sets)
        for tested in everything
    }
    mean = predicted[everything].mean(axis=1, keepdims=True)
    models = np.concatenate([*predicted.values(), mean], axis=1)
    groups = _groups(sets)
    in_group = {
        name: np.mean([np.eye(models.shape[1])[places[cell]] for cell in cells], axis=0)
        for name, cells in groups.items()
    }
    weights = [*np.eye(models.shape[1]), *in_group.values()]
    weights += [in_group[one] - in_group[other] for one, other in DIFFERENCES.values()]
    found, limits = _scores(targets, models, passages, np.array(weights))
    cells = {s: [found[places[s, tested]] for tested in everything] for s in sets}
    of_groups = found[models.shape[1] :]
    return TransferScores(
        cells=cells,
        mean_of_all=found[models.shape[1] - 1],
        groups={
            name: _group(mean, [found[places[cell]].value for cell in groups[name]])
            for name, mean in zip(groups, of_groups, strict=False)
        },
        differences=dict(zip(DIFFERENCES, of_groups[len(groups) :], strict=True)),
        limits=limits,
    )


def _groups(sets: Sequence[TrainingSet]) -> dict[str, list[tuple[TrainingSet, int]]]:
    """List the cells of each group: training set, and instrument that is tested."""
    everything = sets[-1]
    alone = [trained_on for trained_on in sets if len(trained_on) == 1]
    all_but = [trained_on for trained_on in sets if len(trained_on) == len(everything) - 1]
    cells: dict[str, list[tuple[TrainingSet, int]]] = {
        "same": [(one, one[0]) for one in alone],
        "other": [(one, tested) for one in alone for tested in everything if tested != one[0]],
        "left out": [(s, tested) for s in all_but for tested in everything if tested not in s],
        "all": [(everything, tested) for tested in everything],
    }
    return {name: cells[name] for name in GROUPS}


def _scores(
    targets: FloatArray, models: FloatArray, passages: LabelArray, weights: FloatArray
) -> tuple[list[Score], list[str]]:
    """Score weighted sums of R2; models [seed, model, clip, dimension], weights [sum, model]."""

    def sums(r2: FloatArray) -> FloatArray:
        weighted: FloatArray = r2.mean(axis=-1) @ weights.T
        return weighted

    seeds = len(models)
    mean = models.mean(axis=0)
    try:
        jackknife = statistics.passage_jackknife(targets, mean, passages)
    except StatisticsError as error:
        values = sums(pooled_r2(targets, mean))
        plain = [Score(value=value, low=None, high=None) for value in values.tolist()]
        return plain, [f"no interval: {error}"]
    interval = jackknife.interval(sums)
    if seeds > 1:
        noise = sums(pooled_r2(targets, models)).var(axis=0, ddof=1) / seeds
        wider = np.sqrt(interval.standard_error**2 + noise)
        interval = statistics.t_interval(interval.estimate, wider, interval.df, interval.level)
    bounds = zip(
        interval.estimate.tolist(), interval.low.tolist(), interval.high.tolist(), strict=True
    )
    return [Score(value=value, low=low, high=high) for value, low, high in bounds], []


def _group(mean: Score, values: Sequence[float]) -> Group:
    return Group(
        mean=mean,
        cells=len(values),
        sd=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        least=min(values),
        most=max(values),
    )
