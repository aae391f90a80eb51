"""Entries of a dataset that cannot be used: refused by name, or left out and counted.

A dataset's plugin gathers a `Fault` for every entry it cannot use and hands them all to `sift`, so
that a user learns of all of them at once, and nothing is left out that was not asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from .errors import DataError, MidiError
from .notes import read_notes
from .values import LeftOut

__all__ = ["Fault", "Unusable", "absent", "sift", "unreadable"]

Unusable = Literal["refuse", "skip"]
"""What to do with entries that cannot be used."""

_NAMED = 3


class Fault(NamedTuple):
    """Why an entry cannot be used: the kind of fault, by which it is counted, and what was seen."""

    why: str
    detail: str


def sift(
    dataset: str, entries: int, faults: Mapping[str, Fault], unusable: Unusable
) -> tuple[LeftOut, ...]:
    """Refuse entries that cannot be used, or say which are left out.

    Parameters
    ----------
    dataset : str
    entries : int
        All that the dataset lists.
    faults : mapping of str to Fault
        By the name of the entry.
    unusable : {"refuse", "skip"}

    Returns
    -------
    tuple of LeftOut
        One per kind of fault, in the order in which they first occur.

    Raises
    ------
    DataError
        If there are faults and they are not to be skipped, or no entry is without.
    """
    if not faults:
        return ()
    if unusable == "refuse" or len(faults) >= entries:
        named = "; ".join(
            f"{name!r}: {fault.why}, {fault.detail}"
            for name, fault in list(faults.items())[:_NAMED]
        )
        more = f"; and {len(faults) - _NAMED:,} more" if len(faults) > _NAMED else ""
        remedy = (
            "Put right what is named, or leave it out with --set dataset.unusable=skip."
            if len(faults) < entries
            else "Nothing is left: this is not the folder of the dataset, or it is incomplete."
        )
        raise DataError(
            f"{len(faults):,} of the {entries:,} entries of {dataset} cannot be used: "
            f"{named}{more}. {remedy}"
        )
    kinds = dict.fromkeys(fault.why for fault in faults.values())
    return tuple(
        LeftOut(why, tuple(sorted(name for name, fault in faults.items() if fault.why == why)))
        for why in kinds
    )


def absent(files: Iterable[tuple[str, Path]]) -> Fault | None:
    """Find the first file that is not there.

    Parameters
    ----------
    files : iterable of (str, Path)
        What each is, such as ``"MIDI score"``, and where it should lie.
    """
    for what, path in files:
        if not path.is_file():
            return Fault(f"the {what} is missing", f"at {path}")
    return None


def unreadable(midi: Path) -> Fault | None:
    """Find out whether a MIDI file cannot be read; it costs reading it."""
    try:
        read_notes(midi)
    except MidiError as error:
        return Fault("the MIDI cannot be read", str(error).rstrip("."))
    return None
