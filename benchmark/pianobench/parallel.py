"""Work over all cores: one single-threaded process per core, results as they come.

Processes are spawned, not forked: a fork of a process whose libraries run threads can hang. Each
keeps its numerical libraries to one thread, since one process per core is the best use of cores
and since results must not depend on how many threads happened to run.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from threadpoolctl import threadpool_limits

from .errors import WorkerError

__all__ = ["run_all", "run_where_it_pays", "usable_cores"]

T = TypeVar("T")
R = TypeVar("R")
# Starting processes and importing libraries in them takes a second or two each.
_WORTH_PROCESSES_S = 3.0
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def usable_cores() -> int:
    """Count the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_all(
    function: Callable[[T], R], tasks: Sequence[T], jobs: int
) -> Iterator[tuple[int, R | Exception]]:
    """Call a function on every task, in several processes where that pays.

    Parameters
    ----------
    function : callable
        Importable by name; it and the tasks are pickled.
    tasks : sequence
    jobs : int
        Number of processes; with 1, or a single task, everything runs in this one.

    Yields
    ------
    index, outcome
        In order of completion. An exception that the task raised is the outcome, so that one
        bad clip does not cost the others.

    Raises
    ------
    WorkerError
        If a process was killed.
    """
    if jobs <= 1 or len(tasks) <= 1:
        for index, task in enumerate(tasks):
            with threadpool_limits(1):
                outcome = _outcome(function, task)
            yield index, outcome
        return
    saved = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    pool = ProcessPoolExecutor(
        min(jobs, len(tasks)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_end_with_parent,
    )
    try:
        running = {pool.submit(_outcome, function, task): i for i, task in enumerate(tasks)}
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
    except BrokenProcessPool as error:
        raise WorkerError(
            f"One of {jobs} worker processes was killed, most likely for lack of memory. What was "
            "finished is kept: run it again with fewer --jobs."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def run_where_it_pays(
    function: Callable[[T], R],
    tasks: Sequence[T],
    jobs: int,
    before_processes: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, R | Exception]]:
    """Call a function on every task as `run_all` does, starting processes only for long work.

    Parameters
    ----------
    function, tasks, jobs
        See `run_all`.
    before_processes : callable
        Called once before processes start, for example to free what they will load themselves.

    Yields
    ------
    index, outcome
        The first task's first: it is done in this process, to learn how long the rest will take.
    """
    started = time.monotonic()
    yield from run_all(function, tasks[:1], 1)
    if (time.monotonic() - started) * (len(tasks) - 1) < _WORTH_PROCESSES_S:
        jobs = 1
    elif jobs > 1:
        before_processes()
    for index, outcome in run_all(function, tasks[1:], jobs):
        yield index + 1, outcome


def _end_with_parent() -> None:
    """Leave no worker behind when the process that started it is killed."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _outcome(function: Callable[[T], R], task: T) -> R | Exception:
    try:
        return function(task)
    except Exception as error:  # noqa: BLE001 - the caller decides what a failed task means
        return error if _travels(error) else WorkerError(f"{type(error).__name__}: {error}")


def _travels(error: Exception) -> bool:
    """Tell whether an exception can be pickled; one that cannot would look like a killed worker."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - it was pickled here
    except Exception:  # noqa: BLE001 - constructors fail in any way they like
        return False
    return True
