"""Where files live: the cache and the data root. No other module reads the environment for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

__all__ = ["cache_at", "cache_root", "data_root"]


def cache_root() -> Path:
    """Folder of renders, features and generated corpora: ``PIANOBENCH_CACHE`` or the user's."""
    given = os.environ.get("PIANOBENCH_CACHE")
    return Path(given) if given else Path(platformdirs.user_cache_dir("pianobench"))


@contextmanager
def cache_at(folder: Path) -> Iterator[None]:
    """Make a folder the `cache_root`, here and in processes that are started meanwhile."""
    saved = os.environ.get("PIANOBENCH_CACHE")
    os.environ["PIANOBENCH_CACHE"] = str(folder)
    try:
        yield
    finally:
        if saved is None:
            del os.environ["PIANOBENCH_CACHE"]
        else:
            os.environ["PIANOBENCH_CACHE"] = saved


def data_root(given: Path | None = None) -> Path:
    """Folder that holds one folder per dataset.

    Parameters
    ----------
    given : Path, optional
        ``--data-root``; else ``PIANOBENCH_DATA``; else where `bench fetch` downloads to.
    """
    if given is not None:
        return given
    named = os.environ.get("PIANOBENCH_DATA")
    return Path(named) if named else Path(platformdirs.user_data_dir("pianobench"))
