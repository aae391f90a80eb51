"""Features of the score: one row per note of it, in quarter notes where they are lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pianobench.note_statistics import Feature
from pianobench.score_notes import ScoreNotes

from .directions import dynamics, since, tempo
from .notation import read_notation

__all__ = ["OWN", "PITCH", "SCORE", "measure_score", "pitch_columns"]

Floats = NDArray[np.float64]

_CLASSES = ("c", "c_sharp", "d", "e_flat", "e", "f", "f_sharp", "g", "a_flat", "a", "b_flat", "b")
_NOTATION = ("trill", "tenuto", "accent", "staccato", "fermata", "arpeggio", "strong_accent")
_SLURS = ("slur_start", "slur_continue", "slur_stop", "beam_start", "beam_continue", "beam_stop")
_COMPOSERS = 17
_BEAT_UNITS = (2.0, 1.0, 0.5, 0.25)

_SCALARS = (
    Feature("duration", "quarters", "written length"),
    Feature("beat_importance", "1", "4 on the first beat of a bar, less on the others"),
    Feature("measure_length", "quarters", "length of the bar by its time signature"),
    Feature("qpm_primo", "log10 quarters/min", "tempo of the score at its first note"),
    Feature("following_rest", "quarters", "rest in its voice after the note"),
    Feature("distance_from_abs_dynamic", "quarters", "since the latest dynamic"),
    Feature("distance_from_recent_tempo", "quarters", "since the latest tempo word"),
    Feature("beat_position", "1", "place in the bar as a share of it"),
    Feature("xml_position", "1", "place in the score as a share of it"),
    Feature("grace_order", "notes", "grace notes up to the note they lead to, below 0"),
    Feature("preceded_by_grace_note", "1", "whether a grace note leads to it"),
    Feature("followed_by_fermata_rest", "1", "whether a rest with a fermata follows"),
)

PITCH = (
    Feature("octave", "4 octaves", "octave less the fourth"),
    *(Feature(f"pitch_{name}", "1", f"whether it is a {name}") for name in _CLASSES),
)

SCORE = (
    *_SCALARS,
    *PITCH,
    *(
        Feature(f"tempo_{name}", "1", f"tempo words: {name}; see `directions.tempo`")
        for name in ("pace", "named", "change", "share", "words")
    ),
    *(
        Feature(f"dynamic_{name}", "1", f"dynamics: {name}; see `directions.dynamics`")
        for name in ("level", "hairpin", "share", "accent")
    ),
    *(Feature(f"time_{n}", "1", f"numerator: {n}") for n in ("2", "3", "4", "6_9_12", "other")),
    *(Feature(f"time_by_{n}", "1", f"denominator: {n}") for n in (2, 4, 8, 16)),
    *(Feature(name, "1", f"whether it is a {name}") for name in _SLURS),
    *(
        Feature(f"composer_{k}", "1", "0: the same for every clip of the published data")
        for k in range(_COMPOSERS)
    ),
    *(Feature(name, "1", f"whether it is marked {name}") for name in _NOTATION),
    Feature("cue", "1", "0: cue notes are not read"),
    Feature("slash", "1", "whether it is a grace note with a slash"),
    Feature("primo_pace", "1", "first tempo word; see `directions.PACES`"),
    Feature("primo_named", "1", "whether there is one"),
)
"""The 77 published features of the score. Arpeggios are not read and 0 throughout."""

OWN = frozenset(
    {"duration", "beat_importance", "following_rest", "grace_order", "preceded_by_grace_note"}
    | {"followed_by_fermata_rest", "beat_position", *_NOTATION, *_SLURS, "slash"}
)
"""Features of a single note; the others hold for whatever is played there."""


def measure_score(score: ScoreNotes, xml: Path) -> dict[str, Floats]:
    """Measure `SCORE` but the pitches, each of shape (score notes,)."""
    written = read_notation(xml)
    unwritten = score.written < 0
    notation = {n: np.where(unwritten, 0.0, of[score.written]) for n, of in written.items()}
    beat = _quarters_per_beat(score)
    place = score.position_beat / score.measure_beats
    words = tempo(score.onset_q, score.directions)
    loud = dynamics(score.onset_q, score.directions)
    pace = np.log10(60 * _pace(score))
    length = max(float((score.onset_q + score.duration_q).max()), 1e-3)
    nothing = np.zeros(len(score))
    slurred = score.marks["slur"].astype(np.float64)
    return {
        "duration": score.written_beat * beat,
        "beat_importance": _importance(place, score.measure_beats),
        "measure_length": score.measure_beats * beat,
        "qpm_primo": nothing + pace,
        "following_rest": notation["following_rest"],
        "distance_from_abs_dynamic": since(score.onset_q, score.directions, ["dynamic"]),
        "distance_from_recent_tempo": since(
            score.onset_q, score.directions, ["tempo", "accelerando", "ritardando"]
        ),
        "beat_position": place,
        "xml_position": score.onset_q / length,
        "grace_order": notation["grace_order"],
        "preceded_by_grace_note": notation["preceded_by_grace"],
        "followed_by_fermata_rest": notation["followed_by_fermata_rest"],
        **dict(zip((f.name for f in SCORE[25:30]), words.T, strict=True)),
        **dict(zip((f.name for f in SCORE[30:34]), loud.T, strict=True)),
        **_time_signature(score.measure_beats, beat),
        **{name: notation[name] for name in _SLURS if name != "slur_continue"},
        "slur_continue": slurred * (1 - notation["slur_start"]),
        **{f"composer_{k}": nothing for k in range(_COMPOSERS)},
        **{name: notation[name] for name in _NOTATION if name != "arpeggio"},
        "arpeggio": nothing,
        "cue": nothing,
        "slash": notation["slash"],
        "primo_pace": nothing + words[0, 0],
        "primo_named": nothing + words[0, 1],
    }


def pitch_columns(pitch: NDArray[np.int64]) -> dict[str, Floats]:
    """Measure `PITCH`."""
    octave = (pitch // 12 - 1 - 4) / 4
    classes = {f"pitch_{name}": (pitch % 12 == k) * 1.0 for k, name in enumerate(_CLASSES)}
    return {"octave": octave, **classes}


def _quarters_per_beat(score: ScoreNotes) -> Floats:
    """Quarter notes per beat of the time signature at each note, shape (notes,)."""
    beat, first = np.unique(np.round(score.onset_beat, 6), return_index=True)
    if len(beat) < 2:
        return np.ones(len(score))
    slope = np.diff(score.onset_q[first]) / np.diff(beat)
    units = np.array(_BEAT_UNITS)
    nearest = units[np.argmin(np.abs(np.subtract.outer(slope, units)), axis=1)]
    at = np.searchsorted(beat, np.round(score.onset_beat, 6))
    return np.asarray(nearest[np.minimum(at, len(nearest) - 1)], dtype=np.float64)


def _pace(score: ScoreNotes) -> float:
    """Quarter notes per second at the first notes of the score MIDI."""
    later = np.flatnonzero(score.onset_s > score.onset_s[0] + 1e-3)
    if not len(later):
        return 2.0
    quarters = score.onset_q[later[0]] - score.onset_q[0]
    return max(float(quarters / (score.onset_s[later[0]] - score.onset_s[0])), 1e-2)


def _importance(place: Floats, beats: Floats) -> Floats:
    """Weight of a place in the bar, 0 to 4, by the published table."""

    def on(parts: int, tolerance: float = 1e-3) -> NDArray[np.bool_]:
        return np.abs(place * parts - np.rint(place * parts)) < tolerance * parts

    def has(*numerators: int) -> NDArray[np.bool_]:
        return np.isin(np.rint(beats), numerators)

    third, seventh = np.abs(place - 1 / 3) < 1e-3, np.abs(place - 2 / 7) < 1e-3
    return np.select(
        [
            np.abs(place) < 1e-3,
            (np.abs(place - 0.5) < 1e-3) & has(2, 4, 6, 12),
            third & has(3, 9),
            on(4) & has(2, 4),
            on(5) & has(5),
            on(6) & has(3, 6, 12),
            on(8) & has(2, 4),
            on(9) & has(9),
            on(12) & has(3, 6, 12),
            has(7) & (seventh | (np.abs(place - 2 / 5) < 1e-3)),
        ],
        [4.0, 3.0, 2.0, 1.0, 2.0, 1.0, 0.5, 1.0, 0.5, 2.0],
        0.0,
    )


def _time_signature(beats: Floats, quarters: Floats) -> dict[str, Floats]:
    """Encode the time signature as published: prime factors of the numerator, and what it is by."""
    top = np.rint(beats).astype(np.int64)
    known = {
        "2": np.isin(top, (2, 4, 6, 12, 24)),
        "3": np.isin(top, (3, 9)),
        "4": np.isin(top, (4, 12, 24)),
        "6_9_12": np.isin(top, (6, 9, 12, 24)),
    }
    known["other"] = ~np.any(list(known.values()), axis=0)
    columns = {f"time_{name}": of * 1.0 for name, of in known.items()}
    by = np.rint(4 / quarters).astype(np.int64)
    return columns | {f"time_by_{n}": (by == n) * 1.0 for n in (2, 4, 8, 16)}
