"""The tree of errors: drawn as it is, one root, and exit codes that mean something."""

from __future__ import annotations

import re

from pianobench import errors


def test_the_drawing_names_every_error_and_nothing_else() -> None:
    drawn = set(re.findall(r"^.*?(\w+Error)\b", errors.__doc__ or "", re.M))
    assert drawn == set(errors.__all__)


def test_every_error_derives_from_the_root() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.PianobenchError)


def test_only_a_failed_check_exits_with_1() -> None:
    codes = {name: getattr(errors, name).exit_code for name in errors.__all__}
    assert {name for name, code in codes.items() if code == 1} == {"CheckFailedError"}
    assert set(codes.values()) == {1, 2}


def test_an_unknown_name_guesses_only_what_is_near() -> None:
    near = str(errors.UnknownNameError("head", "rigde", ["ridge", "mlp"]))
    assert near == "There is no head named 'rigde'. Did you mean 'ridge'? Known: mlp, ridge."
    far = str(errors.UnknownNameError("head", "xyz", ["ridge", "mlp"]))
    assert "Did you mean" not in far
