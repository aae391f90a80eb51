"""The models of the study of transfer: fitted once, tested on every instrument, kept as they come.

A training set is kept as soon as its last model is fitted, so that a study that is killed goes on
where it stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..array_files import ArrayFile, read_arrays, write_arrays
from ..ensemble import Ensemble
from ..errors import ResultError
from ..evaluate import members_of
from ..fitting import Fitted, Material, Member, fit_and_predict_each
from ..parallel import run_where_it_pays
from ..plan import Plan
from ..progress import track
from ..sequences import Sequences
from ..stored_features import StoredFeatures
from ..values import Corpus, Split

__all__ = ["Models", "Predicted", "TrainingSet", "fit_models", "training_sets"]

TrainingSet = tuple[int, ...]
"""Numbers of the instruments that a model is trained on."""


class Predicted(NamedTuple):
    """What the models of one training set predicted.

    Attributes
    ----------
    path : Path
        Where it lies.
    values : float array, shape (seeds, instruments, clips, dimensions)
        NaN for clips that no fold scores.
    cpu_s : float
    """

    path: Path
    values: NDArray[np.float64]
    cpu_s: float


@dataclass(frozen=True)
class Models:
    """What all models share, and the folder that their predictions go to.

    `features` holds the renders of all instruments of the plan, one after the other.
    """

    plan: Plan
    corpus: Corpus
    split: Split
    features: StoredFeatures | Sequences
    folder: Path

    @cached_property
    def members(self) -> list[Member]:
        """Models of a training set: one for each fold, and for each seed if they matter."""
        return members_of(self.plan.head, self.corpus, [self.split], self.plan.config.seeds)

    @property
    def seeds(self) -> list[int]:
        """Seeds of the models; one where they do not matter."""
        return list(dict.fromkeys(member.seed for member in self.members))

    def material(self, trained_on: TrainingSet) -> Material:
        """Say what models of a training set are fitted from; they are tested on everything."""
        everything = tuple(range(len(self.plan.renderers)))
        return Material.of(
            self.plan.head,
            self.features,
            self.corpus,
            ensemble=Ensemble(len(self.corpus.clips), trained_on, everything),
            weighting=self.plan.config.weighting,
        )

    def path(self, trained_on: TrainingSet) -> Path:
        """Name a file by the instruments' places: their names may hold what a path cannot."""
        places = "+".join(str(number + 1) for number in trained_on)
        return self.folder / f"trained-on-{places}.safetensors"


def training_sets(instruments: int) -> list[TrainingSet]:
    """List what models are trained on: each instrument alone, all but each, and all."""
    everything = tuple(range(instruments))
    alone = [(one,) for one in everything]
    all_but = [tuple(other for other in everything if other != one) for one in everything]
    return list(dict.fromkeys([*alone, *all_but, everything]))


def fit_models(models: Models, jobs: int) -> dict[TrainingSet, Predicted]:
    """Fit the models of every training set that is not kept yet.

    Raises
    ------
    PianobenchError
        Whatever fitting refuses, after all other models are fitted and complete sets kept.
    """
    sets = training_sets(len(models.plan.renderers))
    missing = [trained_on for trained_on in sets if _kept(models, trained_on) is None]
    materials = {trained_on: models.material(trained_on) for trained_on in missing}
    tasks = [(trained_on, index) for trained_on in missing for index in range(len(models.members))]
    payloads = [(materials[trained_on], models.members[index]) for trained_on, index in tasks]
    done: dict[TrainingSet, dict[int, _Timed]] = {trained_on: {} for trained_on in missing}
    failed: list[Exception] = []
    outcomes = run_where_it_pays(_fit, payloads, jobs)
    for number, outcome in track(outcomes, len(payloads), "fit", "model"):
        if isinstance(outcome, Exception):
            failed.append(outcome)
            continue
        trained_on, index = tasks[number]
        done[trained_on][index] = outcome
        if len(done[trained_on]) == len(models.members):
            _keep(models, trained_on, done.pop(trained_on))
    if failed:
        raise failed[0]
    return {trained_on: _read(models, trained_on) for trained_on in sets}


class _Timed(NamedTuple):
    fitted: Fitted
    cpu_s: float


def _fit(task: tuple[Material, Member]) -> _Timed:
    started = time.process_time()
    return _Timed(fit_and_predict_each(*task), time.process_time() - started)


def _keep(models: Models, trained_on: TrainingSet, done: Mapping[int, _Timed]) -> None:
    seeds: Sequence[int] = models.seeds
    values = np.full((len(seeds), len(models.plan.renderers), *models.corpus.targets.shape), np.nan)
    selected = []
    for index, member in enumerate(models.members):
        fitted = done[index].fitted
        values[seeds.index(member.seed)][:, member.fold.test] = fitted.predicted
        selected.append({"fold": member.fold.name, "seed": member.seed, **fitted.selected})
    cpu_s = sum(timed.cpu_s for timed in done.values())
    words = {"selected": json.dumps(selected), "cpu_s": f"{cpu_s:.3f}"}
    write_arrays(models.path(trained_on), {"values": values}, words)


def _kept(models: Models, trained_on: TrainingSet) -> ArrayFile | None:
    return read_arrays(models.path(trained_on))


def _read(models: Models, trained_on: TrainingSet) -> Predicted:
    path, stored = models.path(trained_on), _kept(models, trained_on)
    if stored is None:
        raise ResultError(
            f"The predictions {path} are gone since they were written. Carry out the study again."
        )
    return Predicted(path, stored.arrays["values"], float(stored.words["cpu_s"]))
