"""What a check is, and how promises are checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckFailedError, CheckpointAbsentError, DependencyError

__all__ = ["Check", "NotRunError", "check_after_first", "check_each", "require", "require_equal"]

Promise = Callable[[Any], None]
"""A function of a component, or of a trial of one; its name, with spaces, is the check's name.

It raises `CheckFailedError` where the promise is broken.
"""
Figure = Callable[[Any], str]
"""The same for what nothing promises: it returns what it measured."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise of a contract and whether it is kept, or a figure that nothing promises.

    Attributes
    ----------
    name : str
    passed : bool or None
        None where it was not run, and for a figure.
    detail : str
        What was found, or why it was not run; empty where it passed.
    reported : bool
        True for a figure.
    """

    name: str
    passed: bool | None
    detail: str = ""
    reported: bool = False

    def __str__(self) -> str:
        if self.reported:
            return f"{self.name}: {self.detail}"
        outcome = {True: "passed", False: "failed", None: "not run"}[self.passed]
        return f"{self.name}: {outcome}. {self.detail}".removesuffix(". ")


class NotRunError(Exception):
    """A check that cannot be carried out here, and why."""


def check_each(promises: Sequence[Promise], subject: object) -> list[Check]:
    """Check promises that do not build on one another."""
    return [_check(promise, subject) for promise in promises]


def check_after_first(
    promises: Sequence[Promise], subject: object, figures: Sequence[Figure] = ()
) -> list[Check]:
    """Check promises that build on the first: where it does not pass, they are not run.

    Nor are the figures, which follow; one that cannot be measured is not run either.
    """
    first = _check(promises[0], subject)
    if first.passed:
        measured = [_measure(figure, subject) for figure in figures]
        return [first, *check_each(promises[1:], subject), *measured]
    reason = f"{first.name!r} failed." if first.passed is False else first.detail
    return [first, *(Check(_name(other), None, reason) for other in (*promises[1:], *figures))]


def require(kept: bool, otherwise: str) -> None:
    """Raise `CheckFailedError` with the message unless the promise is kept."""
    if not kept:
        raise CheckFailedError(otherwise)


def require_equal(
    what: str, one: NDArray[Any], other: NDArray[Any], tolerance: float = 0.0
) -> None:
    """Require equal shapes, and values equal within a share of the largest.

    Parameters
    ----------
    what : str
        What the two arrays should have in common, to begin the message with.
    one, other : array
    tolerance : float
        Relative to the largest absolute value of `one`.
    """
    require(one.shape == other.shape, f"{what}: shapes {one.shape} and {other.shape}.")
    require(bool(np.isfinite(one).all() and np.isfinite(other).all()), f"{what}: not all finite.")
    largest = float(np.abs(one).max(initial=0.0))
    apart = float(np.abs(one - other).max(initial=0.0))
    require(
        apart <= tolerance * largest,
        f"{what}: they differ by {apart:.3g}, values reach {largest:.3g}, allowed is "
        f"{tolerance:.0e} of that.",
    )


def _check(promise: Promise, subject: object) -> Check:
    try:
        promise(subject)
    except (CheckpointAbsentError, DependencyError, NotRunError) as reason:
        return Check(_name(promise), None, str(reason))
    except CheckFailedError as found:
        return Check(_name(promise), False, str(found))
    except Exception as error:  # noqa: BLE001 - a plugin may fail in any way it likes
        return Check(_name(promise), False, f"It raised {type(error).__name__}: {error}")
    return Check(_name(promise), True)


def _measure(figure: Figure, subject: object) -> Check:
    try:
        return Check(_name(figure), None, figure(subject), reported=True)
    except NotRunError as reason:
        return Check(_name(figure), None, str(reason))
    except Exception as error:  # noqa: BLE001 - a plugin may fail in any way it likes
        return Check(_name(figure), None, f"{type(error).__name__}: {error}")


def _name(promise: Callable[[Any], object]) -> str:
    return promise.__name__.replace("_", " ")
