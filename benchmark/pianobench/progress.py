"""Progress of long stages: a bar on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

__all__ = ["track", "track_audio"]

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
            _tell(f"{what}: {done} of {total} {unit}s, {left_s:.0f} s left")


def track_audio(
    clips: Iterable[T], total: int, what: str, audio_s: Callable[[T], float], total_audio_s: float
) -> Iterator[T]:
    """Yield clips of audio, telling how far it is by their length rather than their number.

    Parameters
    ----------
    clips : iterable
    total : int
        Their number.
    what : str
        The stage, such as ``"encode"``.
    audio_s : callable
        The length of one, in seconds.
    total_audio_s : float
        The length of all; above 0.
    """
    if sys.stderr.isatty():
        yield from _bar(clips, total, what, audio_s, total_audio_s)
        return
    started = last = time.monotonic()
    done_s = 0.0
    for done, clip in enumerate(clips, start=1):
        yield clip
        done_s += audio_s(clip)
        now = time.monotonic()
        if now - last >= _LINE_EVERY_S:
            last = now
            per_s = done_s / max(now - started, 1e-9)
            left_s = (total_audio_s - done_s) / per_s if per_s else float("inf")
            _tell(f"{what}: {done} of {total} clips, {per_s:.3g} audio s/s, {left_s:.0f} s left")


def _bar(
    clips: Iterable[T], total: int, what: str, audio_s: Callable[[T], float], total_audio_s: float
) -> Iterator[T]:
    from tqdm import tqdm

    shown = "{desc} {percentage:3.0f}%|{bar}| [{elapsed}<{remaining}, {rate_fmt}]"
    with tqdm(
        desc=f"{what}: 0 of {total} clips",
        total=total_audio_s,
        unit=" audio s",
        leave=False,
        bar_format=shown,
    ) as bar:
        for done, clip in enumerate(clips, start=1):
            yield clip
            bar.set_description_str(f"{what}: {done} of {total} clips", refresh=False)
            bar.update(audio_s(clip))


def _tell(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - a log of a command is what it prints
