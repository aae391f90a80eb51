"""Carries out a sweep: many runs that share what they can, each stored as `bench run` stores it.

::

    cells --plan--> not stored yet --render, encode once--> models of all cells --one pool-->
    predictions of a cell complete --score--> its result folder

Every clip is encoded once for all cells that read the same features. The models of all cells,
folds and seeds then pass through one pool of single-threaded processes, those that take longest
first, and a cell is stored as soon as its last model is fitted: a sweep that is killed loses the
cells in flight, and one cell that fails costs the others nothing.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from .encode import Encoded
from .errors import PianobenchError, ResultError
from .evaluate import OutOfFold, Selection, assemble, members_of
from .fitting import Fitted, Material, Member, fit_and_predict
from .frame_encoding import EncodedFrames
from .inner_folds import inner_splits
from .nested import InnerPlace
from .parallel import run_where_it_pays
from .plan import Plan
from .plugins import Registry
from .predictions import write_predictions
from .progress import track
from .record import data_record
from .result import predictions_name, writing
from .run import (
    Evaluated,
    Workplace,
    ensemble_of,
    features_of,
    keep_predictions,
    load_scorable,
    load_splits,
    record,
)
from .stored_features import StoredFeatures
from .sweep_encoding import Encodings
from .sweep_plan import PlannedCell, SweepPlan, stored_result
from .values import Split

__all__ = ["Ground", "Missing", "find_missing", "prepare", "sweep"]

_Evaluation = tuple[tuple[Split, ...], Selection]
_ABANDONED_S = 24 * 3600.0


@dataclass(frozen=True)
class Ground:
    """What all cells of a sweep stand on.

    Attributes
    ----------
    evaluated : Evaluated
        Corpus and folds.
    inner : InnerPlace or None
        Where predictions on inner folds go; None where nothing is to be chosen.
    """

    evaluated: Evaluated
    inner: InnerPlace | None


@dataclass(frozen=True)
class Missing:
    """A cell of which something is not stored: its result, its inner predictions or both."""

    cell: PlannedCell
    result: bool
    inner: bool

    def members(self, ground: Ground) -> list[Member]:
        """List the models to be fitted."""
        plan = self.cell.plan
        return [
            member
            for splits, _ in _evaluations(self, ground).values()
            for member in members_of(plan.head, ground.evaluated.corpus, splits, plan.config.seeds)
        ]


def prepare(plan: SweepPlan, workplace: Workplace, chosen_by: str | None = None) -> Ground:
    """Read the corpus and its folds.

    Parameters
    ----------
    plan : SweepPlan
    workplace : Workplace
    chosen_by : str, optional
        Protocol by which a cell is to be chosen inside training parts.

    Raises
    ------
    DataError
        If the dataset is absent.
    SplitError
        If it cannot be divided so.
    """
    first = plan.cells[0].plan
    corpus = load_scorable(first, workplace)
    splits = load_splits(first, corpus)
    inner = None
    if chosen_by is not None:
        divided = inner_splits(corpus, splits[chosen_by])
        inner = InnerPlace(workplace.results, corpus, chosen_by, divided)
    return Ground(Evaluated(corpus, data_record(corpus), splits), inner)


def find_missing(plan: SweepPlan, ground: Ground, results: Path) -> list[Missing]:
    """Find the cells that have to be run, wholly or in part."""
    evaluated, inner = ground.evaluated, ground.inner
    found = []
    for cell in plan.cells:
        stored = stored_result(cell.plan, results, evaluated.data.digest, evaluated.splits)
        lacks_inner = inner is not None and not inner.holds(cell.plan.config)
        if stored is None or lacks_inner:
            found.append(Missing(cell, stored is None, lacks_inner))
    return found


def sweep(
    missing: list[Missing], ground: Ground, registry: Registry, workplace: Workplace
) -> dict[str, PianobenchError]:
    """Run what is missing and store it, cell by cell.

    Returns
    -------
    dict of str to PianobenchError
        Why cells could not be run, by the name of their result; all others are stored.

    Raises
    ------
    ResultError
        If results cannot be written.
    WorkerError
        If a process was killed. What was stored stays.
    """
    _require_writable(workplace.results)
    failed: dict[str, PianobenchError] = {}
    with _scratch(workplace.cache) as scratch:
        work = list(_at_work(missing, ground, workplace, scratch, failed))
        # The longest first, so that no core waits at the end for one that began late.
        work.sort(key=lambda at: (not at.plan.head.slow, -len(at.plan.layers)))
        tasks = [(at, name, i) for at in work for name, i in at.tasks()]
        payloads = [at.batches[name].task(i) for at, name, i in tasks]
        outcomes = run_where_it_pays(_fit, payloads, workplace.jobs)
        for index, outcome in track(outcomes, len(tasks), "fit", "model"):
            at, name, member = tasks[index]
            if isinstance(outcome, PianobenchError):
                failed.setdefault(at.plan.name, outcome)
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                at.batches[name].add(member, *outcome)
            if at.complete and at.plan.name not in failed:
                try:
                    _store(at, ground, registry, workplace)
                except PianobenchError as error:
                    failed[at.plan.name] = error
                at.forget()
    return failed


@dataclass
class _Batch:
    """Models whose predictions belong together, and what has come of them so far."""

    splits: tuple[Split, ...]
    material: Material
    members: list[Member]
    fitted: dict[int, Fitted] = field(default_factory=dict)
    seconds: float = 0.0

    def task(self, member: int) -> tuple[Material, Member]:
        return self.material, self.members[member]

    def add(self, member: int, fitted: Fitted, seconds: float) -> None:
        self.fitted[member] = fitted
        self.seconds += seconds


@dataclass
class _AtWork:
    """A cell whose models are being fitted."""

    plan: Plan
    encoded: Encoded | EncodedFrames
    timings: dict[str, float]
    batches: dict[str, _Batch]

    @property
    def complete(self) -> bool:
        return all(len(batch.fitted) == len(batch.members) for batch in self.batches.values())

    def tasks(self) -> list[tuple[str, int]]:
        return [(n, i) for n, batch in self.batches.items() for i in range(len(batch.members))]

    def forget(self) -> None:
        """Let go of predictions that are stored."""
        for batch in self.batches.values():
            batch.fitted = dict.fromkeys(batch.fitted, Fitted(batch.material.y[:0], {}))


def _evaluations(
    missing: Missing, ground: Ground
) -> dict[str, tuple[tuple[Split, ...], Selection]]:
    """Say what a cell lacks, by name: the splits to be evaluated, and how training stops."""
    config = missing.cell.plan.config
    outside = tuple(ground.evaluated.splits.values())
    found: dict[str, _Evaluation] = {}
    if missing.result:
        found["scored"] = (outside, config.selection)
        if config.optimism:
            found["peeked"] = (outside, "test-fold")
    if missing.inner and ground.inner is not None:
        found["inner"] = (tuple(ground.inner.splits.values()), "nested")
    return found


def _at_work(
    missing: list[Missing],
    ground: Ground,
    workplace: Workplace,
    scratch: Path,
    failed: dict[str, PianobenchError],
) -> Iterator[_AtWork]:
    """Encode what cells read, and list their models."""
    corpus = ground.evaluated.corpus
    alone = [plan for one in missing for plan in one.cell.plan.by_renderer()]
    encodings = Encodings(alone, corpus, workplace)
    for one in missing:
        plan = one.cell.plan
        try:
            found = [encodings.of(alone) for alone in plan.by_renderer()]
            x = features_of(plan, *(each.encoded for each in found))
        except PianobenchError as error:
            failed[plan.name] = error
            continue
        if isinstance(x, StoredFeatures):
            x = replace(x, scratch=scratch)
        batches = {
            name: _Batch(
                splits,
                Material.of(
                    plan.head,
                    x,
                    corpus,
                    ensemble=ensemble_of(plan, corpus),
                    weighting=plan.config.weighting,
                    peek=selection == "test-fold",
                ),
                members_of(plan.head, corpus, splits, plan.config.seeds),
            )
            for name, (splits, selection) in _evaluations(one, ground).items()
        }
        timings = {stage: sum(each.timings[stage] for each in found) for stage in found[0].timings}
        yield _AtWork(plan, found[0].encoded, timings, batches)


def _fit(task: tuple[Material, Member]) -> tuple[Fitted, float]:
    """Fit one model; with the seconds that it took."""
    started = time.perf_counter()
    fitted = fit_and_predict(*task)
    return fitted, time.perf_counter() - started


def _store(at: _AtWork, ground: Ground, registry: Registry, workplace: Workplace) -> None:
    """Store a cell that is complete, as a run would."""
    corpus = ground.evaluated.corpus
    predicted: Mapping[str, list[OutOfFold]] = {
        name: assemble(
            corpus, batch.splits, batch.members, [batch.fitted[i] for i in sorted(batch.fitted)]
        )
        for name, batch in at.batches.items()
    }
    if "inner" in predicted and ground.inner is not None:
        ground.inner.write(at.plan.config, predicted["inner"])
    if "scored" not in predicted:
        return
    registry.hook.bench_run_started(config=at.plan.config.model_dump(mode="json"))
    # As long as a run would have taken with all processes at work for it alone.
    timings = at.timings | {"evaluate": at.batches["scored"].seconds / workplace.jobs}
    with writing(workplace.results, at.plan.name) as folder:
        scored = predicted["scored"]
        for protocol, found in zip(ground.evaluated.splits, scored, strict=True):
            keep_predictions(folder, protocol, corpus, found)
        if "peeked" in predicted:
            for protocol, found in zip(ground.evaluated.splits, predicted["peeked"], strict=True):
                write_predictions(folder / predictions_name(protocol, "test-fold"), corpus, found)
        result = record(folder, at.plan, ground.evaluated, at.encoded, scored, timings, workplace)
    registry.hook.bench_run_finished(result=result.model_dump(mode="json"))


def _require_writable(results: Path) -> None:
    """Learn before anything is fitted that results could not be written."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=results):
            pass
    except OSError as error:
        raise ResultError(
            f"Cannot write results into {results}: {error.strerror}. Name another folder."
        ) from error


@contextmanager
def _scratch(cache: Path) -> Iterator[Path]:
    """Make a folder for what models share, and remove it and those of killed sweeps."""
    root = cache / "scratch"
    root.mkdir(parents=True, exist_ok=True)
    for path in root.iterdir():
        if time.time() - path.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(path, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=root, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
