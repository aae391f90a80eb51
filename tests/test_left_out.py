"""Entries that cannot be used: all named at once, never left out unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from pianobench import DataError, LeftOut
from pianobench.left_out import Fault, absent, sift, unreadable

FAULTS = {
    "b": Fault("the MIDI is missing", "at b.mid"),
    "d": Fault("it is listed again", "row 5"),
    "a": Fault("the MIDI is missing", "at a.mid"),
    "c": Fault("the MIDI is missing", "at c.mid"),
}


def test_faults_are_refused_by_name_with_what_to_do() -> None:
    with pytest.raises(DataError) as refused:
        sift("asap", 1067, FAULTS, "refuse")
    assert str(refused.value) == (
        "4 of the 1,067 entries of asap cannot be used: 'b': the MIDI is missing, at b.mid; 'd': "
        "it is listed again, row 5; 'a': the MIDI is missing, at a.mid; and 1 more. Put right what "
        "is named, or leave it out with --set dataset.unusable=skip."
    )


def test_faults_are_left_out_when_asked_and_grouped_by_kind() -> None:
    assert sift("asap", 9, FAULTS, "skip") == (
        LeftOut("the MIDI is missing", ("a", "b", "c")),
        LeftOut("it is listed again", ("d",)),
    )
    assert sift("asap", 9, {}, "refuse") == ()


def test_a_dataset_of_which_nothing_is_left_is_refused_even_then() -> None:
    with pytest.raises(DataError, match=r"4 of the 4 .* Nothing is left"):
        sift("asap", 4, FAULTS, "skip")


def test_files_that_are_missing_or_cannot_be_read_are_faults(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(b"no MIDI")
    there, gone = ("MIDI", tmp_path / "a.mid"), ("score", tmp_path / "b.mid")
    assert absent([there]) is None
    assert absent([there, gone]) == Fault("the score is missing", f"at {tmp_path / 'b.mid'}")
    found = unreadable(tmp_path / "a.mid")
    assert found is not None
    assert found.why == "the MIDI cannot be read"
