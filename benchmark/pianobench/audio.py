"""Waveforms and files: what enters is a path, what leaves is mono float32; the only audio I/O.

Waveforms are float32 arrays of shape (samples,), full scale +-1. Several channels are averaged.
Renders are kept as 16-bit FLAC; `quantise` gives the numbers such a file holds, so that a fresh
render and a cached one are the same. Files that cannot be decoded, are empty or hold a value that
is not finite are refused with `AudioError`.
"""

from __future__ import annotations

import hashlib
import io
import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import AudioError, DependencyError

__all__ = [
    "PART",
    "chunk_bounds",
    "duration_s",
    "is_silent",
    "quantise",
    "read_audio",
    "read_flac",
    "samples_digest",
    "write_flac",
]

Waveform = NDArray[np.float32]
_FULL_SCALE = 32768
_SILENCE = 1e-4
_BLOCK = 2**16
PART = ".part"
"""How the name of a file ends that is being written."""


def read_audio(
    path: Path, sample_rate: int, start_s: float = 0.0, end_s: float | None = None
) -> Waveform:
    """Decode a file, or a part of it, to mono at a sampling rate.

    Parameters
    ----------
    path : Path
        Anything libsndfile reads: WAV, FLAC, Ogg, MP3, ...
    sample_rate : int
        Hz. Other rates are converted by libsoxr's high-quality setting.
    start_s, end_s : float
        The part to read, in seconds; an end beyond the file's, or None, means to the end.

    Raises
    ------
    AudioError
        If it cannot be decoded, the part is empty, or a sample is NaN or infinite.
    DependencyError
        If the rate must be changed and soxr is not installed.

    References
    ----------
    The SoX Resampler library, https://sourceforge.net/projects/soxr/
    """
    channels, rate = _decode(path, start_s, end_s)
    if not np.isfinite(channels).all():
        at = int(np.argwhere(~np.isfinite(channels))[0, 0])
        raise AudioError(
            f"The audio file {path} holds a sample that is not a number, "
            f"{start_s + at / rate:.3f} s from its start. Decode or export it again."
        )
    waveform: Waveform = channels.mean(axis=1, dtype=np.float32)
    if rate == sample_rate:
        return waveform
    resampled: Waveform = _soxr().resample(waveform, rate, sample_rate, quality="HQ")
    if not len(resampled):
        raise AudioError(
            f"The audio file {path} has {len(waveform)} samples at {rate} Hz: nothing is left at "
            f"{sample_rate} Hz. Give a longer file."
        )
    return resampled


def duration_s(path: Path, start_s: float = 0.0, end_s: float | None = None) -> float:
    """Length in seconds of a file, or of a part of it, as its header tells.

    Parameters
    ----------
    path, start_s, end_s
        See `read_audio`.

    Raises
    ------
    AudioError
        If the header cannot be read.
    """
    import soundfile

    try:
        whole_s: float = soundfile.info(path).duration
    except (soundfile.LibsndfileError, OSError) as error:
        raise _unreadable(path, error) from error
    return max(0.0, (whole_s if end_s is None else min(end_s, whole_s)) - start_s)


def is_silent(path: Path) -> bool:
    """Tell whether nothing in a file is louder than -80 dB of full scale, some 3 steps of 16 bits.

    It is read only as far as the first sound.

    Raises
    ------
    AudioError
        If it cannot be decoded.
    """
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            blocks = file.blocks(blocksize=_BLOCK, dtype="float32")
            # What is not a number is no silence; reading the clip tells.
            return all(bool((np.abs(block) <= _SILENCE).all()) for block in blocks)
    except (soundfile.LibsndfileError, OSError) as error:
        raise _unreadable(path, error) from error


def read_flac(path: Path) -> Waveform:
    """Read a mono FLAC file at its own rate.

    Raises
    ------
    AudioError
        If it cannot be decoded or holds several channels.
    """
    channels, _ = _decode(path, 0.0, None)
    if channels.shape[1] != 1:
        raise AudioError(f"The file {path} has {channels.shape[1]} channels, not one. Delete it.")
    return channels[:, 0]


