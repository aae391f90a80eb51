"""The score of the small piece that score encoders are tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .music import write_notes_of

__all__ = ["write_score"]

_BARS = 4
_STEPS = "CDEFGAB"

_SCORE = """<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="3.1">
<part-list><score-part id="P1"><part-name>Piano</part-name></score-part></part-list>
<part id="P1">
{measures}
</part>
</score-partwise>
"""
_ATTRIBUTES = (
    "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time>"
    "<staves>2</staves></attributes>"
)
_NOTE = (
    "<note><pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    "<duration>{duration}</duration><voice>{voice}</voice><staff>{staff}</staff></note>"
)


def write_score(midi: Path, xml: Path) -> None:
    """Write the score of `pianobench.testing.music.write_music`, as MIDI and as MusicXML.

    Four bars of 4/4, a melody of quarter notes over a whole note in each bar, in the tempo at
    which `write_music` plays them, without pedal.
    """
    beat = np.arange(4 * _BARS)
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    pitch = np.concatenate([60 + np.resize(scale, len(beat)), np.full(_BARS, 48)])
    write_notes_of(midi, np.concatenate([0.5 * beat, 0.5 * beat[::4]]), pitch)
    measures = []
    for bar in range(_BARS):
        melody = [
            _NOTE.format(step=_STEPS[(4 * bar + k) % 7], octave=4, duration=1, voice=1, staff=1)
            for k in range(4)
        ]
        bass = _NOTE.format(step="C", octave=3, duration=4, voice=5, staff=2)
        content = [*melody, "<backup><duration>4</duration></backup>", bass]
        first = _ATTRIBUTES if bar == 0 else ""
        measures.append(f'<measure number="{bar + 1}">{first}{"".join(content)}</measure>')
    xml.write_text(_SCORE.format(measures="\n".join(measures)), encoding="utf-8")
