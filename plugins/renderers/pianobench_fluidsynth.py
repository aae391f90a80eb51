"""FluidSynth in process: six clearly different pianos from three free SoundFonts.

A Synth that is used again is not reproducible (differences up to 3e-3), so every clip gets a fresh
one. FluidSynth shares loaded samples among the Synths of a process as long as one of them holds
them, so an idle Synth is kept: a fresh one then costs 20 ms instead of up to 5 s.

Events take effect at multiples of 64 samples, FluidSynth's own block: within 1.3 ms of their time
at 24 kHz. Only notes and the three pedals are played. Volume, pan and effect sends in a file tell
how it was exported: in PercePiano they differ between machine renditions and pianists.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from ctypes import c_char_p, c_int, c_void_p
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pianobench import AudioError, Component, DependencyError, Notes, Renderer, hookimpl, read_notes
from pianobench.places import cache_root, data_root

__all__ = ["FluidSynth", "Instrument"]

Instrument = Literal[
    "fluid-grand",
    "fluid-bright",
    "musescore-grand",
    "timgm-grand",
    "timgm-bright",
    "timgm-electric-grand",
]


class _Voice(NamedTuple):
    soundfont: str
    program: int


_VOICES: dict[Instrument, _Voice] = {
    "fluid-grand": _Voice("FluidR3_GM.sf2", 0),
    "fluid-bright": _Voice("FluidR3_GM.sf2", 1),
    "musescore-grand": _Voice("MuseScore_General_Lite.sf3", 0),
    "timgm-grand": _Voice("TimGM6mb.sf2", 0),
    "timgm-bright": _Voice("TimGM6mb.sf2", 1),
    "timgm-electric-grand": _Voice("TimGM6mb.sf2", 2),
}
# One gain for all six, whose levels agree within 2 dB. With it the loudest of PercePiano's 1,202
# clips reaches 0.48 to 0.56 by instrument, the loudest of 22 ASAP files on fluid-grand 0.62.
_GAIN = 0.7
_INSTALL = (
    'pip install "pianobench[audio]"; apt-get install fluidsynth fluid-soundfont-gm '
    "musescore-general-soundfont-small timgm6mb-soundfont"
)
_FOLDERS = (
    Path("/usr/share/sounds/sf2"),
    Path("/usr/share/sounds/sf3"),
    Path("/usr/share/soundfonts"),
    Path("/opt/homebrew/share/soundfonts"),
)
_BLOCK = 64  # samples; FLUID_BUFSIZE
_PEDALS = (64, 66, 67)
_CONTROL, _OFF, _ON = range(3)  # the order of events in one block


class FluidSynth(Renderer):
    """FluidSynth with a sampled piano; bit for bit reproducible."""

    name = "fluidsynth"
    licence = "LGPL-2.1 (FluidSynth); MIT (FluidR3, MuseScore General); GPL-2 (TimGM6mb)"
    citation = "FluidSynth, https://www.fluidsynth.org; FluidR3 by Frank Wen"
    card = (
        "FluidSynth reads the sustain pedal as up or down (threshold 64 of 127, so half-pedalling "
        "is lost) and ignores the soft pedal. Event times are rounded to 64 samples. Volume, pan "
        "and effect sends of the file are not played. Constant gain, default reverb, stereo "
        "averaged to mono."
    )

    argument = "instrument"

    instrument: Instrument = "fluid-grand"
    """Which piano: Yamaha grand and bright grand of FluidR3, the grand of MuseScore General, or
    grand, bright and electric grand of TimGM6mb."""
    gain_db: float = 0.0
    """Louder or softer than usual, for every clip alike; lower it where clips exceed 1."""

    def version(self) -> str:
        """Name FluidSynth's version, the SoundFont's digest and the gain.

        Raises
        ------
        DependencyError
            If pyfluidsynth, FluidSynth or the SoundFont is not installed.
        """
        voice = _VOICES[self.instrument]
        library = _library().version().decode()
        digest = _file_digest(_soundfont(voice.soundfont))
        return f"FluidSynth {library}, {voice.soundfont} {digest}, gain {_GAIN}, events 1"

    def render(self, midi: Path, sample_rate: int) -> NDArray[np.float32]:
        """Play a file, shape (samples,), from time 0 to 2 s after the last note-off.

        Raises
        ------
        AudioError
            If FluidSynth cannot open the SoundFont or work at this rate.
        DependencyError
            If pyfluidsynth, FluidSynth or the SoundFont is not installed.
        """
        voice = _VOICES[self.instrument]
        soundfont = _soundfont(voice.soundfont)
        notes = read_notes(midi)
        _hold_samples(soundfont, voice.program)
        gain = _GAIN * 10 ** (self.gain_db / 20)
        with _synth(soundfont, voice.program, sample_rate, gain) as synth:
            stereo = _play(synth, notes, sample_rate)
        return 0.5 * (stereo[:, 0] + stereo[:, 1])


class _Library(NamedTuple):
    """Pyfluidsynth, and the functions of FluidSynth that it does not declare."""

    module: Any
    version: Any
    write_float: Any


@cache
def _library() -> _Library:
    try:
        # On import pyfluidsynth prints where it found the library if CI is set.
        with contextlib.redirect_stdout(io.StringIO()):
            import fluidsynth
    except (ImportError, OSError) as error:
        raise DependencyError(
            f"The fluidsynth renderer needs pyfluidsynth and FluidSynth ({error}). Install them: "
            f"{_INSTALL}"
        ) from error
    declare = fluidsynth.cfunc
    set_log = declare(
        "fluid_set_log_function",
        c_void_p,
        ("level", c_int, 1),
        ("fun", c_void_p, 1),
        ("data", c_void_p, 1),
    )
    for level in range(5):
        # What matters is told by return codes; the rest would break the progress bar.
        set_log(level, None, None)
    write_float = declare(
        "fluid_synth_write_float",
        c_int,
        ("synth", c_void_p, 1),
        ("len", c_int, 1),
        ("lout", c_void_p, 1),
        ("loff", c_int, 1),
        ("lincr", c_int, 1),
        ("rout", c_void_p, 1),
        ("roff", c_int, 1),
        ("rincr", c_int, 1),
    )
    return _Library(fluidsynth, declare("fluid_version_str", c_char_p), write_float)


def _soundfont(name: str) -> Path:
    folders = (data_root() / "soundfonts", *_FOLDERS)
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise DependencyError(
        f"The SoundFont {name} is in none of {', '.join(map(str, folders))}. Put it into the "
        f"first, or install it: {_INSTALL}"
    )


@cache
def _file_digest(path: Path) -> str:
    """SHA-256 of a file, remembered on disk by path, size and time of change."""
    stat = path.stat()
    facts = json.dumps([str(path.resolve()), stat.st_size, stat.st_mtime_ns])
    memo = cache_root() / "digests" / hashlib.sha256(facts.encode()).hexdigest()
    with contextlib.suppress(OSError):
        known = memo.read_text()
        if len(known) == 64:
            return known
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with contextlib.suppress(OSError):  # a memo that cannot be kept costs half a second next time
        memo.parent.mkdir(parents=True, exist_ok=True)
        memo.write_text(digest)
    return digest


@cache
def _hold_samples(soundfont: Path, program: int) -> Any:
    return _open(soundfont, program, 24_000, _GAIN)


@contextlib.contextmanager
def _synth(soundfont: Path, program: int, sample_rate: int, gain: float) -> Iterator[Any]:
    synth = _open(soundfont, program, sample_rate, gain)
    try:
        yield synth
    finally:
        synth.delete()


def _open(soundfont: Path, program: int, sample_rate: int, gain: float) -> Any:
    if not 8_000 <= sample_rate <= 96_000:
        raise AudioError(f"FluidSynth renders at 8,000 to 96,000 Hz, not at {sample_rate:,} Hz.")
    settings = {
        "synth.dynamic-sample-loading": 1,  # one preset's samples: 20 ms instead of 55
        "synth.chorus.active": 0,  # no piano sends to it: equal samples, a tenth faster
        "synth.polyphony": 1024,  # 256 voices are stolen from where the pedal is long down
    }
    synth = _library().module.Synth(
        gain=gain, samplerate=float(sample_rate), channels=16, **settings
    )
    loaded = synth.sfload(str(soundfont))
    if loaded == -1 or synth.program_select(0, loaded, 0, program) != 0:
        synth.delete()
        raise AudioError(
            f"FluidSynth cannot open preset 0/{program} of {soundfont}. Install it again: "
            f"{_INSTALL}"
        )
    return synth


def _play(synth: Any, notes: Notes, sample_rate: int) -> NDArray[np.float32]:
    """Step through the events: float32 of shape (samples, 2)."""
    blocks = int(np.ceil((notes.offset.max() + Renderer.tail_s) * sample_rate / _BLOCK))
    stereo = np.zeros((blocks * _BLOCK, 2), dtype=np.float32)
    now = 0
    for block, kind, number, value in _events(notes, sample_rate / _BLOCK).tolist():
        if block >= blocks:
            break
        _write(synth, stereo[now * _BLOCK : block * _BLOCK])
        now = block
        if kind == _CONTROL:
            synth.cc(0, number, value)
        elif kind == _OFF:
            synth.noteoff(0, number)
        else:
            synth.noteon(0, number, value)
    _write(synth, stereo[now * _BLOCK :])
    return stereo


def _write(synth: Any, stereo: NDArray[np.float32]) -> None:
    if len(stereo):
        start = stereo.ctypes.data
        _library().write_float(synth.synth, len(stereo), start, 0, 2, start, 1, 2)


def _events(notes: Notes, blocks_per_s: float) -> NDArray[np.int64]:
    """Order all events: rows of block, kind, number (key or controller) and value."""
    on = np.rint(notes.onset * blocks_per_s).astype(np.int64)
    off = np.maximum(np.rint(notes.offset * blocks_per_s).astype(np.int64), on + 1)
    order = np.lexsort((on, notes.pitch))
    same = np.diff(notes.pitch[order]) == 0
    again = np.full(len(on), np.iinfo(np.int64).max)
    again[order[:-1][same]] = on[order[1:][same]]
    # A key struck again while down: the note-off of the first stroke would end the second.
    ends = off <= again
    pedal = np.isin(notes.control_number, _PEDALS)
    moved = np.rint(notes.control_time[pedal] * blocks_per_s).astype(np.int64)
    rows = [
        _rows(moved, _CONTROL, notes.control_number[pedal], notes.control_value[pedal]),
        _rows(off[ends], _OFF, notes.pitch[ends], np.zeros(int(ends.sum()), dtype=np.int64)),
        _rows(on, _ON, notes.pitch, notes.velocity),
    ]
    events = np.concatenate(rows)
    return events[np.lexsort((events[:, 1], events[:, 0]))]


def _rows(
    block: NDArray[np.int64], kind: int, number: NDArray[np.int64], value: NDArray[np.int64]
) -> NDArray[np.int64]:
    return np.stack([block, np.full(len(block), kind), number, value], axis=1)


@hookimpl
def bench_components() -> Iterable[type[Component]]:
    """Register the renderer."""
    return [FluidSynth]
