"""A fitted head as arrays and words, and back; no code is stored, and none is run by reading.

What can be kept is a dataclass whose fields are arrays, plain values that JSON holds, or such
dataclasses again. Which class it is says the head (`Head.predictor`), never the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from .array_files import ArrayFile
from .errors import PluginError, ResultError

__all__ = ["predictor_from_arrays", "predictor_to_arrays"]

T = TypeVar("T")


def predictor_to_arrays(predictor: object) -> ArrayFile:
    """Take a fitted head apart: arrays and words by the names of its fields.

    Raises
    ------
    PluginError
        If it is no dataclass, or a field is neither an array nor what JSON holds.
    """
    arrays: dict[str, NDArray[Any]] = {}
    words: dict[str, str] = {}
    _take_apart(predictor, "", arrays, words)
    return ArrayFile(arrays, words)


def predictor_from_arrays(kind: type[T], kept: ArrayFile) -> T:
    """Put a fitted head together.

    Parameters
    ----------
    kind : type
        The dataclass that was taken apart.
    kept : ArrayFile

    Raises
    ------
    ResultError
        If a field is missing, or is not what the class says, by its types or by what it checks
        when it is made (ValueError).
    """
    try:
        return cast("T", _put_together(kind, "", kept.arrays, kept.words))
    except (KeyError, TypeError, ValueError) as error:
        found = " ".join(str(error).split())
        raise ResultError(
            f"What was kept is no {kind.__name__} as it is installed here: {found}. Fit the model "
            "again, or install the version that it was fitted with."
        ) from error


def _take_apart(
    value: object, prefix: str, arrays: dict[str, NDArray[Any]], words: dict[str, str]
) -> None:
    if not is_dataclass(value):
        raise PluginError(
            f"A head returned {type(value).__name__}, which cannot be kept: it is no dataclass. "
            "Return one of arrays and plain values, and name it as the head's `predictor`."
        )
    hints = get_type_hints(type(value))
    for field in fields(value):
        name, held = prefix + field.name, getattr(value, field.name)
        if isinstance(held, np.ndarray):
            arrays[name] = held
        elif is_dataclass(held):
            _take_apart(held, f"{name}.", arrays, words)
        else:
            try:
                words[name] = TypeAdapter(hints[field.name]).dump_json(held).decode()
            except ValueError as error:
                raise PluginError(
                    f"The field {name!r} of {type(value).__name__} is {held!r}, which cannot be "
                    f"kept: {error}. Hold arrays and what JSON holds."
                ) from error


def _put_together(
    kind: Any, prefix: str, arrays: Mapping[str, NDArray[Any]], words: Mapping[str, str]
) -> Any:
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for field in fields(kind):
        name, hint = prefix + field.name, hints[field.name]
        if get_origin(hint) is np.ndarray or hint is np.ndarray:
            _require_kind(name, hint, arrays[name])
            values[field.name] = arrays[name]
        elif is_dataclass(hint):
            values[field.name] = _put_together(hint, f"{name}.", arrays, words)
        else:
            said = words[name]
            values[field.name] = TypeAdapter(hint).validate_json(said)
    return kind(**values)


def _require_kind(name: str, hint: Any, values: NDArray[Any]) -> None:
    """Refuse floats for integers and the like; how many bits they have is free."""
    for dtype in get_args(hint)[1:]:
        expected = np.dtype(get_args(dtype)[0])
        if values.dtype.kind != expected.kind:
            raise TypeError(f"{name!r} is of {values.dtype}, where {expected} is expected")
