"""Which layers of an encoder are used, and how several become one vector per clip.

Layer k is the k-th hidden state: 0 is the embedding, the encoder's layer count is the last one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError

__all__ = ["Merge", "merge", "select_layers"]

Merge = Literal["concat", "mean", "weighted"]
"""Side by side, averaged, or a sum whose weights are learned with the head."""


def select_layers(text: str, encoder: str, count: int) -> tuple[int, ...]:
    """Read a choice of layers.

    Parameters
    ----------
    text : str
        ``all``, ``last``, or numbers and inclusive ranges joined by commas: ``1,4,9-12``.
    encoder : str
        Name of the encoder, for messages.
    count : int
        Its number of layers; states run from 0 to this number.

    Returns
    -------
    tuple of int
        Ascending, each once.

    Raises
    ------
    UsageError
        If the text has another form, or names a layer the encoder does not have.

    Examples
    --------
    >>> select_layers("1,4,9-12", "muq", 12)
    (1, 4, 9, 10, 11, 12)
    >>> select_layers("last", "muq", 12)
    (12,)
    """
    if text == "all":
        return tuple(range(count + 1))
    if text == "last":
        return (count,)
    chosen: set[int] = set()
    for part in text.split(","):
        read = re.fullmatch(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?", part)
        if read is None:
            raise UsageError(
                f"Layers {text!r} cannot be read at {part!r}. Encoder {encoder!r} has layers 0 to "
                f"{count}: write numbers and ranges such as 1,4,9-12, or all, or last."
            )
        first, last = int(read[1]), int(read[2] or read[1])
        if first > last or last > count:
            why = ", and a range runs upwards" if first > last else ""
            has = f"layers 0 to {count}" if count else "layer 0 only"
            raise UsageError(
                f"Layers {text!r} ask for {part.strip()!r}, but encoder {encoder!r} has {has}{why}."
            )
        chosen.update(range(first, last + 1))
    return tuple(sorted(chosen))


def merge(layers: Mapping[int, NDArray[np.floating[Any]]], how: Merge) -> NDArray[np.float64]:
    """Make one feature vector per clip of its layers.

    Parameters
    ----------
    layers : mapping of int to array, shape (clips, width)
    how : {"concat", "mean", "weighted"}
        Side by side in order of layer, or their average. Layers that are still to be weighted stay
        side by side: see `pianobench.layer_vectors`.

    Returns
    -------
    array, shape (clips, features)

    Raises
    ------
    UsageError
        If layers of different widths are to be averaged or weighted.
    """
    ordered = [np.asarray(layers[k], dtype=np.float64) for k in sorted(layers)]
    widths = {values.shape[1] for values in ordered}
    if len(widths) > 1 and how != "concat":
        done = "averaged" if how == "mean" else "weighted"
        raise UsageError(
            f"Layers {sorted(layers)} have widths {sorted(widths)} and cannot be {done}. Merge "
            "them by concatenation, or choose layers of one width."
        )
    if how != "mean":
        return np.concatenate(ordered, axis=1)
    average: NDArray[np.float64] = np.mean(ordered, axis=0)
    return average
