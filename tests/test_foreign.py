"""Whatever somebody else's code raises becomes one paragraph, and deliberate errors stay."""

from __future__ import annotations

import pytest

from pianobench import UsageError
from pianobench.errors import DependencyError, PluginError
from pianobench.foreign import told


def test_an_error_is_told_on_one_line_with_what_failed_and_what_to_do() -> None:
    with (
        pytest.raises(PluginError, match=r"^It failed: RuntimeError: two lines\. Mend it\.$"),
        told("It failed", "Mend it."),
    ):
        raise RuntimeError("two\n  lines")


def test_a_missing_library_is_told_as_one() -> None:
    with (
        pytest.raises(
            DependencyError,
            match=r"^It failed: No module named 'nowhere'\. Install what it imports",
        ),
        told("It failed", "Mend it."),
    ):
        raise ModuleNotFoundError("No module named 'nowhere'")


def test_a_deliberate_error_is_left_as_it_is() -> None:
    with pytest.raises(UsageError, match=r"^said$"), told("It failed", "Mend it."):
        raise UsageError("said")
