"""How well predictions match targets: pure functions on arrays.

What enters: targets and predictions, float64 [clip, dimension], rows aligned; where a metric needs
them, the passage or the fold of each clip (int or str [clip]). What leaves: one value per
dimension, higher is better except for MAE. The uniform mean over dimensions of `pooled_r2` is the
primary metric of the harness; every statistic of `pianobench.statistics` estimates that same
number and uses the same `r2_from_sums`.

Conventions
-----------
- Predictions are out-of-fold: each clip is predicted once, by a model that saw neither the clip nor
  its group. Pooled metrics ignore the folds: predictions of all folds must be on one scale.
- The denominator of R2 is the squared deviation from the grand mean of the targets that are scored.
- A metric never averages over dimensions; `Metrics.summary` does, uniformly.
- Refused are arrays that disagree in shape, values that are not finite, and dimensions in which the
  targets do not vary (`validate`).
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from .errors import StatisticsError

__all__ = [
    "FloatArray",
    "LabelArray",
    "Metrics",
    "concordance",
    "evaluate",
    "mean_absolute_error",
    "pooled_r2",
    "r2_from_sums",
    "r2_per_fold",
    "spearman",
    "validate",
    "varies",
    "within_passage_accuracy",
    "within_passage_r2",
]

FloatArray: TypeAlias = NDArray[np.float64]
LabelArray: TypeAlias = NDArray[Any]  # int or str

# Means of the same ratings differ by the order of summation, about 1e-16; real steps are >= 1e-3.
TIE = 1e-9


@dataclass(frozen=True)
class Metrics:
    """Every metric of one set of out-of-fold predictions; arrays are [dimension] unless said.

    Attributes
    ----------
    r2, spearman, mae, ccc
        Over all clips.
    r2_per_fold
        [fold], each the uniform mean over dimensions, in sorted order of the fold names. None when
        the targets of some fold do not vary in every dimension (a fold of one clip, say).
    r2_human
        R2 of human takes only. None when none are marked, or their targets do not vary.
    r2_within_passage, accuracy_within_passage
        None when the targets do not vary within passages (one clip per passage, say).
    """

    r2: FloatArray
    spearman: FloatArray
    mae: FloatArray
    ccc: FloatArray
    r2_per_fold: FloatArray | None
    r2_human: FloatArray | None
    r2_within_passage: FloatArray | None
    accuracy_within_passage: FloatArray | None

    def summary(self) -> dict[str, float]:
        """Return the uniform mean of every metric that is defined, by field name."""
        return {name: float(v.mean()) for name, v in vars(self).items() if v is not None}


def evaluate(
    targets: FloatArray,
    predictions: FloatArray,
    passages: LabelArray,
    folds: LabelArray,
    human: NDArray[np.bool_] | None = None,
) -> Metrics:
    """Compute every metric.

    Parameters
    ----------
    targets, predictions : np.ndarray [shape=(clip, dimension)]
    passages, folds : np.ndarray [shape=(clip,)], int or str
    human : np.ndarray of bool [shape=(clip,)], optional
        False for machine renditions. Without it `Metrics.r2_human` is None.

    Returns
    -------
    Metrics

    Raises
    ------
    StatisticsError
        See `validate`.

    Examples
    --------
    >>> y = np.array([[0.1], [0.3], [0.2], [0.8]])
    >>> p = np.array([[0.2], [0.3], [0.3], [0.7]])
    >>> m = evaluate(y, p, np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]))
    >>> round(m.summary()["r2"], 3), round(m.summary()["r2_within_passage"], 3)
    (0.897, 0.875)
    """
    validate(targets, predictions, passages)
    validate(targets, predictions, folds)
    takes = np.zeros(len(targets), dtype=bool) if human is None else np.asarray(human, dtype=bool)
    _same_length(targets, takes, "human mask")
    folds_vary = all(varies(targets[folds == fold]) for fold in np.unique(folds))
    vary = varies(_centred(targets, passages))
    return Metrics(
        r2=pooled_r2(targets, predictions),
        spearman=spearman(targets, predictions),
        mae=mean_absolute_error(targets, predictions),
        ccc=concordance(targets, predictions),
        r2_per_fold=r2_per_fold(targets, predictions, folds) if folds_vary else None,
        r2_human=pooled_r2(targets[takes], predictions[takes]) if varies(targets[takes]) else None,
        r2_within_passage=within_passage_r2(targets, predictions, passages) if vary else None,
        accuracy_within_passage=(
            within_passage_accuracy(targets, predictions, passages) if vary else None
        ),
    )


def validate(
    targets: FloatArray, predictions: FloatArray, groups: LabelArray | None = None
) -> None:
    """Refuse arrays from which no metric can be computed.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(..., clip, dimension)]
        Any leading axes, so several models can be checked at once.
    groups : np.ndarray [shape=(clip,)], optional
        Passage, performer or fold of each clip.

    Raises
    ------
    StatisticsError
        When shapes disagree, a value is not finite, or the targets of a dimension are constant.
    """
    if targets.ndim != 2 or predictions.shape[-2:] != targets.shape:
        raise StatisticsError(
            f"targets and predictions do not match: targets have shape {targets.shape}, "
            f"predictions {predictions.shape}. Both end in [clip, dimension] with the same clips "
            "in the same order; align them by clip name first."
        )
    for name, values in (("targets", targets), ("predictions", predictions)):
        if not np.isfinite(values).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            raise StatisticsError(
                f"{name} hold {int((~np.isfinite(values)).sum())} values that are not finite, the "
                f"first at {where}: {values[where]}. Every clip needs a value in every dimension; "
                "leave out clips that were not scored."
            )
    if groups is not None:
        _same_length(targets, groups, "groups")
    if not varies(targets):
        constant = np.flatnonzero(~_varying(targets)).tolist()
        raise StatisticsError(
            f"targets are constant in dimension {constant} over {len(targets)} clips, so R2 has no "
            "denominator. Leave these dimensions out, or score more clips."
        )


def varies(targets: FloatArray) -> bool:
    """Say whether the targets [clip, dimension] vary in every dimension."""
    return bool(_varying(targets).all())


def r2_from_sums(
    error_squares: FloatArray,
    target_squares: FloatArray,
    target_sum: FloatArray,
    clips: FloatArray | float,
) -> FloatArray:
    """R2 from sums over clips; arguments broadcast.

    ``R2 = 1 - sum (y - p)^2 / (sum y^2 - (sum y)^2 / n)``

    Centre y beforehand: the denominator is a difference of two large numbers otherwise.
    """
    return 1.0 - error_squares / (target_squares - target_sum**2 / clips)


def pooled_r2(targets: FloatArray, predictions: FloatArray) -> FloatArray:
    """Pooled out-of-fold R2, the primary metric.

    Parameters
    ----------
    targets : np.ndarray [shape=(clip, dimension)]
    predictions : np.ndarray [shape=(..., clip, dimension)]

    Returns
    -------
    np.ndarray [shape=(..., dimension)], 1 for perfect predictions, 0 for the grand mean

    Raises
    ------
    StatisticsError
        See `validate`.
    """
    validate(targets, predictions)
    y = targets - targets.mean(axis=0)
    errors = ((predictions - targets) ** 2).sum(axis=-2)
    return r2_from_sums(errors, (y**2).sum(axis=0), y.sum(axis=0), len(y))


def r2_per_fold(targets: FloatArray, predictions: FloatArray, folds: LabelArray) -> FloatArray:
    """R2 of each fold against the mean of its own targets, averaged over dimensions.

    Parameters
    ----------
    targets, predictions : np.ndarray [shape=(clip, dimension)]
    folds : np.ndarray [shape=(clip,)]

    Returns
    -------
    np.ndarray [shape=(fold,)], in sorted order of the fold names

    Raises
    ------
    StatisticsError
        See `validate`; also when the targets of one fold are constant in a dimension.
    """
    validate(targets, predictions, folds)
    members = [folds == fold for fold in np.unique(folds)]
    return np.array([pooled_r2(targets[m], predictions[m]).mean() for m in members])


def within_passage_r2(
    targets: FloatArray, predictions: FloatArray, passages: LabelArray
) -> FloatArray:
    """R2 after targets and predictions are centred by passage.

    Parameters
    ----------
    targets, predictions : np.ndarray [shape=(clip, dimension)]
    passages : np.ndarray [shape=(clip,)]

    Returns
    -------
    np.ndarray [shape=(dimension,)], 0 for a model that knows the music but not the performance

    Raises
    ------
    StatisticsError
        See `validate`; also when the targets are constant within every passage.
    """
    validate(targets, predictions, passages)
    return pooled_r2(_centred(targets, passages), _centred(predictions, passages))


def within_passage_accuracy(
    targets: FloatArray, predictions: FloatArray, passages: LabelArray
) -> FloatArray:
    """Share of pairs of clips of one passage that are put in the right order.

    All pairs of all passages count alike. A pair whose targets are tied (closer than 1e-9) is left
    out; a pair whose predictions are exactly tied counts half.

    Parameters
    ----------
    targets, predictions : np.ndarray [shape=(clip, dimension)]
    passages : np.ndarray [shape=(clip,)]

    Returns
    -------
    np.ndarray [shape=(dimension,)], 0.5 is chance

    Raises
    ------
    StatisticsError
        See `validate`; also when no passage holds two clips that differ.
    """
    validate(targets, predictions, passages)
    right = np.zeros(targets.shape[1])
    pairs = np.zeros(targets.shape[1])
    for passage in np.unique(passages):
        y, p = targets[passages == passage], predictions[passages == passage]
        above = y[:, None] - y[None, :] > TIE  # each pair once, in its true order
        guessed = np.sign(p[:, None] - p[None, :])
        right += (above * (1 + guessed) / 2).sum(axis=(0, 1))
        pairs += above.sum(axis=(0, 1))
    if not pairs.all():
        raise StatisticsError(
            f"no passage holds two clips with different targets in dimension "
            f"{np.flatnonzero(pairs == 0).tolist()} ({len(np.unique(passages))} passages, "
            f"{len(targets)} clips). Score passages with several takes each."
        )
    return right / pairs


def spearman(targets: FloatArray, predictions: FloatArray) -> FloatArray:
    """Spearman's rank correlation; ties get their mean rank, constant predictions give 0.

    Parameters
    ----------
    targets, predictions : np.ndarray [shape=(clip, dimension)]

    Returns
    -------
    np.ndarray [shape=(dimension,)]

    Raises
    ------
    StatisticsError
        See `validate`.
    """
    validate(targets, predictions)
    y = rankdata(targets, axis=0) - (len(targets) + 1) / 2
    p = rankdata(predictions, axis=0) - (len(targets) + 1) / 2
    scale = np.sqrt((y**2).sum(axis=0) * (p**2).sum(axis=0))
    ordered = scale > 0
    return np.where(ordered, (y * p).sum(axis=0) / np.where(ordered, scale, 1.0), 0.0)


def mean_absolute_error(targets: FloatArray, predictions: FloatArray) -> FloatArray:
    """Mean absolute error, in label units.

    Parameters
    ----------
    targets, predictions : np.ndarray [shape=(clip, dimension)]

    Returns
    -------
    np.ndarray [shape=(dimension,)]

    Raises
    ------
    StatisticsError
        See `validate`.
    """
    validate(targets, predictions)
    error: FloatArray = np.abs(targets - predictions).mean(axis=0)
    return error


def concordance(targets: FloatArray, predictions: FloatArray) -> FloatArray:
    """Concordance correlation coefficient with population moments.

    ``CCC = 2 cov(y, p) / (var y + var p + (mean y - mean p)^2)``

    Parameters
    ----------
    targets, predictions : np.ndarray [shape=(clip, dimension)]

    Returns
    -------
    np.ndarray [shape=(dimension,)]

    Raises
    ------
    StatisticsError
        See `validate`.

    References
    ----------
    Lin (1989), Biometrics 45, 255-268. doi:10.2307/2532051
    """
    validate(targets, predictions)
    y, p = targets - targets.mean(axis=0), predictions - predictions.mean(axis=0)
    shift = targets.mean(axis=0) - predictions.mean(axis=0)
    spread: FloatArray = (y**2).mean(axis=0) + (p**2).mean(axis=0) + shift**2
    covariance: FloatArray = (y * p).mean(axis=0)
    return 2 * covariance / spread


def _centred(values: FloatArray, groups: LabelArray) -> FloatArray:
    names, index = np.unique(groups, return_inverse=True)
    member = (index == np.arange(len(names))[:, None]).astype(np.float64)
    means = member @ values / member.sum(axis=1, keepdims=True)
    centred: FloatArray = values - means[index]
    return centred


def _varying(targets: FloatArray) -> NDArray[np.bool_]:
    spread = targets.max(axis=0, initial=-np.inf) - targets.min(axis=0, initial=np.inf)
    varying: NDArray[np.bool_] = spread > TIE
    return varying


def _same_length(targets: FloatArray, labels: NDArray[Any], name: str) -> None:
    if labels.shape != (len(targets),):
        raise StatisticsError(
            f"{name} have shape {labels.shape}, but there are {len(targets)} clips. Give one value "
            "per clip, in the order of the targets."
        )
