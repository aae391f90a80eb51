"""A dataset's folder and its corpus, the same for every command."""

from __future__ import annotations

from pathlib import Path

from .components import Dataset
from .places import cache_root, data_root
from .values import Corpus

__all__ = ["dataset_folder", "load_corpus"]


def dataset_folder(dataset: Dataset, root: Path | None = None) -> Path:
    """Locate a dataset's own folder: below the data root, or in the cache if it is generated."""
    if dataset.generated:
        return cache_root() / "generated" / dataset.name
    return data_root(root) / dataset.name


def load_corpus(dataset: Dataset, root: Path | None = None) -> Corpus:
    """Load a corpus with its clips in order of their ids.

    Parameters
    ----------
    dataset : Dataset
    root : Path, optional
        ``--data-root``, the folder that holds one folder per dataset.

    Raises
    ------
    DataError
        If the dataset is absent, incomplete or inconsistent.
    """
    return dataset.load(dataset_folder(dataset, root)).ordered()
