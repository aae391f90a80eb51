"""Progress of long stages: a bar on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["track"]

T = TypeVar("T")
_LINE_EVERY_S = 15.0


def track(items: Iterable[T], total: int, what: str, unit: str = "clip") -> Iterator[T]:
    """Yield the items, telling on standard error how far it is.

    Parameters
    ----------
    items : iterable
    total : int
        Number of items; nothing is shown for 0.
    what : str
        The stage, such as ``"render"``.
    unit : str
        What one item is.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=what, unit=unit, leave=False, disable=not total)
        return
    started = last = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= _LINE_EVERY_S:
            last = now
            left_s = (now - started) / done * (total - done)
            print(f"{what}: {done} of {total} {unit}s, {left_s:.0f} s left", file=sys.stderr)  # noqa: T201
