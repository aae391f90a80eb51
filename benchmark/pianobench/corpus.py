"""A dataset's folder and its corpus, the same for every command."""

from __future__ import annotations

from pathlib import Path

from .components import Dataset
from .errors import PianobenchError, PluginError
from .places import cache_root, data_root
from .values import Corpus

__all__ = ["dataset_folder", "load_corpus"]


def dataset_folder(dataset: Dataset, root: Path | None = None, cache: Path | None = None) -> Path:
    """Locate a dataset's own folder: below the data root, or in the cache if it is generated."""
    if dataset.generated:
        return (cache or cache_root()) / "generated" / dataset.name
    return data_root(root) / dataset.name


def load_corpus(dataset: Dataset, root: Path | None = None, cache: Path | None = None) -> Corpus:
    """Load a corpus with its clips in order of their ids.

    Parameters
    ----------
    dataset : Dataset
    root : Path, optional
        ``--data-root``, the folder that holds one folder per dataset.
    cache : Path, optional
        ``--cache``, where a generated corpus lies.

    Raises
    ------
    DataError
        If the dataset is absent, incomplete or inconsistent.
    PluginError
        If reading it fails in a way the plugin did not foresee.
    """
    folder = dataset_folder(dataset, root, cache)
    try:
        return dataset.load(folder).ordered()
    except (PianobenchError, OSError):
        raise
    except Exception as error:
        raise PluginError(
            f"The dataset {dataset.name!r} failed to load {folder}: {type(error).__name__}: "
            f"{error}. `bench check {dataset.name}` shows which promise it breaks."
        ) from error
