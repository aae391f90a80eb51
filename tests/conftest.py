"""What all tests share: the data root, and caches that leave the user's alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("data") and not _percepiano().is_dir():
        pytest.skip(f"PercePiano is not at {_percepiano()}; set PIANOBENCH_DATA")


def _percepiano() -> Path:
    return Path(os.environ.get("PIANOBENCH_DATA", "unset")) / "percepiano"


@pytest.fixture
def data_root() -> Path:
    """Folder that holds one folder per dataset; for tests marked `data`."""
    return Path(os.environ["PIANOBENCH_DATA"])


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test its own cache folder."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PIANOBENCH_CACHE", str(cache))
    return cache
