"""The library of models, imported when it is needed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pianobench import DependencyError

__all__ = ["import_transformers", "quiet"]


def import_transformers() -> Any:
    """Import transformers.

    Raises
    ------
    DependencyError
        If it, or torch, cannot be imported.
    """
    try:
        import torch  # noqa: F401 - transformers imports without it, and fails later
        import transformers
    except ImportError as error:
        raise DependencyError(
            f"hf needs torch and transformers, which cannot be imported: {error}. "
            'Install them: pip install "pianobench[models]"'
        ) from error
    return transformers


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from reporting what is checked here, and from drawing bars."""
    logging = import_transformers().utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
