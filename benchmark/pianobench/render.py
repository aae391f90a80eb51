"""MIDI to waveform through a `Renderer`, cropped to the music and cached by content.

What enters is clips, what leaves is a `Rendered` for each: a 16-bit FLAC and the digest of its
samples. Every clip is cut to [first onset - 0.1 s, last note-off + 2 s] with a fade over the last
0.5 s: PercePiano's files run a median 20 s past their last note, and pooling would measure that
silence. The length depends on the notes alone, so it is the same for every instrument. A clip is
never normalised: loudness is a label.

A file is named by the MIDI file's digest, the samples' digest and their number, in a folder named
by everything else that the samples depend on, with what the renderer makes of fixed notes: an
edited renderer renders anew. So a listing of the folder is the index: nothing is
decoded to find out what is there, concurrent runs share, and a run killed at any instant resumes.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .audio import PART, quantise, read_flac, samples_digest, write_flac
from .components import Renderer
from .errors import (
    AudioError,
    DependencyError,
    MidiError,
    PianobenchError,
    PluginError,
    StoreError,
)
from .failures import together
from .notes import Notes, read_notes
from .parallel import run_all
from .probes import probe_midi
from .progress import track
from .values import Clip

__all__ = ["FADE_S", "LEAD_S", "TAIL_S", "Rendered", "find_renders", "render_clips"]

LEAD_S = 0.1
"""Kept before the first onset."""
TAIL_S = Renderer.tail_s
"""Kept after the last note-off; a renderer goes on at least this long."""
FADE_S = 0.5
"""Length of the half cosine at the end."""
# Enough for several keys, velocities and the pedal, and short for a renderer that is slow.
_PROBE_CHORDS = 4
_STALE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Rendered:
    """One clip's waveform in the cache.

    Attributes
    ----------
    path : Path
    digest : str
        SHA-256 of the samples, as `pianobench.audio.samples_digest` gives it.
    samples : int
    sample_rate : int
        Hz.
    """

    path: Path
    digest: str
    samples: int
    sample_rate: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples / self.sample_rate

    def waveform(self) -> NDArray[np.float32]:
        """Read the samples, shape (samples,), and hold them against the digest.

        Raises
        ------
        AudioError
            If the file was removed, cut or changed. It is removed, so that the next run makes it
            anew.
        """
        try:
            waveform = read_flac(self.path)
        except AudioError as error:
            raise self._remove("it cannot be read") from error
        if samples_digest(waveform) != self.digest:
            raise self._remove("its samples are not those its name promises")
        return waveform

    def _remove(self, why: str) -> AudioError:
        damaged = f"The cached render {self.path} was damaged ({why})"
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            return AudioError(
                f"{damaged} and cannot be removed: {error.strerror}. Delete it and run again."
            )
        return AudioError(f"{damaged} and has been removed. Run again to render it anew.")


_NAME = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{64})\.(\d+)\.flac")
_OF_A_CLIP = (MidiError, AudioError, PluginError, DependencyError)


def render_clips(
    renderer: Renderer, clips: Iterable[Clip], sample_rate: int, cache: Path, jobs: int
) -> dict[str, Rendered]:
    """Render every clip that has no recording, unless the cache holds it.

    Without such a clip neither the renderer nor the cache is touched. A renderer that is not
    reproducible finds nothing of its own in the cache.

    Parameters
    ----------
    renderer : Renderer
    clips : iterable of Clip
        Those with `audio` are left out of the result.
    sample_rate : int
        Hz.
    cache : Path
        Made where it does not exist.
    jobs : int
        Number of processes.

    Returns
    -------
    dict of str to Rendered
        By clip id, in the order of the clips.

    Raises
    ------
    MidiError, AudioError, PluginError
        If clips cannot be rendered, with their names, after all others are rendered and kept.
    DependencyError
        If the renderer needs something that is not installed.
    StoreError
        If the cache cannot be written.
    """
    silent = [clip for clip in clips if clip.audio is None]
    if not silent:
        return {}
    folder = cache / _namespace(renderer, sample_rate)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    failures: dict[str, PianobenchError] = {}
    _remove_stale(folder)
    sources = _sources(silent, failures)
    found = _listing(folder, sample_rate)
    missing: dict[str, str] = {}  # equal MIDI files are rendered once
    for clip, source in sources.items():
        if source.key not in found:
            missing.setdefault(source.key, clip)
    names = list(missing.values())
    tasks = [sources[name] for name in names]
    work = run_all(partial(_render_one, renderer, sample_rate, folder), tasks, jobs)
    for index, outcome in track(work, len(tasks), "render"):
        if isinstance(outcome, Rendered):
            found[tasks[index].key] = outcome
        elif isinstance(outcome, _OF_A_CLIP):
            failures[names[index]] = outcome
        else:
            raise outcome
    if failures:
        count = f"{len(failures)} of {len(silent)} clips cannot be rendered"
        raise together(failures, f"{count}; the others are, and are kept.")
    return {clip: found[source.key] for clip, source in sources.items()}


def find_renders(cache: Path, sample_rate: int) -> dict[str, Rendered]:
    """Find what any renderer made at a rate in Hz, by the digest of its samples."""
    return {
        rendered.digest: rendered
        for folder in sorted(cache.glob(f"*-{sample_rate}-*"))
        for rendered in _listing(folder, sample_rate).values()
    }


def _namespace(renderer: Renderer, sample_rate: int) -> str:
    """Name the folder after all that the samples depend on besides the notes."""
    depends = [
        renderer.name,
        renderer.options,
        renderer.version(),
        _probed(renderer, sample_rate),
        sample_rate,
        {"lead_s": LEAD_S, "tail_s": TAIL_S, "fade_s": FADE_S, "fade": "cosine", "bits": 16},
    ]
    digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
    return f"{renderer.name}-{sample_rate}-{digest[:16]}"


def _probed(renderer: Renderer, sample_rate: int) -> str:
    """Digest of what a renderer makes of fixed notes."""
    with probe_midi(_PROBE_CHORDS) as midi:
        try:
            return samples_digest(quantise(renderer.render(midi, sample_rate)))
        except Exception as error:  # noqa: BLE001 - a fault is told with the clip that shows it
            return type(error).__name__


def _remove_stale(folder: Path) -> None:
    """Remove what killed runs were writing; a file of a run that goes on is seconds old."""
    for part in folder.glob(f".*{PART}"):
        with suppress(OSError):  # another run may have removed it
            if time.time() - part.stat().st_mtime > _STALE_S:
                part.unlink()


class _Source(NamedTuple):
    midi: Path
    key: str


def _sources(clips: Iterable[Clip], failures: dict[str, PianobenchError]) -> dict[str, _Source]:
    sources = {}
    for clip in clips:
        if clip.midi is None:
            failures[clip.id] = MidiError("It has neither a MIDI file nor a recording.")
            continue
        try:
            digest = hashlib.sha256(clip.midi.read_bytes()).hexdigest()
        except OSError as error:
            failures[clip.id] = MidiError(
                f"Cannot read the MIDI file {clip.midi}: {error.strerror}. Fetch it again."
            )
        else:
            # Half of the digest: with the samples' digest the name stays below 143 characters,
            # the limit of encrypted home folders.
            sources[clip.id] = _Source(clip.midi, digest[:32])
    return sources


def _listing(folder: Path, sample_rate: int) -> dict[str, Rendered]:
    found: dict[str, Rendered] = {}
    # Sorted, since a renderer that is not reproducible may have left two files for one clip.
    for path in sorted(folder.iterdir()):
        named = _NAME.fullmatch(path.name)
        if named:
            key, digest, samples = named.groups()
            found.setdefault(key, Rendered(path, digest, int(samples), sample_rate))
    return found


def _render_one(renderer: Renderer, sample_rate: int, folder: Path, source: _Source) -> Rendered:
    midi, key = source
    notes = read_notes(midi)
    try:
        samples = renderer.render(midi, sample_rate)
    except _OF_A_CLIP:
        raise
    except Exception as error:
        raise PluginError(
            f"The renderer {renderer.name!r} failed on {midi}: {type(error).__name__}: {error}."
        ) from error
    waveform = quantise(_crop(_checked(samples, renderer, midi), notes, sample_rate))
    digest = samples_digest(waveform)
    path = folder / f"{key}.{digest}.{len(waveform)}.flac"
    try:
        write_flac(path, waveform, sample_rate)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return Rendered(path, digest, len(waveform), sample_rate)


def _checked(samples: NDArray[np.float32], renderer: Renderer, midi: Path) -> NDArray[np.float32]:
    who = f"The renderer {renderer.name!r}"
    if not isinstance(samples, np.ndarray) or samples.ndim != 1 or samples.dtype != np.float32:
        seen = f"{getattr(samples, 'dtype', type(samples))} of shape {np.shape(samples)}"
        raise PluginError(f"{who} returned {seen} for {midi}; expected mono float32 (samples,).")
    if not np.isfinite(samples).all():
        raise PluginError(f"{who} returned samples that are not finite for {midi}.")
    peak = float(np.abs(samples).max(initial=0.0))
    if peak == 0.0:
        raise AudioError(f"{who} made only silence of {midi}. Check its instrument.")
    if peak > 1.0:
        raise AudioError(
            f"{who} reaches {peak:.3f} on {midi}, beyond full scale, and would clip. Lower its "
            f"gain by {20 * np.log10(peak) + 0.05:.1f} dB or more, for all clips alike: `bench "
            f"info {renderer.name}` names the option."
        )
    return samples


def _crop(samples: NDArray[np.float32], notes: Notes, sample_rate: int) -> NDArray[np.float32]:
    """Cut to the music and fade out; a renderer that stopped early is continued by silence."""
    start = max(0, round((notes.onset.min() - LEAD_S) * sample_rate))
    end = round((notes.offset.max() + TAIL_S) * sample_rate)
    cropped = np.zeros(end - start, dtype=np.float32)
    sounding = samples[start:end]
    cropped[: len(sounding)] = sounding
    fade = round(FADE_S * sample_rate)
    cropped[-fade:] *= (0.5 + 0.5 * np.cos(np.pi * np.arange(1, fade + 1) / fade)).astype("f4")
    return cropped


def _unwritable(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"Cannot write renders to {folder}: {error.strerror}. Make room or make it writable, or "
        "set PIANOBENCH_CACHE to another folder; what is rendered is kept."
    )
