"""Where files lie: what is given comes before what the environment names."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from pianobench.places import cache_at, cache_root, data_root


def test_the_environment_names_cache_and_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIANOBENCH_CACHE", "some/cache")
    monkeypatch.setenv("PIANOBENCH_DATA", "some/data")
    assert cache_root() == Path("some/cache")
    assert data_root() == Path("some/data")
    assert data_root(Path("given")) == Path("given")


def test_without_it_the_users_own_folders_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIANOBENCH_CACHE", raising=False)
    monkeypatch.delenv("PIANOBENCH_DATA", raising=False)
    assert cache_root() == Path(platformdirs.user_cache_dir("pianobench"))
    assert data_root() == Path(platformdirs.user_data_dir("pianobench"))


def test_a_cache_can_be_lent_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIANOBENCH_CACHE", "usual")
    with cache_at(Path("lent")):
        assert cache_root() == Path("lent")
    assert cache_root() == Path("usual")
    monkeypatch.delenv("PIANOBENCH_CACHE")
    with cache_at(Path("lent")):
        assert cache_root() == Path("lent")
    assert cache_root() == Path(platformdirs.user_cache_dir("pianobench"))
