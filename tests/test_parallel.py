"""Work in processes: every outcome comes back, in one thread each, and nothing stays behind."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pianobench.errors import WorkerError
from pianobench.parallel import run_all, run_where_it_pays, usable_cores


def test_every_outcome_comes_back_with_its_index() -> None:
    found = dict(run_all(math.sqrt, [4.0, 9.0, 16.0], jobs=2))
    assert found == {0: 2.0, 1: 3.0, 2: 4.0}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_task_that_fails_is_an_outcome_and_costs_no_other(jobs: int) -> None:
    found = dict(run_all(math.sqrt, [4.0, -1.0, 16.0], jobs))
    assert isinstance(found[1], ValueError)
    assert (found[0], found[2]) == (2.0, 4.0)


def test_processes_keep_numerical_libraries_to_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    found = dict(run_all(os.getenv, ["OMP_NUM_THREADS", "MKL_NUM_THREADS"], jobs=2))
    assert set(found.values()) == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_short_work_is_done_in_this_process_and_long_work_in_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    names = ["OMP_NUM_THREADS"] * 3
    released: list[bool] = []
    short = dict(run_where_it_pays(os.getenv, names, 2, lambda: released.append(True)))
    assert short == dict.fromkeys(range(3), "7")
    monkeypatch.setattr("pianobench.parallel._WORTH_PROCESSES_S", 0.0)
    long = dict(run_where_it_pays(os.getenv, names, 2, lambda: released.append(True)))
    assert long == {0: "7", 1: "1", 2: "1"}
    assert released == [True]


def test_a_killed_process_is_said() -> None:
    with pytest.raises(WorkerError, match="fewer --jobs"):
        list(run_all(os._exit, [3, 3], jobs=2))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="processes are found in /proc")
def test_workers_end_when_the_process_that_started_them_is_killed() -> None:
    code = (
        "import os, time\n"
        "from pianobench.parallel import run_all\n"
        "if __name__ == '__main__':\n"
        "    for _, outcome in run_all(time.sleep, [0, 60, 60], 2):\n"
        "        print('started', flush=True)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "started\n"
    workers = _children(parent.pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while any(_alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert workers
    assert not [worker for worker in workers if _alive(worker)]


def test_there_is_a_core_to_use() -> None:
    assert usable_cores() >= 1


def _children(process: int) -> list[int]:
    names = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [int(name) for name in names if f"PPid:\t{process}\n" in _status(int(name))]


def _status(process: int) -> str:
    try:
        return Path(f"/proc/{process}/status").read_text()
    except OSError:
        return ""


def _alive(process: int) -> bool:
    status = _status(process)
    return bool(status) and "State:\tZ" not in status
