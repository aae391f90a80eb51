"""What a head promises, tried on a small problem with linear truth and noise."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..components import Head, NetworkHead, Predictor
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


def _fit(head: Head, problem: Problem, seed: int = 1) -> Predictor:
    p = problem
    if isinstance(head, NetworkHead):
        return train_network(head, p.x, p.y, p.groups, seed, p.weight)
    return head.fit(p.x, p.y, p.groups, seed, p.weight)


def _predict(head: Head, problem: Problem, seed: int = 1) -> NDArray[np.float64]:
    return np.asarray(_fit(head, problem, seed).predict(problem.x_new))


def fits_and_predicts(head: Head) -> None:
    """Finite predictions of shape (clips, dimensions)."""
    problem = _problem()
    predicted = _predict(head, problem)
    expected = (len(problem.x_new), problem.y.shape[1])
    require(predicted.shape == expected, f"It predicts {predicted.shape}, not {expected}.")
    require(bool(np.isfinite(predicted).all()), "Some predictions are not finite.")


def predicts_a_single_dimension(head: Head) -> None:
    """Keep the axis of dimensions where there is but one."""
    problem = _problem()
    shape = _predict(head, replace(problem, y=problem.y[:, :1])).shape
    require(shape == (len(problem.x_new), 1), f"For one dimension it predicts shape {shape}.")


def tells_what_it_selected(head: Head) -> None:
    """Hold JSON in `selected`."""
    selected = _fit(head, _problem()).selected
    try:
        json.dumps(dict(selected), allow_nan=False)
    except (TypeError, ValueError) as error:
        require(False, f"`selected` is {selected!r}, which is not JSON: {error}.")


def gives_the_same_with_the_same_seed(head: Head) -> None:
    """Bit for bit."""
    problem = _problem()
    require_equal("Two fits with one seed", _predict(head, problem), _predict(head, problem))


def depends_on_the_seed_only_where_it_says_so(head: Head) -> None:
    """Be `stochastic` where it does; other heads are fitted for the first seed alone."""
    if head.stochastic:
        raise NotRunError("It is stochastic.")
    one, other = (_predict(head, _problem(), seed) for seed in (1, 2))
    require_equal("Fits with two seeds (assign stochastic = True if that is meant)", one, other)


def does_not_depend_on_the_order_of_clips(head: Head) -> None:
    """For heads that draw no random numbers."""
    if head.stochastic:
        raise NotRunError("It is stochastic, and draws clips in their order.")
    p = _problem()
    order = np.random.default_rng(1).permutation(len(p.x))
    shuffled = replace(p, x=p.x[order], y=p.y[order], groups=p.groups[order])
    require_equal("Fits to shuffled clips", _predict(head, p), _predict(head, shuffled), 1e-6)


def predicts_each_clip_on_its_own(head: Head) -> None:
    """Let no prediction depend on the other clips that are predicted."""
    problem = _problem()
    predictor = _fit(head, problem)
    together = np.asarray(predictor.predict(problem.x_new))
    singly = np.concatenate([predictor.predict(clip[None]) for clip in problem.x_new])
    require_equal("Clips predicted together and one by one", together, singly, 1e-5)


def takes_weights(head: Head) -> None:
    """Uneven ones are taken, and equal ones change nothing."""
    problem = _problem()
    equal = replace(problem, weight=np.ones(len(problem.x)))
    require_equal("Without and with equal weights", _predict(head, problem), _predict(head, equal))
    uneven = _predict(head, replace(problem, weight=np.linspace(0.5, 1.5, len(problem.x))))
    require(bool(np.isfinite(uneven).all()), "With uneven weights predictions are not finite.")


def bears_constant_features(head: Head) -> None:
    """Take a feature that never varies, as silence or an unused band gives."""
    problem = _problem()
    x = problem.x.copy()
    x[:, 2] = 0.1
    predicted = _predict(head, replace(problem, x=x))
    require(bool(np.isfinite(predicted).all()), "Predictions are not finite.")


def leaves_its_inputs_alone(head: Head) -> None:
    """Neither the arrays nor the component change."""
    problem = replace(_problem(), weight=np.linspace(0.5, 1.5, len(_problem().x)))
    copies = {f.name: getattr(problem, f.name).copy() for f in fields(problem)}
    before: dict[str, Any] = dict(vars(head))
    _predict(head, problem)
    changed = [n for n, copy in copies.items() if not np.array_equal(getattr(problem, n), copy)]
    require(not changed, f"It changes the arrays it is given: {', '.join(changed)}.")
    require(vars(head) == before, "It keeps something of a fit in itself; return it instead.")


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
)
