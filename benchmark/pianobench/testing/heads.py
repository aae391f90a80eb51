"""What a head promises, tried on a small problem with linear truth and noise."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..components import Head, NetworkHead, PairwiseHead
from ..predictor_arrays import predictor_from_arrays, predictor_to_arrays
from ..predictors import Predictor
from ..training import train_network
from .checks import NotRunError, require, require_equal


@dataclass(frozen=True)
class Problem:
    """Training clips with their groups, and clips to predict."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    groups: NDArray[np.str_]
    weight: NDArray[np.float64] | None
    x_new: NDArray[np.float64]


def _problem() -> Problem:
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 8))
    y = 0.5 + 0.1 * x @ random.normal(size=(8, 3)) + 0.05 * random.normal(size=(60, 3))
    groups = np.repeat([f"unit-{k:02}" for k in range(12)], 5)
    return Problem(x, y, groups, None, random.normal(size=(20, 8)))


@dataclass(frozen=True)
class Trial:
    """A head, fitted to the problem when first needed."""

    head: Head

    @cached_property
    def fitted(self) -> Predictor:
        """Fitted to the problem as it is, with seed 1."""
        return self.fit(_problem())

    @property
    def predicted(self) -> NDArray[np.float64]:
        """What it then predicts."""
        return np.asarray(self.fitted.predict(_problem().x_new))

    def fit(self, problem: Problem, seed: int = 1) -> Predictor:
        """Fit it as the harness does."""
        head, p = self.head, problem
        if isinstance(head, NetworkHead):
            return train_network(head, p.x, p.y, p.groups, seed, p.weight)
        return head.fit(p.x, p.y, p.groups, seed, p.weight)

    def predict(self, problem: Problem, seed: int = 1) -> NDArray[np.float64]:
        """Fit it, and predict the new clips."""
        return np.asarray(self.fit(problem, seed).predict(problem.x_new))


def fits_and_predicts(trial: Trial) -> None:
    """Finite predictions of shape (clips, dimensions)."""
    problem, predicted = _problem(), trial.predicted
    expected = (len(problem.x_new), problem.y.shape[1])
    require(predicted.shape == expected, f"It predicts {predicted.shape}, not {expected}.")
    require(bool(np.isfinite(predicted).all()), "Some predictions are not finite.")


def predicts_a_single_dimension(trial: Trial) -> None:
    """Keep the axis of dimensions where there is but one."""
    problem = _problem()
    shape = trial.predict(replace(problem, y=problem.y[:, :1])).shape
    require(shape == (len(problem.x_new), 1), f"For one dimension it predicts shape {shape}.")


def tells_what_it_selected(trial: Trial) -> None:
    """Hold JSON in `selected`."""
    selected = trial.fitted.selected
    try:
        json.dumps(dict(selected), allow_nan=False)
    except (TypeError, ValueError) as error:
        require(False, f"`selected` is {selected!r}, which is not JSON: {error}.")


def gives_the_same_with_the_same_seed(trial: Trial) -> None:
    """Bit for bit."""
    require_equal("Two fits with one seed", trial.predicted, trial.predict(_problem()))


def depends_on_the_seed_only_where_it_says_so(trial: Trial) -> None:
    """Be `stochastic` where it does; other heads are fitted for the first seed alone."""
    if trial.head.stochastic:
        raise NotRunError("It is stochastic.")
    one, other = trial.predicted, trial.predict(_problem(), seed=2)
    require_equal("Fits with two seeds (assign stochastic = True if that is meant)", one, other)


def does_not_depend_on_the_order_of_clips(trial: Trial) -> None:
    """For heads that draw no random numbers."""
    if trial.head.stochastic:
        raise NotRunError("It is stochastic, and draws clips in their order.")
    p = _problem()
    order = np.random.default_rng(1).permutation(len(p.x))
    shuffled = replace(p, x=p.x[order], y=p.y[order], groups=p.groups[order])
    require_equal("Fits to shuffled clips", trial.predicted, trial.predict(shuffled), 1e-6)


