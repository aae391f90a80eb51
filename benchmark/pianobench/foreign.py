"""Somebody else's code, run here: whatever it raises becomes one paragraph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import DependencyError, PianobenchError, PluginError

__all__ = ["told"]


@contextmanager
def told(what: str, remedy: str) -> Iterator[None]:
    """Tell what failed, and what to do, when the code within raises.

    Parameters
    ----------
    what : str
        What failed, such as ``"The encoder file a.py cannot be run"``.
    remedy : str
        What to do, as a sentence.

    Raises
    ------
    DependencyError
        If something it imports is not installed.
    PluginError
        If it raises anything else; deliberate errors are left as they are.
    """
    try:
        yield
    except PianobenchError:
        raise
    except ImportError as error:
        raise DependencyError(f"{what}: {error}. Install what it imports.") from error
    except Exception as error:
        said = " ".join(str(error).split())
        raise PluginError(f"{what}: {type(error).__name__}: {said}. {remedy}") from error
