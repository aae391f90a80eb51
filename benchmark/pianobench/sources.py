"""What a clip's features are computed from, and the key that names it in the store.

A key is the hash of the rendered samples, or of the bytes of the files that are read, so clips
that are the same have the same key; the names of clips, files and datasets play no part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .audio import duration_s, read_audio
from .components import AudioEncoder, ScoreEncoder
from .errors import AudioError, DataError, UsageError
from .render import Rendered
from .values import Clip, Corpus

__all__ = ["NoteSource", "RecordingSource", "RenderSource", "WaveformSource", "find_sources"]


@dataclass(frozen=True, slots=True)
class NoteSource:
    """A clip whose files are read by the encoder itself."""

    clip: Clip
    key: str


@dataclass(frozen=True, slots=True)
class RenderSource:
    """A clip that was rendered; its key is the digest of the samples."""

    clip: Clip
    rendered: Rendered

    @property
    def key(self) -> str:
        """SHA-256 of the samples."""
        return self.rendered.digest

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.rendered.duration_s

    def waveform(self, sample_rate: int) -> NDArray[np.float32]:  # noqa: ARG002 - as rendered
        """Read the samples, shape (samples,)."""
        return self.rendered.waveform()


@dataclass(frozen=True, slots=True)
class RecordingSource:
    """A clip that was recorded: a part of an audio file."""

    clip: Clip
    audio: Path
    key: str

    @property
    def duration_s(self) -> float:
        """Length in seconds, as the file's header tells; 0 if it cannot be read."""
        try:
            return duration_s(self.audio, self.clip.start_s, self.clip.end_s)
        except AudioError:
            # Reading the clip tells what is wrong with it.
            return 0.0

    def waveform(self, sample_rate: int) -> NDArray[np.float32]:
        """Decode the part at a rate in Hz, shape (samples,)."""
        return read_audio(self.audio, sample_rate, self.clip.start_s, self.clip.end_s)


WaveformSource = RenderSource | RecordingSource


def find_sources(
    encoder: AudioEncoder | ScoreEncoder,
    corpus: Corpus,
    waveforms: Mapping[str, Rendered] | None,
) -> list[NoteSource] | list[WaveformSource]:
    """Find the source of every clip, in order.

    Parameters
    ----------
    encoder : AudioEncoder or ScoreEncoder
    corpus : Corpus
    waveforms : mapping of str to Rendered, optional
        By clip id; for an AudioEncoder, clips that are not in it need a recording.

    Raises
    ------
    DataError
        If clips lack a file that the encoder reads, or it cannot be read.
    UsageError
        If a clip has neither a render nor a recording, or a render is at another rate.
    """
    if isinstance(encoder, ScoreEncoder):
        return _note_sources(encoder, corpus)
    rendered = waveforms or {}
    return [_waveform_source(encoder, clip, rendered.get(clip.id)) for clip in corpus.clips]


def _note_sources(encoder: ScoreEncoder, corpus: Corpus) -> list[NoteSource]:
    for kind in encoder.requires:
        without = [clip.id for clip in corpus.clips if getattr(clip, kind) is None]
        if without:
            raise DataError(
                f"{len(without)} of {len(corpus.clips)} clips of {corpus.name!r} have no {kind}, "
                f"which the encoder {encoder.name!r} reads; the first is {without[0]!r}. Choose an "
                "encoder that does without."
            )
    return [
        NoteSource(clip, _files_digest([getattr(clip, kind) for kind in encoder.requires]))
        for clip in corpus.clips
    ]


def _waveform_source(
    encoder: AudioEncoder, clip: Clip, rendered: Rendered | None
) -> WaveformSource:
    if rendered is None:
        if clip.audio is None:
            raise UsageError(
                f"Clip {clip.id!r} has neither a render nor a recording, and the encoder "
                f"{encoder.name!r} reads audio. Choose a renderer."
            )
        part = f"{_files_digest([clip.audio])} {clip.start_s} {clip.end_s}"
        return RecordingSource(clip, clip.audio, hashlib.sha256(part.encode()).hexdigest())
    if rendered.sample_rate != encoder.sample_rate:
        raise UsageError(
            f"Clip {clip.id!r} is rendered at {rendered.sample_rate} Hz, but the encoder "
            f"{encoder.name!r} takes {encoder.sample_rate} Hz. Render it at that rate."
        )
    return RenderSource(clip, rendered)


def _files_digest(paths: Sequence[Path]) -> str:
    sha256 = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                sha256.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise DataError(f"Cannot read {path}: {error.strerror}. Fetch it again.") from error
    return sha256.hexdigest()
