"""A small additive synthesizer in numpy: the renderer that needs nothing installed.

A note is a sum of eight decaying harmonics. Struck harder it is louder and brighter; the sustain
pedal holds it; striking the same key again damps what still sounds. It is no piano, but pitch,
loudness, articulation, pedal and tempo are all in it, which is what tests and the demo need.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pianobench import Component, Notes, Renderer, hookimpl, read_notes

__all__ = ["Tone"]

_HARMONICS = np.arange(1, 9)
_DARK, _BRIGHT = 2.5, 0.8  # amplitudes fall with this power of the harmonic's number
_ATTACK_S = 0.003
_RELEASE_S = 0.05  # time constant of the damper
# The loudest of PercePiano's 1,202 clips reaches 0.51, the loudest of 33 ASAP files 0.61.
_GAIN = 0.2
_SUSTAIN = 64  # controller, and the value from which MIDI 1.0 calls a pedal down


class Tone(Renderer):
    """Additive synthesis: eight harmonics, exponential decay, sustain pedal up or down."""

    name = "tone"
    licence = "MIT"
    card = (
        "Synthetic tone of eight harmonics, no piano: the sustain pedal is up or down (threshold "
        "64), the soft and sostenuto pedals, resonance and hammer noise are missing."
    )

    argument = "brightness"

    brightness: Annotated[float, Field(ge=0, le=1)] = 0.6
    """How much of a note struck at full velocity is the bright spectrum; 0 makes all notes dark."""
    gain_db: float = 0.0
    """Louder or softer than usual, for every clip alike; lower it where clips exceed 1."""

    def version(self) -> str:
        """Name the recipe; it changes when the samples do."""
        return "1"

    def render(self, midi: Path, sample_rate: int) -> NDArray[np.float32]:
        """Sum the notes of a file, shape (samples,), from time 0 to 2 s after the last note-off."""
        notes = read_notes(midi)
        damped_s = _damped(notes)
        start = np.rint(notes.onset * sample_rate).astype(np.int64)
        end = np.maximum(np.rint(damped_s * sample_rate).astype(np.int64), start + 1)
        force = notes.velocity / 127
        # 40 dB per decade of velocity is the default of the SoundFont 2.04 standard, 8.4.1.
        level = _GAIN * 10 ** (self.gain_db / 20) * force**2
        bright = self.brightness * force
        release = np.exp(-np.arange(round(5 * _RELEASE_S * sample_rate)) / sample_rate / _RELEASE_S)
        release = release.astype(np.float32)
        samples = np.zeros(
            round((notes.offset.max() + Renderer.tail_s) * sample_rate), dtype=np.float32
        )
        for i, pitch in enumerate(notes.pitch.tolist()):
            dark, sharp = _string(pitch, sample_rate)
            held = min(int(end[i] - start[i]), len(dark))
            length = min(held + len(release), len(dark), len(samples) - int(start[i]))
            note = dark[:length] * np.float32(level[i] * (1 - bright[i]))
            note += sharp[:length] * np.float32(level[i] * bright[i])
            note[held:] *= release[: max(0, length - held)]
            samples[start[i] : start[i] + length] += note
        return samples


def _damped(notes: Notes) -> NDArray[np.float64]:
    """Find when each note's damper falls: key and pedal up, or the key struck again."""
    time_s, value = notes.control(_SUSTAIN)
    down = value >= _SUSTAIN
    last = np.searchsorted(time_s, notes.offset, side="right") - 1
    held = (last >= 0) & np.append(down, False)[last]
    ups = np.append(time_s[~down], np.inf)
    damped = np.where(held, ups[np.searchsorted(time_s[~down], notes.offset)], notes.offset)
    order = np.lexsort((notes.onset, notes.pitch))
    again = np.full(len(notes), np.inf)
    same = np.diff(notes.pitch[order]) == 0
    again[order[:-1][same]] = notes.onset[order[1:][same]]
    end_s = notes.offset.max() + Renderer.tail_s
    earliest: NDArray[np.float64] = np.minimum(np.minimum(damped, again), end_s)
    return earliest


@lru_cache(maxsize=256)
def _string(pitch: int, sample_rate: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Let one string ring down from full level: its dark and its bright spectrum."""
    hz = 440 * 2 ** ((pitch - 69) / 12)
    ring_s = 8 * 2 ** (
        (21 - pitch) / 24
    )  # to -60 dB: 8 s for the lowest key, 0.6 s for the highest
    t_s = np.arange(round(1.2 * ring_s * sample_rate)) / sample_rate
    decay = np.log(1000) / ring_s
    # Harmonic k is the k-th power of z, which also makes the higher ones fade sooner.
    z = np.exp((2j * np.pi * hz - decay / 2) * t_s)
    envelope = np.exp(-decay / 2 * t_s) * np.minimum(1, t_s / _ATTACK_S)
    audible = _HARMONICS * hz < 0.45 * sample_rate
    tones = []
    for power in (_DARK, _BRIGHT):
        amplitudes = np.where(audible, _HARMONICS.astype(np.float64) ** -power, 0)
        amplitudes /= max(1.0, amplitudes.sum())
        tone = np.zeros_like(z)
        for amplitude in amplitudes[::-1]:
            tone = (tone + amplitude) * z
        tones.append((tone.imag * envelope).astype(np.float32))
    return tones[0], tones[1]


@hookimpl
def bench_components() -> Iterable[type[Component]]:
    """Register the renderer."""
    return [Tone]
