"""A list of alike values as columns: the same values in a fraction of the text.

What enters are plain JSON values. Packed, a list is one of

- ``{"all": v, "n": n}``: n times the same;
- ``{"some": mask, "of": packed}``: a 1 in the mask for every value that is there, a 0 for None;
- ``{"pool": distinct, "at": indexes}``: few distinct values, repeated;
- ``{"milli": integers}``: numbers in thousandths, rounded;
- ``{"keys": {key: packed}}``: objects, key by key;
- ``{"sizes": packed, "of": packed}``: lists, laid end to end;
- the list itself.

A key whose value is None may come back as one that is not there. ``static/columns.js`` unpacks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

__all__ = ["pack"]

# With fewer repetitions than this a pool and its indexes are longer than the values. Long lists are
# given up on when so many values from their start hardly repeat.
_REPETITIONS = 2
_TRIED = 64


def pack(values: Sequence[Any]) -> Any:
    """Pack a list.

    Parameters
    ----------
    values : sequence
        Of JSON values. Floats lose what is beyond three decimals.

    Examples
    --------
    >>> pack([{"name": "a", "r2": 0.5}, {"name": "b", "r2": 0.12345}])
    {'keys': {'name': ['a', 'b'], 'r2': {'milli': [500, 123]}}}
    """
    present = [value for value in values if value is not None]
    if not present:
        return {"all": None, "n": len(values)}
    if len(present) < len(values):
        mask = "".join("0" if value is None else "1" for value in values)
        return {"some": mask, "of": pack(present)}
    if all(isinstance(value, float) for value in present):
        return {"milli": [round(1000 * value) for value in present]}
    return _pooled(present) or _spread(present)


def _pooled(values: list[Any]) -> Any:
    """Pack values that repeat; None if they do not."""
    if all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        alike = values[0] if values.count(values[0]) == len(values) > 1 else None
        return None if alike is None else {"all": alike, "n": len(values)}
    places: dict[str, int] = {}
    at: list[int] = []
    for value in values:
        at.append(places.setdefault(json.dumps(value, sort_keys=True), len(places)))
        if len(at) == _TRIED and len(places) * _REPETITIONS > _TRIED:
            return None
    if len(places) == 1 and len(values) > 1:
        return {"all": values[0], "n": len(values)}
    if len(places) * _REPETITIONS > len(values):
        return None
    return {"pool": [values[at.index(place)] for place in range(len(places))], "at": at}


def _spread(values: list[Any]) -> Any:
    """Pack objects by key and lists end to end; others stay as they are."""
    if not any(values):
        return values
    if all(isinstance(value, dict) for value in values):
        keys = dict.fromkeys(key for value in values for key in value)
        return {"keys": {key: pack([value.get(key) for value in values]) for key in keys}}
    if all(isinstance(value, list) for value in values):
        inner = [each for value in values for each in value]
        return {"sizes": pack([len(value) for value in values]), "of": pack(inner)}
    return values
