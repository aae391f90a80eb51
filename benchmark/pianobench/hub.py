"""Files of models on the Hugging Face hub, and why they cannot be had in one paragraph."""

from __future__ import annotations

from logging import ERROR
from pathlib import Path

from .errors import CheckpointAbsentError, DependencyError

__all__ = ["download"]


def download(repository: str, revision: str | None, file: str) -> Path | None:
    """Find one file of a model, in the hub's own cache if there is no network.

    Parameters
    ----------
    repository : str
        Such as ``org/model``.
    revision : str, optional
        Branch, tag or commit; the main branch when not given.
    file : str

    Returns
    -------
    Path or None
        None where the model has no such file.

    Raises
    ------
    CheckpointAbsentError
        If there is no such model or revision, or the file cannot be had without a network.
    DependencyError
        If huggingface-hub is not installed.
    """
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import (
            EntryNotFoundError,
            HFValidationError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
        from huggingface_hub.utils import logging
    except ImportError as error:
        raise DependencyError(
            f"The checkpoint {repository!r} lies on the Hugging Face hub, and huggingface-hub is "
            'not installed: pip install "pianobench[models]"'
        ) from error
    # It reports each of its attempts; what they come to is said once, below.
    verbosity = logging.get_verbosity()
    logging.set_verbosity(ERROR)
    try:
        return Path(hf_hub_download(repository, file, revision=revision))
    except HFValidationError as error:
        raise CheckpointAbsentError(
            f"The name {repository!r} cannot be one of a model on the hub: {error} Name a folder, "
            "or a model as org/model."
        ) from error
    except RevisionNotFoundError as error:
        raise CheckpointAbsentError(
            f"The model {repository!r} has no revision {revision!r}. Name a branch, tag or commit "
            "that it has."
        ) from error
    except RepositoryNotFoundError as error:
        raise CheckpointAbsentError(
            f"There is no model {repository!r} on the hub, or it may not be read without a token: "
            "see `hf auth login`."
        ) from error
    except LocalEntryNotFoundError as error:
        raise CheckpointAbsentError(
            f"The checkpoint {repository!r} cannot be downloaded and was not downloaded before "
            f"({file}): the hub cannot be reached. Connect, or name a folder that holds it."
        ) from error
    except EntryNotFoundError:
        return None
    except OSError as error:
        raise CheckpointAbsentError(
            f"The checkpoint {repository!r} cannot be downloaded ({file}): {error}. Check the "
            "network and the disk, or name a folder that holds it."
        ) from error
    finally:
        logging.set_verbosity(verbosity)
