"""Where files live: the cache and the data root. No other module reads the environment for them."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

__all__ = ["cache_root", "data_root"]


def cache_root() -> Path:
    """Folder of renders, features and generated corpora: ``PIANOBENCH_CACHE`` or the user's."""
    given = os.environ.get("PIANOBENCH_CACHE")
    return Path(given) if given else Path(platformdirs.user_cache_dir("pianobench"))


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
