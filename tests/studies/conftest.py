"""What studies share: two results on demo, and a model of demo for an invented ASAP."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pianobench.config import RunConfig
from pianobench.places import cache_at
from pianobench.plan import plan_run
from pianobench.plugins import Registry
from pianobench.run import Workplace, run
from pianobench.studies import inner_predictions
from pianobench.studies.applied import Application, plan_application


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


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture
def at(tmp_path: Path, own_cache: Path, features: Path, asap_root: Path) -> Iterator[Workplace]:
    """Where studies of the invented ASAP work."""
    with cache_at(features):
        yield Workplace(tmp_path / "studies", features, asap_root, jobs=1)


@pytest.fixture
def asked() -> Callable[..., Application]:
    """Ask for midi-stats and ridge, fitted on demo and applied to ASAP."""

    def ask(dataset: str = "asap", **how: Any) -> Application:
        given = {"dataset": dataset, "encoder": "midi-stats", "head": "ridge"}
        return plan_application(RunConfig.parse(given, "test"), "demo", Registry(), **how)

    return ask


@pytest.fixture
def list_also(asap_root: Path) -> Callable[..., None]:
    """Add a performance to the invented ASAP, of Bach's Prelude by default."""

    def add(name: str, content: bytes, title: str = "Prelude") -> None:
        metadata = asap_root / "asap" / "metadata.csv"
        with metadata.open(newline="") as file:
            rows = list(csv.DictReader(file))
        (first, *_) = [row for row in rows if row["title"] == title]
        place = f"{first['folder']}/{name}.mid"
        (asap_root / "asap" / place).write_bytes(content)
        rows.append({**first, "midi_performance": place})
        with metadata.open("w", newline="") as file:
            table = csv.DictWriter(file, list(first))
            table.writeheader()
            table.writerows(rows)

    return add
