from collections.abc import Callable

import pytest

from pianobench import Component
from pianobench.testing import check_component


@pytest.fixture
def failed() -> Callable[[Component], set[str]]:
    """Names of the checks that a component fails; each must tell what it found."""

    def failed(component: Component) -> set[str]:
        found = [check for check in check_component(component) if check.passed is False]
        assert all(len(check.detail) > 15 for check in found)
        return {check.name for check in found}

    return failed
