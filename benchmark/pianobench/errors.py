"""Every deliberate error derives from one root, so that the command line can tell it from a bug.

::

    PianobenchError
    ├── UsageError            an option, a value or a combination that cannot be run
    │   └── UnknownNameError  a name nobody registered, with the nearest one that exists
    ├── PluginError           a plugin that is broken, clashes with another or breaks a contract
    ├── CheckpointError       weights that are absent, incomplete, unsafe or of another model
    │   └── CheckpointAbsentError  weights that cannot be reached here
    ├── DependencyError       a library or system package that is not installed
    ├── DataError             a dataset that is absent, incomplete or inconsistent
    │   ├── MidiError         a MIDI file that cannot be read or holds no note
    │   └── AudioError        an audio file or waveform that cannot be used
    ├── EncodingError         an encoder that returned something other than it promised
    ├── StoreError            a store of features that cannot be read or written
    ├── SplitError            a protocol or fold file that cannot be applied
    ├── TrainingError         a head that cannot be trained on these arrays, or diverged
    ├── StatisticsError       arrays on which a statistic is not defined
    ├── WorkerError           a worker process that was killed
    ├── ResultError           a stored result that cannot be read or written
    └── CheckFailedError      a check ran and found a fault (exit code 1; every other error is 2)

A message has four parts: what failed, the value seen, where it came from, what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

__all__ = [
    "AudioError",
    "CheckFailedError",
    "CheckpointAbsentError",
    "CheckpointError",
    "DataError",
    "DependencyError",
    "EncodingError",
    "MidiError",
    "PianobenchError",
    "PluginError",
    "ResultError",
    "SplitError",
    "StatisticsError",
    "StoreError",
    "TrainingError",
    "UnknownNameError",
    "UsageError",
    "WorkerError",
]


class PianobenchError(Exception):
    """Root of all deliberate errors; `exit_code` is what the command line returns.

    `failures` holds one error per clip where several failed while the others went on, by their ids.
    """

    exit_code = 2
    failures: Mapping[str, PianobenchError] = MappingProxyType({})


class UsageError(PianobenchError):
    """An option, a value or a combination of options that cannot be run."""


class UnknownNameError(UsageError):
    """A name that nobody registered.

    Parameters
    ----------
    what : str
        What the name should have named, such as ``"encoder"``.
    name : str
        The name as given.
    known : iterable of str
        The names that exist.
    """

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=1, cutoff=0.5)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"There is no {what} named {name!r}.{guess} Known: {', '.join(names)}.")
        self._given = (what, name, names)

    def __reduce__(self) -> tuple[type[UnknownNameError], tuple[str, str, list[str]]]:
        return type(self), self._given


class PluginError(PianobenchError):
    """A plugin that cannot be loaded, clashes with another or breaks its contract."""


class CheckpointError(PianobenchError):
    """Weights that are absent, incomplete, unsafe to open or of another model."""


class CheckpointAbsentError(CheckpointError):
    """Weights that are not here: no such folder or model, or no network."""


class DependencyError(PianobenchError):
    """A library or system package that is needed here and not installed."""


class DataError(PianobenchError):
    """A dataset that is absent, incomplete or inconsistent."""


class MidiError(DataError):
    """A MIDI file that cannot be read or holds no note."""


class AudioError(DataError):
    """An audio file or waveform that cannot be used."""


class EncodingError(PianobenchError):
    """An encoder that returned something other than its contract promises."""


class StoreError(PianobenchError):
    """A store of features that cannot be read or written."""


class SplitError(PianobenchError):
    """A protocol or a fold file that cannot be applied to this corpus."""


class TrainingError(PianobenchError):
    """A head that cannot be trained on these arrays, or whose training diverged."""


class StatisticsError(PianobenchError, ValueError):
    """Arrays on which a metric, an interval or a test is not defined."""


class WorkerError(PianobenchError):
    """A worker process that was killed, or an error in one that cannot be sent back as it is."""


class ResultError(PianobenchError):
    """A stored result that cannot be read, written or trusted."""


class CheckFailedError(PianobenchError):
    """A check was carried out and found a fault."""

    exit_code = 1