def write_flac(path: Path, waveform: Waveform, sample_rate: int) -> None:
    """Write 16-bit FLAC; the file appears complete or not at all, even after a power cut.

    Parameters
    ----------
    path : Path
        Its folder must exist.
    waveform : float32 array, shape (samples,)
        As `quantise` returns it.
    sample_rate : int
        Hz.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written.
    """
    import soundfile

    encoded = io.BytesIO()
    samples = np.rint(waveform * _FULL_SCALE).astype(np.int16)
    soundfile.write(encoded, samples, sample_rate, format="FLAC", subtype="PCM_16")
    part = path.with_name(f".{uuid.uuid4().hex}{PART}")
    try:
        with part.open("wb") as file:
            file.write(encoded.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def quantise(waveform: Waveform) -> Waveform:
    """Round to 16 bits, the numbers a FLAC of the waveform holds.

    Full scale +1 becomes 1 - 2^-15, the largest value that 16 bits have.

    Examples
    --------
    >>> quantise(np.array([0.0, 0.25, 1.0], dtype=np.float32)) * 32768
    array([    0.,  8192., 32767.], dtype=float32)
    """
    # Rounding leaves -0.0, which no integer file can hold and which has another digest: add zero.
    steps = np.rint(waveform * np.float32(_FULL_SCALE)) + np.float32(0)
    return np.asarray(np.minimum(steps, _FULL_SCALE - 1) / _FULL_SCALE, dtype=np.float32)


def samples_digest(waveform: Waveform) -> str:
    """SHA-256 of the samples as little-endian float32; the rate and the file play no part."""
    return hashlib.sha256(np.ascontiguousarray(waveform, dtype="<f4").tobytes()).hexdigest()


def chunk_bounds(
    samples: int, length: int | None, minimum: int = 1, overlap: int = 0
) -> list[tuple[int, int]]:
    """Cut a waveform into equal pieces, the last one shorter.

    Parameters
    ----------
    samples : int
        Of the whole waveform.
    length : int or None
        Samples of a piece; None leaves it whole.
    minimum : int
        A last piece shorter than this is joined to the one before.
    overlap : int
        Samples at the end of a piece that the next one begins with.

    Returns
    -------
    list of (int, int)
        First sample of each piece and the one after its last.

    Raises
    ------
    AudioError
        If the whole waveform is shorter than the minimum.

    Examples
    --------
    >>> chunk_bounds(25, 10, minimum=5)
    [(0, 10), (10, 20), (20, 25)]
    >>> chunk_bounds(24, 10, minimum=5)
    [(0, 10), (10, 24)]
    >>> chunk_bounds(24, 10, overlap=4)
    [(0, 10), (6, 16), (12, 22), (18, 24)]
    """
    if samples < max(1, minimum):
        raise AudioError(
            f"A waveform of {samples} samples is shorter than the {max(1, minimum)} that the "
            "encoder needs. Leave the clip out or give a longer one."
        )
    if length is None or samples <= length:
        return [(0, samples)]
    step = length - overlap
    starts = [start for start in range(0, samples, step) if start == 0 or start + overlap < samples]
    if samples - starts[-1] < minimum:
        del starts[-1]
    return [(start, start + length) for start in starts[:-1]] + [(starts[-1], samples)]


def _decode(path: Path, start_s: float, end_s: float | None) -> tuple[Waveform, int]:
    """Read part of a file: float32 of shape (samples, channels), and its rate in Hz."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            rate = int(file.samplerate)
            start = round(start_s * rate)
            end = file.frames if end_s is None else min(file.frames, round(end_s * rate))
            if not 0 <= start < end:
                raise AudioError(
                    f"The audio file {path} has {file.frames / rate:.3f} s; from {start_s} s to "
                    f"{'its end' if end_s is None else f'{end_s} s'} there is nothing in it. Check "
                    "the clip's start and end."
                )
            file.seek(start)
            channels: Waveform = file.read(end - start, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise _unreadable(path, error) from error
    if len(channels) < end - start:
        raise AudioError(
            f"The audio file {path} breaks off: it announces {end - start} samples and holds "
            f"{len(channels)}. Fetch or export it again."
        )
    return channels, rate


def _unreadable(path: Path, error: Exception) -> AudioError:
    return AudioError(f"Cannot read the audio file {path}: {error}. Fetch or export it again.")


def _soxr() -> Any:
    try:
        import soxr
    except ImportError as error:
        raise DependencyError(
            "Changing a sampling rate needs soxr, which is not installed: "
            'pip install "pianobench[audio]"'
        ) from error
    return soxr
