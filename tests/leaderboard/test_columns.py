"""Packed columns: fewer characters for the same values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pianobench.leaderboard.columns import pack

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.integers(-9000, 9000).map(lambda milli: milli / 1000)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)


def without_absent(value: Any) -> Any:
    """Drop keys whose value is None: they come back as keys that are not there."""
    if isinstance(value, dict):
        return {key: without_absent(of) for key, of in value.items() if of is not None}
    return [without_absent(of) for of in value] if isinstance(value, list) else value


@settings(deadline=None)
@given(values=st.lists(VALUES, max_size=9))
def test_values_come_back(unpack: Callable[[Any], list[Any]], values: list[Any]) -> None:
    packed = json.loads(json.dumps(pack(values)))
    assert without_absent(unpack(packed)) == without_absent(values)


def test_a_repeated_object_is_written_once() -> None:
    card = {"name": "a" * 100, "licence": "MIT"}
    values = [card if place % 3 else {"name": str(place)} for place in range(90)]
    assert json.dumps(pack(values)).count("a" * 100) == 1


def test_long_lists_that_hardly_repeat_are_not_pooled() -> None:
    assert pack([str(place) for place in range(200)]) == [str(place) for place in range(200)]
