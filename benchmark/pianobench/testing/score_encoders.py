"""What a score encoder promises, tried on a few bars and on a single note."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ..components import ScoreEncoder
from ..errors import DataError
from ..places import cache_at
from ..values import Clip, Frames
from .checks import require, require_equal
from .music import write_music, write_notes_of
from .scores import write_score

_ROUNDING = 1e-5


@contextmanager
def _clip(encoder: ScoreEncoder, *, name: str = "clip", notes: int | None = None) -> Iterator[Clip]:
    with TemporaryDirectory() as folder, cache_at(Path(folder) / "cache"):
        path = Path(folder) / f"{name}.mid"
        score_midi, score_xml = path.with_name("score.mid"), path.with_name("score.xml")
        write_score(score_midi, score_xml)
        if notes is None:
            write_music(path)
        else:
            write_notes_of(path, 0.5 + np.arange(notes, dtype=np.float64), np.full(notes, 60))
        yield Clip(
            id=name,
            midi=path,
            score_midi=score_midi if "score_midi" in encoder.requires else None,
            score_xml=score_xml if "score_xml" in encoder.requires else None,
        )


def _encode(encoder: ScoreEncoder, *, name: str = "clip", notes: int | None = None) -> Frames:
    with _clip(encoder, name=name, notes=notes) as clip:
        return encoder.encode(clip)


def encodes_music(encoder: ScoreEncoder) -> None:
    """`Frames` of states 0 to `layers`, finite, in order of time."""
    frames = _encode(encoder)
    require(isinstance(frames, Frames), f"It returns {type(frames).__name__}, not Frames.")
    require(
        len(frames.values) == encoder.layers + 1,
        f"It returns {len(frames.values)} layers; layers = {encoder.layers} promises "
        f"{encoder.layers + 1}, counting 0.",
    )
    floats = np.issubdtype(frames.values.dtype, np.floating)
    require(floats, f"The values are {frames.values.dtype}, not floats.")
    require(bool(np.isfinite(frames.values).all()), "Some values are not finite.")
    require(bool((np.diff(frames.times_s) >= 0).all()), "times_s does not rise.")


def numbers_the_units_of_each_level(encoder: ScoreEncoder) -> None:
    """Give them integer indices from 0."""
    for name, index in _encode(encoder).levels.items():
        require(
            np.issubdtype(index.dtype, np.integer) and int(index.min()) >= 0,
            f"Level {name!r} holds {index.dtype} from {index.min()}; expected indices from 0.",
        )


def gives_the_same_every_time(encoder: ScoreEncoder) -> None:
    """Within rounding: the last bits of a network may depend on where its memory lies."""
    one, other = _encode(encoder), _encode(encoder)
    require_equal("Music encoded twice", one.values, other.values, _ROUNDING)


def depends_on_the_files_alone(encoder: ScoreEncoder) -> None:
    """Neither the clip's id nor the name of its file matters."""
    one, other = _encode(encoder), _encode(encoder, name="renamed_8bars_3_01")
    require_equal("Music under two names", one.values, other.values, _ROUNDING)


def encodes_a_single_note(encoder: ScoreEncoder) -> None:
    """To the same width, without numbers that are not finite.

    One that reads a score may refuse it with a `DataError` instead: nothing aligns one note.
    """
    width = _encode(encoder).values.shape[2]
    for count in (1, 2):
        try:
            values = _encode(encoder, notes=count).values
        except DataError:
            if len(encoder.requires) > 1:
                continue
            raise
        require(
            values.shape[2] == width and bool(np.isfinite(values).all()),
            f"{count} note(s) become shape {values.shape} with "
            f"{int((~np.isfinite(values)).sum())} non-finite values; music has width {width}.",
        )


PROMISES = (
    encodes_music,
    numbers_the_units_of_each_level,
    gives_the_same_every_time,
    depends_on_the_files_alone,
    encodes_a_single_note,
)
