"""Models fitted again inside training parts, so that something can be learned from what they say.

What enters are stored results and, for every fold, inner folds of its training part; what leaves
is, for every fold, what each model predicts of the training clips when it has not seen them. A
result is fitted again from its configuration alone: the same encoder, features (from the store),
head, weighting and seeds.

A model's predictions are written as soon as it is fitted, into ``inner/`` in the cache, under a
digest of all they depend on: the configuration, the features, the labels, the clips on both sides
and the seed. So a study that is killed goes on where it stopped, and studies of other results or
fusions share what was fitted.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..array_files import ArrayFile, read_arrays, write_arrays
from ..components import AudioEncoder
from ..encode import Encoded
from ..errors import ResultError
from ..evaluate import members_of
from ..fitting import Fitted, Material, Member, fit_and_predict
from ..frame_encoding import EncodedFrames
from ..metrics import FloatArray
from ..parallel import run_where_it_pays
from ..plan import Plan
from ..progress import track
from ..result import Result
from ..run import (
    Workplace,
    component_records,
    encode,
    ensemble_of,
    features_of,
    render,
)
from ..values import Corpus, Split
from .folder import OF_A_RUN

__all__ = ["Base", "InnerPredictions", "predict_inside"]


@dataclass(frozen=True)
class Base:
    """A stored result, and the plan that its configuration makes here."""

    result: Result
    plan: Plan


@dataclass(frozen=True)
class InnerPredictions:
    """What one base predicts inside training parts.

    Attributes
    ----------
    values : mapping of str to float array, shape (training clips, dimensions)
        By outer fold, averaged over seeds; clips in the order of the fold's training part.
    models : int
    cpu_s : float
        What fitting them took, whenever that was.
    limits : tuple of str
        What makes these models other ones than those behind the stored predictions.
    """

    values: Mapping[str, FloatArray]
    models: int
    cpu_s: float
    limits: tuple[str, ...]


class _Task(NamedTuple):
    """A model to fit, and where its predictions go."""

    material: Material
    member: Member
    path: Path


def predict_inside(
    bases: Sequence[Base],
    corpus: Corpus,
    split: Split,
    inner: Mapping[str, Split],
    workplace: Workplace,
) -> list[InnerPredictions]:
    """Predict the training clips of every fold by models that did not see them.

    Parameters
    ----------
    bases : sequence of Base
    corpus : Corpus
    split : Split
    inner : mapping of str to Split
        Of each training part, by the name of the fold; see `pianobench.inner_folds`.
    workplace : Workplace
        A device serves the encoders that can use it.

    Raises
    ------
    PianobenchError
        Whatever the stages refuse. Models that are fitted by then are kept.
    """
    found = [_tasks(base, corpus, inner, workplace) for base in bases]
    everything = [task for tasks, _ in found for task in tasks]
    _fit_missing(everything, workplace.jobs)
    return [_collect(tasks, split, corpus, limits) for tasks, limits in found]


def _tasks(
    base: Base, corpus: Corpus, inner: Mapping[str, Split], workplace: Workplace
) -> tuple[list[_Task], tuple[str, ...]]:
    """Encode what a base reads, and list its models."""
    plan, place = base.plan, _place_of(base.plan, workplace)
    encoded = [
        encode(alone, corpus, render(alone, corpus, place), place) for alone in plan.by_renderer()
    ]
    features = features_of(plan, *encoded)
    material = Material.of(
        plan.head,
        features,
        corpus,
        ensemble=ensemble_of(plan, corpus),
        weighting=plan.config.weighting,
    )
    config = plan.config.model_dump(mode="json", exclude={*OF_A_RUN, "seeds"})
    # Files of frames are named by what was encoded; the namespaces say by which weights, and the
    # origins which version of a plugin fits.
    encodings = [each.namespace for each in encoded]
    origins = dict(plan.origins)
    depends = [version("pianobench"), origins, config, corpus.digest, encodings, features.content]
    folder = workplace.cache / "inner" / _digest(depends)
    tasks = [
        _Task(material, member, folder / f"{_name(member, corpus)}.safetensors")
        for member in members_of(plan.head, corpus, list(inner.values()), plan.config.seeds)
    ]
    return tasks, _changes(base, encoded[0])


def _place_of(plan: Plan, workplace: Workplace) -> Workplace:
    """Work on the CPU where the device would have nothing to do."""
    uses_torch = isinstance(plan.encoder, AudioEncoder) and plan.encoder.backend == "torch"
    return workplace if uses_torch else replace(workplace, device="cpu")


def _changes(base: Base, encoded: Encoded | EncodedFrames) -> tuple[str, ...]:
    """Name what is not as it was when the result was made."""
    return tuple(
        f"{fact} of the {part} is {now.facts[fact]!r} here and "
        f"{base.result.components[part].facts.get(fact)!r} in {base.result.name}: the models that "
        "are fitted inside training parts differ from those behind its predictions."
        for part, now in component_records(base.plan, encoded).items()
        for fact in ("fingerprint", "version")
        if fact in now.facts and now.facts[fact] != base.result.components[part].facts.get(fact)
    )


def _name(member: Member, corpus: Corpus) -> str:
    """Name a model by the clips on both sides, the units that it keeps whole, and its seed."""
    ids = np.array(corpus.ids)
    fold = member.fold
    sides = [ids[fold.train].tolist(), ids[fold.test].tolist(), member.groups[fold.train].tolist()]
    return _digest([sides, member.seed])


def _digest(depends: object) -> str:
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()[:32]


def _fit_missing(tasks: Sequence[_Task], jobs: int) -> None:
    """Fit what is not stored, the slowest first, and store each when it is done."""
    missing = [task for task in tasks if _stored(task) is None]
    missing.sort(key=lambda task: not task.material.head.slow)
    failed: list[Exception] = []
    payloads = [(task.material, task.member) for task in missing]
    outcomes = run_where_it_pays(_fit, payloads, jobs)
    for index, outcome in track(outcomes, len(missing), "fit inside training parts", "model"):
        if isinstance(outcome, Exception):
            failed.append(outcome)
            continue
        fitted, cpu_s = outcome
        test = missing[index].member.fold.test
        words = {"cpu_s": f"{cpu_s:.3f}"}
        write_arrays(missing[index].path, {"clips": test, "values": fitted.predicted}, words)
    if failed:
        raise failed[0]


def _fit(task: tuple[Material, Member]) -> tuple[Fitted, float]:
    started = time.process_time()
    fitted = fit_and_predict(*task)
    return fitted, time.process_time() - started


def _stored(task: _Task) -> ArrayFile | None:
    """Read what a model predicted; None if there is nothing, or not what is expected."""
    stored = read_arrays(task.path)
    test = task.member.fold.test
    expected = (len(test), task.material.y.shape[1])
    if (
        stored is None
        or not np.array_equal(stored.arrays.get("clips", ()), test)
        or getattr(stored.arrays.get("values"), "shape", None) != expected
    ):
        return None
    return stored


def _collect(
    tasks: Sequence[_Task], split: Split, corpus: Corpus, limits: tuple[str, ...]
) -> InnerPredictions:
    """Put the predictions of a base's models together, averaged over seeds."""
    shape = (len(split.folds), *corpus.targets.shape)
    total: FloatArray = np.zeros(shape)
    count: NDArray[np.int64] = np.zeros(shape[:2], dtype=np.int64)
    cpu_s = 0.0
    for task in tasks:
        stored = _stored(task)
        if stored is None:
            raise ResultError(
                f"{task.path} is gone since it was written. Something else deletes files of the "
                "cache: carry out the study again when it has ended."
            )
        place, test = task.member.split, task.member.fold.test
        total[place, test] += stored.arrays["values"]
        count[place, test] += 1
        cpu_s += float(stored.words["cpu_s"])
    values = {
        fold.name: total[place, fold.train] / count[place, fold.train, None]
        for place, fold in enumerate(split.folds)
    }
    return InnerPredictions(values, len(tasks), cpu_s, limits)
