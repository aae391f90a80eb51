"""The two libraries come without what they would do at import, or with a command that helps."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

from pianobench import DependencyError, symbolic
from pianobench.symbolic import import_symbolic, quiet, symbolic_versions


def test_importing_them_neither_warns_nor_loads_torch_nor_reaches_for_fluidsynth():
    code = (
        "import sys, warnings\n"
        "warnings.simplefilter('error')\n"
        "from pianobench.symbolic import import_symbolic\n"
        "import_symbolic('partitura'), import_symbolic('parangonar')\n"
        "print(sorted({'torch', 'fluidsynth'} & sys.modules.keys()))\n"
    )
    before = len(sys.meta_path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == "[]\n"
    import_symbolic("partitura")
    assert len(sys.meta_path) == before


def test_the_versions_are_those_installed():
    from importlib.metadata import version

    assert symbolic_versions() == (
        f"partitura {version('partitura')}, parangonar {version('parangonar')}"
    )


def test_a_library_that_is_not_installed_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(symbolic, "_LIBRARIES", ("partitura", "no-such-aligner"))
    with pytest.raises(DependencyError, match=r"no-such-aligner.*pip install 'pianobench\[symb"):
        symbolic_versions()
    with pytest.raises(DependencyError, match="no_such_aligner cannot be imported"):
        import_symbolic("no_such_aligner")


def test_what_they_warn_of_is_kept_from_the_user():
    with quiet():
        warnings.warn("numba is not installed", RuntimeWarning, stacklevel=1)
    with pytest.warns(UserWarning, match="ours"):
        warnings.warn("ours", UserWarning, stacklevel=1)
