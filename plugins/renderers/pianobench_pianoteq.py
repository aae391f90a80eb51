"""Pianoteq: a modelled piano, for those who own it.

The program renders one MIDI file per call, from its command line; it keeps half-pedalling and the
soft pedal, which sampled pianos lose. It is found by ``--set renderer.program=PATH``, by the
variable ``PIANOBENCH_PIANOTEQ``, as ``Pianoteq 9`` on the path, or where its installer puts it::

    bench info pianoteq
    bench run --renderer "pianoteq:K2 Basic"

The demo build leaves eight keys silent, which play 10.6% of PercePiano's notes. It is found out by
listening to them, and refused; ``--set renderer.allow_demo=true`` takes it as it is. The preset
``study-six`` stands for the six instruments of the study, one render each.

Everything here is tested against a stand-in for the program, which is commercial.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat

from pianobench import (
    AudioError,
    Component,
    DependencyError,
    Notes,
    Renderer,
    UsageError,
    hookimpl,
    write_notes,
)
from pianobench.audio import read_audio

__all__ = ["STUDY_SIX", "Pianoteq"]

STUDY_SIX = (
    "YC5 Vintage",
    "HB Steinway Model D",
    "NY Steinway D Honky Tonk",
    "NY Steinway D Worn Out",
    "U4 Small",
    "K2 Basic",
)
_VARIABLE = "PIANOBENCH_PIANOTEQ"
_NAMES = ("Pianoteq 9", "Pianoteq 9.exe")
_INSTALLED = (
    Path("/Applications/Pianoteq 9/Pianoteq 9.app/Contents/MacOS/Pianoteq 9"),
    Path("C:/Program Files/Modartt/Pianoteq 9/Pianoteq 9.exe"),
)
_SILENCED = (30, 32, 34, 73, 75, 78, 80, 82)
_HEARD = 60
_PROBE_HZ = 24_000
_SILENT = 0.01  # of the level of the key that is heard: 40 dB
_LAST_LINES = 5


class Pianoteq(Renderer):
    """Pianoteq 9, from its command line; commercial, and not part of this package."""

    name = "pianoteq"
    licence = "commercial (Modartt)"
    citation = "Pianoteq, https://www.modartt.com/pianoteq"
    argument = "preset"
    ensembles: ClassVar[Mapping[str, tuple[str, ...]]] = {"study-six": STUDY_SIX}
    card = (
        "Pianoteq models the instrument: half-pedalling and the soft pedal are kept. A demo build "
        "leaves the keys 30 32 34 73 75 78 80 82 silent; the version says whether it was one."
    )

    preset: str = "HB Steinway Model D"
    """Instrument by the name of its preset, such as those of `study-six`."""
    gain_db: float = 0.0
    """Louder or softer than the preset, for every clip alike; lower it where clips exceed 1."""
    allow_demo: bool = False
    """True renders with the demo build, in which eight keys are silent."""
    program: str = Field("", exclude=True)
    """Path of the executable; else `PIANOBENCH_PIANOTEQ`, else where it is installed."""
    timeout_s: PositiveFloat = Field(600.0, exclude=True)
    """Longest wait for one file, in seconds."""

    @property
    def instruments(self) -> tuple[str, ...]:  # type: ignore[override] # of what is installed
        """Presets of the program that is installed.

        Raises
        ------
        DependencyError
            If the program is not found, or does not list them.
        """
        return _presets(self._program(), self.timeout_s)

    def version(self) -> str:
        """Name the program, its digest, and whether it is a demo build.

        Raises
        ------
        DependencyError
            If the program is not found or does not answer, or is a demo build.
        UsageError
            If it has no such preset.
        AudioError
            If it does not render.
        """
        program = self._program()
        self._require_preset(program)
        digest = _digest(program, program.stat().st_mtime_ns)
        demo = _is_demo(program, digest, self.preset, self.timeout_s)
        if demo and not self.allow_demo:
            raise DependencyError(
                f"{program} is a demo build of Pianoteq: the keys {' '.join(map(str, _SILENCED))} "
                "make no sound. Install a licensed one, choose another renderer, or take it as it "
                "is with --set renderer.allow_demo=true."
            )
        return f"{program.stem}, {digest}{', demo build' if demo else ''}"

    def render(self, midi: Path, sample_rate: int) -> NDArray[np.float32]:
        """Play a file, shape (samples,), from time 0 to the end of its sound.

        Raises
        ------
        AudioError
            If Pianoteq fails, does not end, or writes no audio at this rate.
        DependencyError
            If the program is not found.
        """
        samples = _render(self._program(), self.preset, midi, sample_rate, self.timeout_s)
        return samples * np.float32(10 ** (self.gain_db / 20))

    def _program(self) -> Path:
        named = self.program or os.environ.get(_VARIABLE, "")
        if named:
            found = shutil.which(named)
            if found is None:
                where = "renderer.program" if self.program else _VARIABLE
                raise DependencyError(
                    f"{where} names {named!r}, which is no program that can be run. Name the "
                    "executable of Pianoteq."
                )
            return Path(found)
        for name in (*_NAMES, *map(str, _INSTALLED)):
            if found := shutil.which(name):
                return Path(found)
        raise DependencyError(
            f"Pianoteq is not found: no {_NAMES[0]!r} on the path, nor at {_INSTALLED[0]}. Install "
            f"it, or name the executable with --set renderer.program=PATH or in {_VARIABLE}; or "
            "choose another renderer, such as fluidsynth."
        )

    def _require_preset(self, program: Path) -> None:
        if self.preset in self.ensembles:
            several = ",".join(f"{self.name}:{preset}" for preset in self.ensembles[self.preset])
            raise UsageError(
                f"The preset {self.preset!r} stands for {len(self.ensembles[self.preset])} "
                f'instruments, and this takes one. Name one of --renderer "{several}".'
            )
        known = _presets(program, self.timeout_s)
        if self.preset in known:
            return
        near = get_close_matches(self.preset, known, n=1, cutoff=0.4)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise UsageError(
            f"{program} has no preset named {self.preset!r}.{guess} `bench info pianoteq` lists "
            f"all {len(known)}."
        )


@cache
def _digest(program: Path, changed_ns: int) -> str:  # noqa: ARG001 - another file, another digest
    with program.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def _presets(program: Path, timeout_s: float) -> tuple[str, ...]:
    failed, said = _run([program, "--list-presets"], timeout_s)
    presets = tuple(dict.fromkeys(line.strip() for line in said.splitlines() if line.strip()))
    if failed or not presets:
        raise DependencyError(
            f"{program} --list-presets {failed or 'lists none'}. {_last_lines(said)} Check that it "
            "is Pianoteq and that it runs."
        )
    return presets


@cache
def _is_demo(program: Path, digest: str, preset: str, timeout_s: float) -> bool:  # noqa: ARG001
    """Listen to the keys that a demo build leaves silent, and to one that it does not."""
    keys = np.array([*_SILENCED, _HEARD])
    onset = np.arange(len(keys), dtype=np.float64)
    nothing = np.zeros(0, dtype=np.int64)
    notes = Notes(
        onset=onset,
        offset=onset + 0.5,
        pitch=keys,
        velocity=np.full(len(keys), 90),
        control_time=np.zeros(0),
        control_number=nothing,
        control_value=nothing,
    )
    with TemporaryDirectory() as folder:
        midi = Path(folder) / "probe.mid"
        write_notes(midi, notes)
        samples = _render(program, preset, midi, _PROBE_HZ, timeout_s)
    starts = (onset * _PROBE_HZ).astype(np.int64)
    levels = [
        float(np.abs(samples[start : start + _PROBE_HZ // 2]).max(initial=0.0)) for start in starts
    ]
    if levels[-1] == 0.0:
        raise AudioError(
            f"{program} makes no sound of the key {_HEARD} with the preset {preset!r}. Check that "
            "it runs, and the preset in its own window."
        )
    return max(levels[:-1]) < _SILENT * levels[-1]


def _render(
    program: Path, preset: str, midi: Path, sample_rate: int, timeout_s: float
) -> NDArray[np.float32]:
    with TemporaryDirectory() as folder:
        # Alone in its folder: Pianoteq may take other files beside it for its playlist.
        alone, wav = Path(folder) / "midi" / "performance.mid", Path(folder) / "performance.wav"
        alone.parent.mkdir()
        shutil.copyfile(midi, alone)
        command: list[str | Path] = [program, "--headless", "--preset", preset]
        command += ["--midi", alone, "--wav", wav, "--rate", str(sample_rate), "--mono"]
        failed, said = _run(command, timeout_s)
        if not failed and not wav.is_file():
            failed = "wrote no WAV file"
        if failed:
            raise AudioError(f"Pianoteq {failed} for {midi}. {_last_lines(said)}")
        _require_rate(wav, sample_rate, midi)
        return read_audio(wav, sample_rate)


def _require_rate(wav: Path, sample_rate: int, midi: Path) -> None:
    import soundfile

    try:
        rate = soundfile.info(wav).samplerate
    except soundfile.LibsndfileError as error:
        raise AudioError(f"Pianoteq wrote a WAV of {midi} that cannot be read: {error}.") from error
    if rate != sample_rate:
        raise AudioError(
            f"Pianoteq wrote {midi} at {rate} Hz, and was asked for {sample_rate} Hz. Check that "
            "its licence renders at this rate."
        )


def _run(command: list[str | Path], timeout_s: float) -> tuple[str, str]:
    """Run a command; say how it failed, if it did, and what it said."""
    try:
        done = subprocess.run(  # noqa: S603 - the program that the user named
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode(errors="replace")
        return f"did not end within {timeout_s:g} s (renderer.timeout_s)", said
    except OSError as error:
        return f"cannot be run: {error.strerror}", ""
    said = done.stdout.decode(errors="replace")
    return f"ended with status {done.returncode}" if done.returncode else "", said


def _last_lines(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()][-_LAST_LINES:]
    return f"It said: {' / '.join(lines)}." if lines else "It said nothing."


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the renderer."""
    return [Pianoteq]
