"""partitura and parangonar: imported late, kept quiet, and kept from the network.

partitura downloads a SoundFont as it is imported where it finds a ``fluidsynth``, and fails where
there is no network; parangonar loads torch for matchers that are not used here. Neither needs
them for what is asked of it, so both are imported as if those were not installed.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from .errors import DependencyError

__all__ = ["import_symbolic", "quiet", "symbolic_versions"]

_LIBRARIES = ("partitura", "parangonar")
_NOT_WANTED = ("fluidsynth", "torch")


def import_symbolic(name: str) -> ModuleType:
    """Import one of the two libraries, or find it as it was imported before.

    Parameters
    ----------
    name : {"partitura", "parangonar"}

    Raises
    ------
    DependencyError
        If it, or something it needs, is not installed.
    """
    if name in sys.modules:
        return sys.modules[name]
    blocker = _Blocker()
    sys.meta_path.insert(0, blocker)
    try:
        with quiet():
            return import_module(name)
    except ImportError as error:
        raise _not_installed(name, error) from error
    finally:
        sys.meta_path.remove(blocker)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' warnings from the user: they are about their own code and habits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def symbolic_versions() -> str:
    """Name both libraries with their versions, without importing them.

    Raises
    ------
    DependencyError
        If one is not installed.
    """
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError as error:
            raise _not_installed(name, error) from error
    return ", ".join(found)


class _Blocker:
    """Stands first among the finders and says that a module is not there."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the protocol of finders
        target: ModuleType | None = None,  # noqa: ARG002 - as above
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in _NOT_WANTED:
            raise ModuleNotFoundError(f"{fullname} is not wanted here", name=fullname)
        return None


def _not_installed(name: str, error: ImportError) -> DependencyError:
    return DependencyError(
        f"Aligning performances with scores needs {' and '.join(_LIBRARIES)}, and {name} cannot be "
        f"imported: {error}. Install them with `pip install 'pianobench[symbolic]'`."
    )
