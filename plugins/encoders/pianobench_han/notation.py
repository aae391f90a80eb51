"""What is written about the notes of a score beyond pitch and place: beams, slurs, grace, rests.

It is read from the MusicXML, note by note in the order of `partitura.score.Part.notes_tied`, which
`pianobench.score_notes.ScoreNotes.written` refers to.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pianobench.symbolic import import_symbolic, quiet

__all__ = ["MARKS", "read_notation"]

MARKS: Mapping[str, tuple[str, ...]] = {
    "trill": ("trill-mark",),
    "tenuto": ("tenuto", "detached-legato"),
    "accent": ("accent",),
    "staccato": ("staccato", "staccatissimo", "detached-legato", "spiccato"),
    "strong_accent": ("strong-accent",),
}
"""Marks of a note by the names that MusicXML gives them."""

Columns = Mapping[str, NDArray[np.float64]]


def read_notation(xml: Path) -> Columns:
    """Read the notes of a MusicXML.

    Returns
    -------
    mapping of str to float array, shape (written notes,)
        The keys of `MARKS`, ``fermata``, ``slash``, ``slur_start``, ``slur_stop``,
        ``beam_start``, ``beam_continue``, ``beam_stop``, ``preceded_by_grace`` and
        ``followed_by_fermata_rest`` are 0 or 1; ``grace_order`` counts grace notes back from the
        note they lead to, the last being -1; ``following_rest`` is in quarter notes.
    """
    status = xml.stat()
    return _read(xml, status.st_mtime_ns, status.st_size)


# The clips of one excerpt mostly come one after another.
@lru_cache(maxsize=4)
def _read(xml: Path, modified_ns: int, size: int) -> Columns:  # noqa: ARG001 - they name the content
    partitura = import_symbolic("partitura")
    with quiet():
        parts = list(partitura.load_musicxml(xml, force_note_ids="keep").parts)
        part = parts[0] if len(parts) == 1 else partitura.score.merge_parts(parts)
    notes = part.notes_tied
    rows = [_describe(note, partitura.score.GraceNote) for note in notes]
    columns = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}
    led_to = {id(n.main_note) for n in notes if isinstance(n, partitura.score.GraceNote)}
    columns["preceded_by_grace"] = np.array([float(id(n) in led_to) for n in notes])
    start = np.array([note.start.t for note in notes])
    end = start + np.array([note.duration_tied for note in notes])
    voice = np.array([note.voice or 0 for note in notes])
    columns["following_rest"] = _following_rest(
        np.asarray(part.quarter_map(start), dtype=np.float64),
        np.asarray(part.quarter_map(end), dtype=np.float64),
        voice,
    )
    held = {
        (rest.start.t, rest.voice or 0)
        for rest in part.iter_all(partitura.score.Rest)
        if rest.fermata is not None
    }
    columns["followed_by_fermata_rest"] = np.array(
        [float(place in held) for place in zip(end.tolist(), voice.tolist(), strict=True)]
    )
    return columns


def _describe(note: Any, grace: type) -> dict[str, float]:
    words = {*(note.articulations or ()), *(note.ornaments or ())}
    beamed = [] if note.beam is None else note.beam.notes
    first, last = (beamed[0] is note, beamed[-1] is note) if beamed else (False, False)
    is_grace = isinstance(note, grace)
    return {
        **{mark: float(bool(words & {*names})) for mark, names in MARKS.items()},
        "fermata": float(note.fermata is not None),
        "slash": float(is_grace and note.grace_type == "acciaccatura"),
        "slur_start": float(bool(note.slur_starts)),
        "slur_stop": float(bool(note.slur_stops)),
        "beam_start": float(first),
        "beam_continue": float(bool(beamed) and not first and not last),
        "beam_stop": float(last and not first),
        "grace_order": -float(len(list(note.iter_grace_seq()))) if is_grace else 0.0,
    }


def _following_rest(
    start_q: NDArray[np.float64], end_q: NDArray[np.float64], voice: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Quarter notes from each note's end to the next note of its voice; 0 for the last one."""
    rest = np.zeros(len(start_q))
    for own in (np.flatnonzero(voice == v) for v in np.unique(voice)):
        starts = np.sort(start_q[own])
        place = np.searchsorted(starts, end_q[own] - 1e-6)
        inside = place < len(starts)
        rest[own[inside]] = starts[place[inside]] - end_q[own[inside]]
    return np.maximum(rest, 0)
