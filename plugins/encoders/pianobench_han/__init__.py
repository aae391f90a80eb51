"""Notes as a sequence, for the hierarchical attention network: features and the units they are in.

What enters is a performance MIDI with its score, or alone; what leaves is one frame per performed
note, in order of onset, with its voice, beat and measure. Every feature is listed with unit and
meaning in `FEATURES`. Notes that the score does not have stay in the sequence; they take what holds
around them from the matched note nearest in time.

Nothing is normalised here: the harness standardises every column on the training folds alone,
where the published preparation measured the whole data set.

References
----------
Jeong, Kwon, Kim, Nam: Score and performance features for rendering expressive music performances.
Music Encoding Conference 2019.
Park, Kim, Park, Choi, Li, Park, Hwang: Piano performance evaluation dataset with multilevel
perceptual features. Scientific Reports 14, 23002, 2024. https://doi.org/10.1038/s41598-024-73810-0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pianobench import Clip, DataError, EncodingError, Frames, ScoreEncoder, hookimpl, read_notes
from pianobench.alignment import Alignment, align, alignment_revision
from pianobench.note_statistics import Feature
from pianobench.note_statistics.performance import Performance

from .playing import (
    KEYS,
    PEDALS,
    RAW,
    measure_keys,
    measure_pedals,
    measure_raw,
    unit_loudness,
)
from .score import OWN, PITCH, SCORE, measure_score, pitch_columns
from .timing import TIMING, measure_timing

__all__ = ["FEATURES", "Han", "bench_components"]

_REVISION = 1
_BEAT_S, _MEASURE_S = 0.5, 2.0
_LOUDNESS = (
    Feature("beat_dynamics", "MIDI velocity", "loudness of its beat"),
    Feature("measure_dynamics", "MIDI velocity", "loudness of its measure"),
)
_VELOCITY = (Feature("velocity", "MIDI velocity", "how hard it is struck"),)
_COPIED = ("midi_pitch", "duration", "beat_importance", "measure_length", "following_rest")

FEATURES: Mapping[str, Mapping[str, tuple[Feature, ...]]] = {
    "published": {
        "score": SCORE,
        "performance": (*TIMING, *_VELOCITY, *_LOUDNESS, *PEDALS),
        "raw": RAW,
        "copies": tuple(
            Feature(f"{name}_unnorm", "as above", "the published sequence holds it twice")
            for name in _COPIED
        ),
    },
    "performance": {
        "pitch": PITCH,
        "performance": (*KEYS, *_LOUDNESS, *PEDALS),
        "raw": RAW,
    },
}
"""Name, unit and meaning of every column, by the option `features` and by group, in order."""

Columns = Mapping[str, NDArray[np.float64]]
Levels = Mapping[str, NDArray[np.int64]]


class Han(ScoreEncoder):
    """Sequences of notes with 101 features of score and performance, or 33 of performance alone."""

    name = "han"
    licence = "MIT"
    citation = (
        "J. Park, J. Kim, J. M. Park, A. Choi, W.-S. Li, J. Park, S.-w. Hwang: Piano performance "
        "evaluation dataset with multilevel perceptual features. Scientific Reports 14, 23002 "
        "(2024), https://doi.org/10.1038/s41598-024-73810-0"
    )
    layers = 0
    default_pooling = "hierarchical"
    default_head = "han"

    features: Literal["published", "performance"] = "published"
    """``performance`` needs no score: beats are then spans of 0.5 s, measures of 2 s, and voices
    the lowest, inner and highest notes of chords."""

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override]  # depends on an option
        """The clip's files that it reads."""
        return ("midi",) if self.features == "performance" else ("midi", "score_midi", "score_xml")

    @property
    def revision(self) -> str:  # type: ignore[override]  # other libraries, other alignments
        """Revision of the features, and of the alignment with its libraries."""
        if self.features == "performance":
            return f"{_REVISION}"
        return f"{_REVISION}, alignment {alignment_revision()}"

    def encode(self, clip: Clip) -> Frames:
        """One frame per performed note, values of shape (1, notes, features).

        Raises
        ------
        DataError
            If the clip cannot be aligned with its score.
        """
        if self.features == "performance":
            columns, levels, times_s = _performance(clip)
        else:
            columns, levels, times_s = _published(clip)
        order = [f.name for group in FEATURES[self.features].values() for f in group]
        values = np.column_stack([columns[name] for name in order])
        return Frames(values[None].astype(np.float32), times_s, levels)


def _performance(clip: Clip) -> tuple[Columns, Levels, NDArray[np.float64]]:
    if clip.midi is None:
        raise EncodingError(
            f"han reads performance MIDI, and clip {clip.id!r} has none. Choose an audio encoder, "
            "or transcribe the recordings first."
        )
    notes = read_notes(clip.midi)
    keys = measure_keys(Performance(notes))
    since = notes.onset - notes.onset[0]
    beat, measure = (np.floor(since / span).astype(np.int64) for span in (_BEAT_S, _MEASURE_S))
    voice = np.where(keys["rank"] == 1, 2, np.where(keys["rank"] == 0, 0, 1)).astype(np.int64)
    columns = {
        **pitch_columns(notes.pitch),
        **keys,
        **_loudness(notes.velocity.astype(np.float64), beat, measure),
        **measure_pedals(notes),
        **measure_raw(notes),
    }
    return columns, {"beat": beat, "measure": measure, "voice": voice}, notes.onset


def _published(clip: Clip) -> tuple[Columns, Levels, NDArray[np.float64]]:
    alignment = align(clip)
    score, notes = alignment.score, alignment.performance
    near, matched = _nearest(alignment), alignment.match >= 0
    try:
        timing = measure_timing(alignment, near)
    except DataError as error:
        raise DataError(f"Clip {clip.id!r} has no tempo. {error}") from error
    if clip.score_xml is None:  # what align has refused
        raise DataError(f"Clip {clip.id!r} has no score_xml.")
    beat = np.floor(score.onset_beat + 1 / 96).astype(np.int64)
    levels = {
        "beat": (beat - beat.min())[near],
        "measure": (score.measure - score.measure.min())[near],
        "voice": (score.voice - score.voice.min())[near],
    }
    written = {
        name: np.where(matched, of[near], 0.0) if name in OWN else of[near]
        for name, of in measure_score(score, clip.score_xml).items()
    }
    velocity = notes.velocity.astype(np.float64)
    columns: dict[str, NDArray[np.float64]] = {
        **written,
        **pitch_columns(notes.pitch),
        **timing,
        "velocity": velocity,
        **_loudness(velocity, levels["beat"], levels["measure"]),
        **measure_pedals(notes),
        **measure_raw(notes),
    }
    columns |= {f"{name}_unnorm": columns[name] for name in _COPIED}
    return columns, levels, notes.onset


def _loudness(
    velocity: NDArray[np.float64], beat: NDArray[np.int64], measure: NDArray[np.int64]
) -> Columns:
    return {
        "beat_dynamics": unit_loudness(velocity, beat),
        "measure_dynamics": unit_loudness(velocity, measure),
    }


def _nearest(alignment: Alignment) -> NDArray[np.int64]:
    """Score note of each performed note, or of the matched one nearest in time."""
    matched = np.flatnonzero(alignment.match >= 0)
    onset = alignment.performance.onset
    away = np.abs(np.subtract.outer(onset, onset[matched]))
    nearest = alignment.match[matched[np.argmin(away, axis=1)]]
    return np.where(alignment.match >= 0, alignment.match, nearest)


@hookimpl
def bench_components() -> list[type[ScoreEncoder]]:
    """Register the encoder."""
    return [Han]
