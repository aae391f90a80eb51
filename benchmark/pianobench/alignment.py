"""A performance and its score, note by note: what enters is a clip, what leaves is an `Alignment`.

Performed notes are matched with those of the score MIDI; bars, beats and marks come from the
MusicXML (`pianobench.score_notes`). Matching takes seconds per hundred clips, so it is cached by
content: a file per clip is named by the digest of its MIDI and score, in a folder named by the
versions of everything that the result depends on besides. Several processes may share the cache,
and a run that is killed goes on where it was.

A clip that cannot be aligned is refused by name. One that is aligned badly is not: its report says
how much of it was matched, and what the rest is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .array_files import ArrayFile, read_arrays, write_arrays
from .errors import DataError, MidiError
from .note_matching import match_notes
from .notes import Notes, read_notes
from .places import cache_root
from .score_notes import ScoreNotes, pack_score, read_score, unpack_score
from .symbolic import symbolic_versions
from .values import Clip

__all__ = [
    "Alignment",
    "AlignmentReport",
    "AlignmentSummary",
    "align",
    "alignment_revision",
    "alignment_root",
    "summarise_alignments",
]

_REVISION = 1
_LEAST_MATCHED = 0.3
# 400 wrong pairs of PercePiano's clips and scores match 16% of the performed notes in the median;
# the worst right one, a take that begins elsewhere, 45%.
POORLY_MATCHED = 0.8
"""Share of matched notes below which `AlignmentSummary` lists a clip."""
_TOGETHER_S = 0.05


@dataclass(frozen=True, slots=True)
class AlignmentReport:
    """How well a performance fits its score.

    Attributes
    ----------
    performed, written : int
        Notes of the performance and of the score.
    matched : int
        Pairs of them.
    doubled : int
        Performed notes that strike a key with another one, as a score does whose voices meet.
    foreign : int
        Performed notes of a pitch that the score does not have.
    surplus : int
        The other performed notes without a partner: repeated, ornamental, or somewhere else.
    omitted : int
        Notes of the score that were not played, doubled ones not counted.
    """

    performed: int
    written: int
    matched: int
    doubled: int
    foreign: int
    surplus: int
    omitted: int

    @property
    def matched_share(self) -> float:
        """Share of the performed notes that have a note in the score."""
        return self.matched / self.performed

    @property
    def reasons(self) -> Mapping[str, int]:
        """What the notes without a partner are, as far as there are any."""
        counts = {name: getattr(self, name) for name in ("doubled", "foreign", "surplus")}
        return {name: count for name, count in {**counts, "omitted": self.omitted}.items() if count}


@dataclass(frozen=True)
class Alignment:
    """A performance, its score, and who is whom.

    Attributes
    ----------
    performance : Notes
        Every performed note, those without a score note too, sorted by onset; times in seconds.
    score : ScoreNotes
    match : int array, shape (performed notes,)
        Index of the score note; -1 for none.
    report : AlignmentReport
    """

    performance: Notes
    score: ScoreNotes
    match: NDArray[np.int64]
    report: AlignmentReport

    @cached_property
    def performed_by(self) -> NDArray[np.int64]:
        """Index of the performed note of each score note, shape (score notes,); -1 for none."""
        found = np.full(len(self.score), -1, dtype=np.int64)
        matched = np.flatnonzero(self.match >= 0)
        found[self.match[matched]] = matched
        return found

    @property
    def played(self) -> NDArray[np.bool_]:
        """Whether each score note was played, shape (score notes,)."""
        return self.performed_by >= 0


class AlignmentSummary(NamedTuple):
    """What the alignments of a corpus look like.

    Attributes
    ----------
    clips, aligned : int
        Clips with a score, and those of them whose report is in the cache.
    mean_matched_share : float
        Mean over the aligned clips; NaN where there are none.
    poor : tuple of (str, AlignmentReport)
        Clips below `POORLY_MATCHED`, the worst first.
    """

    clips: int
    aligned: int
    mean_matched_share: float
    poor: tuple[tuple[str, AlignmentReport], ...]

    def text(self) -> str:
        """Return it as a few lines."""
        if not self.aligned:
            return f"alignment: none of {self.clips} clips with a score is aligned yet"
        lines = [
            f"alignment: {self.aligned:,} of {self.clips:,} clips with a score aligned, "
            f"{self.mean_matched_share:.1%} of the notes matched on average; "
            f"{len(self.poor)} below {POORLY_MATCHED:.0%}"
        ]
        for clip, report in self.poor:
            why = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items())
            lines.append(f"  {clip}: {report.matched_share:.1%} of {report.performed} ({why})")
        return "\n".join(lines)


def alignment_root(cache: Path | None = None) -> Path:
    """Folder of the alignments within the cache, `pianobench.places.cache_root` by default."""
    return (cache or cache_root()) / "alignments"


def align(clip: Clip, cache: Path | None = None) -> Alignment:
    """Align a clip with its score, or read how it was aligned before.

    Parameters
    ----------
    clip : Clip
        With `midi`, `score_midi` and `score_xml`.
    cache : Path, optional
        Folder of alignments; `alignment_root` by default.

    Raises
    ------
    DataError
        If a file is missing, cannot be read or holds nothing to align, or fewer than three in ten
        of the performed notes are in the score.
    DependencyError
        If partitura or parangonar is not installed.
    StoreError
        If the cache cannot be written.
    """
    files = _files(clip)
    folder = _namespace(alignment_root() if cache is None else cache)
    try:
        performance = read_notes(files.midi)
        score = _score(folder, files)
        match = _match(folder, files, score, performance)
    except MidiError as error:
        raise MidiError(f"Clip {clip.id!r} cannot be aligned. {error}") from error
    except DataError as error:
        raise DataError(f"Clip {clip.id!r} cannot be aligned. {error}") from error
    report = _report(score, performance, match)
    if report.matched_share < _LEAST_MATCHED:
        raise DataError(
            f"Clip {clip.id!r} cannot be aligned. Only {report.matched} of {report.performed} "
            f"notes of {files.midi} are in the score {files.score_midi}: they are not the same "
            "music. Give it the score of what is played."
        )
    return Alignment(performance, score, match, report)


def summarise_alignments(clips: Iterable[Clip], cache: Path | None = None) -> AlignmentSummary:
    """Sum up the alignments that the cache holds, without making any.

    Parameters
    ----------
    clips : iterable of Clip
        Those without a score are left out.
    cache : Path, optional
        Folder of alignments; `alignment_root` by default.
    """
    folder = _namespace(alignment_root() if cache is None else cache)
    reports: dict[str, AlignmentReport] = {}
    with_score = 0
    for clip in clips:
        if None in (clip.midi, clip.score_midi, clip.score_xml):
            continue
        with_score += 1
        stored = read_arrays(_match_path(folder, _files(clip)))
        if stored is not None and "report" in stored.arrays:
            reports[clip.id] = AlignmentReport(*stored.arrays["report"].tolist())
    shares = {clip: report.matched_share for clip, report in reports.items()}
    poor = sorted((share, clip) for clip, share in shares.items() if share < POORLY_MATCHED)
    return AlignmentSummary(
        with_score,
        len(reports),
        float(np.mean([*shares.values()])) if shares else float("nan"),
        tuple((clip, reports[clip]) for _, clip in poor),
    )


class _Files(NamedTuple):
    midi: Path
    score_midi: Path
    score_xml: Path


def _files(clip: Clip) -> _Files:
    for kind in _Files._fields:
        if getattr(clip, kind) is None:
            raise DataError(
                f"Clip {clip.id!r} cannot be aligned: it has no {kind}. Choose a dataset with "
                "scores, or an encoder that does without."
            )
    return _Files(*(getattr(clip, kind) for kind in _Files._fields))


def alignment_revision() -> str:
    """Name what an alignment depends on besides the files: this module's revision, the libraries'.

    Raises
    ------
    DependencyError
        If a library is not installed.
    """
    return f"{_REVISION} {symbolic_versions()}"


def _namespace(root: Path) -> Path:
    """Folder of what these versions of the libraries and of this module make."""
    return root / hashlib.sha256(alignment_revision().encode()).hexdigest()[:16]


def _digest(*paths: Path) -> str:
    sha256 = hashlib.sha256()
    for path in paths:
        try:
            sha256.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise DataError(f"Cannot read {path}: {error.strerror}. Fetch it again.") from error
    return sha256.hexdigest()


def _match_path(folder: Path, files: _Files) -> Path:
    return folder / f"{_digest(*files)}.safetensors"


def _score(folder: Path, files: _Files) -> ScoreNotes:
    path = folder / "scores" / f"{_digest(files.score_midi, files.score_xml)}.safetensors"
    stored = read_arrays(path)
    if stored is not None:
        try:
            return unpack_score(stored)
        except (KeyError, ValueError):
            path.unlink(missing_ok=True)
    score = read_score(files.score_midi, files.score_xml)
    write_arrays(path, *pack_score(score))
    return score


def _match(folder: Path, files: _Files, score: ScoreNotes, performance: Notes) -> NDArray[np.int64]:
    path = _match_path(folder, files)
    stored: ArrayFile | None = read_arrays(path)
    if stored is not None:
        match: NDArray[np.int64] | None = stored.arrays.get("match")
        if match is not None and match.shape == (len(performance),):
            return match
    match = match_notes(score.onset_q, score.pitch, performance.onset, performance.pitch)
    counts = asdict(_report(score, performance, match))
    write_arrays(path, {"match": match, "report": np.array([*counts.values()], dtype=np.int64)})
    return match


def _report(score: ScoreNotes, performance: Notes, match: NDArray[np.int64]) -> AlignmentReport:
    lonely = match < 0
    played = np.zeros(len(score), dtype=np.bool_)
    played[match[~lonely]] = True
    doubled = lonely & _struck_with_another(performance.onset, performance.pitch, ~lonely)
    foreign = lonely & ~np.isin(performance.pitch, score.pitch)
    omitted = ~played & ~_struck_with_another(score.onset_s, score.pitch, played)
    return AlignmentReport(
        performed=len(performance),
        written=len(score),
        matched=int((~lonely).sum()),
        doubled=int(doubled.sum()),
        foreign=int((foreign & ~doubled).sum()),
        surplus=int((lonely & ~doubled & ~foreign).sum()),
        omitted=int(omitted.sum()),
    )


def _struck_with_another(
    onset_s: NDArray[np.float64], pitch: NDArray[Any], others: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Whether one of the other notes strikes the same key at the same time."""
    near = np.abs(np.subtract.outer(onset_s, onset_s[others])) < _TOGETHER_S
    same: NDArray[np.bool_] = (near & np.equal.outer(pitch, pitch[others])).any(axis=1)
    return same
