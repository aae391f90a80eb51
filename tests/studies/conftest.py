"""What the studies of stored results share: two results on the demo corpus."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pianobench.config import RunConfig
from pianobench.places import cache_at
from pianobench.plan import plan_run
from pianobench.plugins import Registry
from pianobench.run import Workplace, run
from pianobench.studies import inner_predictions


@pytest.fixture(scope="session")
def demo_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features and two results that several studies read."""
    shared = tmp_path_factory.mktemp("shared")
    workplace = Workplace(shared / "results", shared / "cache", jobs=1)
    with cache_at(workplace.cache):
        for head in ("ridge", "kernel-ridge"):
            given = {"dataset": "demo", "encoder": "midi-stats", "head": head}
            config = RunConfig.parse({**given, "protocols": ["piece", "work"]}, "test")
            run(plan_run(config, Registry()), Registry(), workplace)
    return shared


@pytest.fixture
def results(demo_results: Path) -> list[Path]:
    return sorted((demo_results / "results").glob("demo-*"))


@pytest.fixture
def place(tmp_path: Path, own_cache: Path, demo_results: Path) -> Iterator[Workplace]:
    """A place with features, and without inner predictions."""
    shutil.copytree(demo_results / "cache", tmp_path / "cache")
    with cache_at(tmp_path / "cache"):
        yield Workplace(tmp_path / "studies", tmp_path / "cache", jobs=1)


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every model that is fitted inside a training part."""
    members: list[Any] = []
    really = inner_predictions.fit_and_predict

    def counted(material: Any, member: Any) -> Any:
        members.append(member)
        return really(material, member)

    monkeypatch.setattr(inner_predictions, "fit_and_predict", counted)
    return members
