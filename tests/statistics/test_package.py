from __future__ import annotations

import subprocess
import sys

import pytest

from pianobench import metrics, statistics


@pytest.mark.parametrize("module", [metrics, statistics])
def test_every_public_name_is_there_and_documented(module):
    for name in module.__all__:
        thing = getattr(module, name)
        assert not callable(thing) or thing.__doc__


def test_the_package_imports_nothing_heavier_than_scipy():
    code = (
        "import sys, pianobench.statistics;"
        "print(sorted({'sklearn', 'pandas', 'torch', 'statsmodels'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
