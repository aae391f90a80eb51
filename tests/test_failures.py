from __future__ import annotations

import pytest

from pianobench.errors import AudioError, MidiError, PianobenchError, PluginError, UsageError
from pianobench.failures import together


def test_three_clips_are_named_and_the_rest_counted() -> None:
    failures = {f"c{i}": MidiError(f"bad {i}.") for i in range(5)}
    error = together(failures, "5 of 9 clips cannot be read.")
    assert str(error) == (
        "5 of 9 clips cannot be read. Clip 'c0': bad 0. Clip 'c1': bad 1. Clip 'c2': bad 2. "
        "And 2 more."
    )


def test_up_to_three_clips_leave_nothing_to_count() -> None:
    failures = {f"c{i}": MidiError("bad.") for i in range(3)}
    assert str(together(failures, "Failed.")).endswith("Clip 'c2': bad.")


class Detuned(AudioError):
    """An error of a plugin, made of more than a message."""

    def __init__(self, string: int, cents: float) -> None:
        super().__init__(f"String {string} is {cents} cents off.")


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (MidiError("x"), MidiError),
        (PluginError("x"), PluginError),
        (Detuned(3, 12.0), AudioError),
        (UsageError("x"), PianobenchError),
    ],
)
def test_the_first_failure_decides_the_kind_of_error(
    first: PianobenchError, kind: type[PianobenchError]
) -> None:
    error = together({"a": first, "b": AudioError("y")}, "Failed.")
    assert type(error) is kind
    assert f"Clip 'a': {first}" in str(error)


def test_a_message_that_names_its_clip_is_not_named_again() -> None:
    failures = {"a": MidiError("Clip 'a' has no note."), "b": MidiError("It is empty.")}
    error = together(failures, "Two:")
    assert str(error) == "Two: Clip 'a' has no note. Clip 'b': It is empty."
