"""Clips that failed while the others went on: one error tells of all of them."""

from __future__ import annotations

from collections.abc import Mapping

from .errors import (
    AudioError,
    DataError,
    DependencyError,
    EncodingError,
    MidiError,
    PianobenchError,
    PluginError,
)

__all__ = ["together"]

_NAMED = 3
# Not the class itself: a plugin may derive one that takes more than a message.
_KINDS = (MidiError, AudioError, DataError, EncodingError, PluginError, DependencyError)


def together(
    failures: Mapping[str, PianobenchError], what: str, named_as: str = "Clip"
) -> PianobenchError:
    """Make one error of many.

    Parameters
    ----------
    failures : mapping of str to PianobenchError
        By clip id, at least one; the first decides what kind of error is made.
    what : str
        How many clips failed at what, as the sentence that the message begins with.
    named_as : str
        What is called by these ids, where it is not clips.

    Returns
    -------
    PianobenchError
        Its `failures` are those given.
    """
    first = next(iter(failures.values()))
    kind = next((kind for kind in _KINDS if isinstance(first, kind)), PianobenchError)
    named = " ".join(
        _named(f"{named_as} {name!r}", str(error))
        for name, error in list(failures.items())[:_NAMED]
    )
    more = f" And {len(failures) - _NAMED} more." if len(failures) > _NAMED else ""
    error = kind(f"{what} {named}{more}")
    error.failures = dict(failures)
    return error


def _named(whose: str, message: str) -> str:
    """Say whose error it is, once: many messages begin with it."""
    return message if message.startswith(whose) else f"{whose}: {message}"
