"""The music itself, whoever plays it: mode, density, marks. It tells what a passage asks for.

References
----------
Krumhansl, Kessler: Tracing the dynamic changes in perceived tonal organization in a spatial
representation of musical keys. Psychological Review 89 (1982), 334-368.
https://doi.org/10.1037/0033-295X.89.4.334
"""

from __future__ import annotations

import numpy as np

from pianobench.note_statistics.features import Feature, Floats, correlation

from .rendition import Rendition

__all__ = ["FEATURES", "measure"]

_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
_SHORTEST_BEATS = 0.1

_SHARES = ("staccato", "slur", "accent", "tremolo", "grace")

FEATURES = (
    Feature("major", "1", "fit of the best major key's profile less that of the best minor key's"),
    Feature("key_fit", "1", "correlation of the pitch classes with the profile of the best key"),
    *(Feature(f"written_{mark}", "1", f"share of notes marked {mark}") for mark in _SHARES),
    Feature("written_loudness", "MIDI velocity", "mean velocity of the score MIDI"),
    Feature("written_contrast", "MIDI velocity", "deviation of the velocity of the score MIDI"),
    Feature("written_notes", "log2 1/beat", "notes per beat"),
    Feature("written_onsets", "log2 1/beat", "times at which notes begin per beat"),
    Feature("written_bar", "beats", "mean length of a bar"),
    Feature("written_tempo", "log2 beats/s", "tempo of the score MIDI"),
)


def measure(rendition: Rendition) -> dict[str, float]:
    """Measure `FEATURES`, of all notes of the score, played or not."""
    score = rendition.alignment.score
    lengths = np.maximum(score.written_beat, _SHORTEST_BEATS)
    classes = np.bincount(score.pitch % 12, lengths, minlength=12).astype(np.float64)
    major, minor = _best_fit(classes, _MAJOR), _best_fit(classes, _MINOR)
    velocity = score.velocity.astype(np.float64)
    beats = float(np.ptp(score.onset_beat))
    return {
        "major": major - minor,
        "key_fit": max(major, minor),
        **{f"written_{mark}": float(score.marks[mark].mean()) for mark in _SHARES},
        "written_loudness": float(velocity.mean()),
        "written_contrast": float(velocity.std()),
        "written_notes": float(np.log2(len(score) / beats)),
        "written_onsets": float(np.log2(len(np.unique(score.onset_beat)) / beats)),
        "written_bar": float(score.measure_beats.mean()),
        "written_tempo": float(np.log2(beats / np.ptp(score.onset_s))),
    }


def _best_fit(classes: Floats, profile: Floats) -> float:
    return max(correlation(np.roll(profile, key), classes) for key in range(12))