def predicts_each_clip_on_its_own(trial: Trial) -> None:
    """Let no prediction depend on the other clips that are predicted."""
    singly = np.concatenate([trial.fitted.predict(clip[None]) for clip in _problem().x_new])
    require_equal("Clips predicted together and one by one", trial.predicted, singly, 1e-5)


def takes_weights(trial: Trial) -> None:
    """Uneven ones are taken, and equal ones change nothing."""
    problem = _problem()
    equal = replace(problem, weight=np.ones(len(problem.x)))
    require_equal("Without and with equal weights", trial.predicted, trial.predict(equal))
    uneven = trial.predict(replace(problem, weight=np.linspace(0.5, 1.5, len(problem.x))))
    require(bool(np.isfinite(uneven).all()), "With uneven weights predictions are not finite.")


def bears_constant_features(trial: Trial) -> None:
    """Take a feature that never varies, as silence or an unused band gives."""
    problem = _problem()
    x = problem.x.copy()
    x[:, 2] = 0.1
    predicted = trial.predict(replace(problem, x=x))
    require(bool(np.isfinite(predicted).all()), "Predictions are not finite.")


def leaves_its_inputs_alone(trial: Trial) -> None:
    """Neither the arrays nor the component change."""
    problem = replace(_problem(), weight=np.linspace(0.5, 1.5, len(_problem().x)))
    copies = {f.name: getattr(problem, f.name).copy() for f in fields(problem)}
    before: dict[str, Any] = dict(vars(trial.head))
    trial.predict(problem)
    changed = [n for n, copy in copies.items() if not np.array_equal(getattr(problem, n), copy)]
    require(not changed, f"It changes the arrays it is given: {', '.join(changed)}.")
    require(vars(trial.head) == before, "It keeps something of a fit in itself; return it instead.")


def fits_the_same_by_pairs(trial: Trial) -> None:
    """Predict from what its measures say of two halves of the features, added up."""
    head = trial.head
    if not isinstance(head, PairwiseHead):
        raise NotRunError("It is fitted to features only.")
    p = _problem()
    first, second = (
        head.compare(np.ascontiguousarray(p.x[:, half]), np.ascontiguousarray(p.x_new[:, half]))
        for half in (slice(0, 3), slice(3, None))
    )
    require(
        set(first.within) == set(head.measures) == set(first.across),
        f"It compares by {sorted(first.within)}; its measures are {sorted(head.measures)}.",
    )
    pairs = first + second
    fitted = head.fit_pairs(pairs, p.y, p.groups, p.weight)
    by_pairs = np.asarray(fitted.predict_pairs(pairs.across))
    require_equal("Fits to features and to pairs", trial.predicted, by_pairs, 1e-9)


def can_be_kept(trial: Trial) -> None:
    """Predict the same bits from its arrays, where it names its `predictor`."""
    head = trial.head
    if isinstance(head, NetworkHead):
        raise NotRunError("Networks are kept by their parameters.")
    if head.predictor is None:
        raise NotRunError("It names no predictor, so that `bench fit` cannot keep it.")
    kept = predictor_to_arrays(trial.fitted)
    read = predictor_from_arrays(head.predictor, kept)
    again = np.asarray(read.predict(_problem().x_new))
    require_equal("What was fitted and what was read back", trial.predicted, again)


PROMISES = (
    fits_and_predicts,
    predicts_a_single_dimension,
    tells_what_it_selected,
    gives_the_same_with_the_same_seed,
    depends_on_the_seed_only_where_it_says_so,
    does_not_depend_on_the_order_of_clips,
    predicts_each_clip_on_its_own,
    takes_weights,
    bears_constant_features,
    leaves_its_inputs_alone,
    fits_the_same_by_pairs,
    can_be_kept,
)
