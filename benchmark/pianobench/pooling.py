"""Poolings by name, alone or side by side: ``mean``, ``mean+std+max``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .components import Pooling
from .errors import EncodingError, UnknownNameError, UsageError
from .plugins import Registry
from .values import Frames

__all__ = ["JoinedPooling", "create_pooling", "pool"]


class JoinedPooling(Pooling):
    """Several poolings side by side, in the order of their names."""

    parts: tuple[Pooling, ...]

    @property
    def name(self) -> str:  # type: ignore[override]  # a fact that depends on an option
        """Names of the parts, joined by a plus sign."""
        return "+".join(part.name for part in self.parts)

    @property
    def linear(self) -> bool:  # type: ignore[override]  # a fact that depends on an option
        """Whether all parts are."""
        return all(part.linear for part in self.parts)

    @property
    def options(self) -> dict[str, Any]:
        """Options of all parts; no two parts share one."""
        return {key: value for part in self.parts for key, value in part.options.items()}

    def pool(self, frames: Frames) -> NDArray[np.floating[Any]]:
        """Pool with every part, shape (layers, sum of the parts' widths)."""
        return np.concatenate([pool(part, frames) for part in self.parts], axis=1)


def create_pooling(
    registry: Registry, name: str, options: Mapping[str, Any] | None = None
) -> Pooling:
    """Make a pooling from its name, which may join several by a plus sign.

    Parameters
    ----------
    registry : Registry
    name : str
        Such as ``mean`` or ``mean+std+max``.
    options : mapping, optional
        Of any of the parts; each goes to the part that has it.

    Raises
    ------
    UnknownNameError
        For a pooling or an option that does not exist.
    UsageError
        If a part is named twice or learned, or two parts have an option of the same name.
    """
    names = [part.strip() for part in name.split("+")]
    if len(names) == 1:
        return registry.create(Pooling, "pooling", names[0], options)
    if len(set(names)) < len(names):
        raise UsageError(f"The pooling {name!r} names a part twice. Name each once.")
    owner: dict[str, str] = {}
    for part in names:
        for option in registry.find("pooling", part).component.model_fields:
            if option in owner:
                raise UsageError(
                    f"The poolings {owner[option]!r} and {part!r} both have an option {option!r}, "
                    f"so {name!r} cannot tell which is meant. Use them in separate runs."
                )
            owner[option] = part
    given = dict(options or {})
    unknown = sorted(set(given) - set(owner))
    if unknown:
        raise UnknownNameError(f"option of pooling {name!r}", unknown[0], owner)
    parts = tuple(
        registry.create(
            Pooling, "pooling", part, {k: v for k, v in given.items() if owner[k] == part}
        )
        for part in names
    )
    learned = [part.name for part in parts if part.learned]
    if learned:
        raise UsageError(
            f"The pooling {learned[0]!r} is learned and cannot be joined with others, as {name!r} "
            "asks. Use it alone."
        )
    return JoinedPooling(parts=parts)


def pool(pooling: Pooling, frames: Frames) -> NDArray[np.floating[Any]]:
    """Pool one clip and check what came back.

    Returns
    -------
    array, shape (layers, width_out)

    Raises
    ------
    EncodingError
        If the pooling returns another shape.
    """
    pooled = pooling.pool(frames)
    if pooled.ndim != 2 or pooled.shape[0] != frames.values.shape[0] or pooled.shape[1] == 0:
        raise EncodingError(
            f"The pooling {pooling.name!r} returned shape {pooled.shape} for frames of shape "
            f"{frames.values.shape}; expected (layers, width) with the same layers."
        )
    return pooled
