"""PSyllabus: 7,901 piano pieces, each with one ordinal label, its difficulty from 0 to 10.

Audio is not distributed. A clip is the transcription in ``mid.zip``, or a recording of yours that
is named like the entry.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import PositiveInt

from pianobench import Clip, Corpus, DataError, Dataset, DatasetCard, Dimension, hookimpl
from pianobench.archives import open_archive
from pianobench.left_out import Fault, Unusable, sift, unreadable
from pianobench.places import cache_root

__all__ = ["PSyllabus"]

_HIGHEST = 10
_ARCHIVE = "mid.zip"
_FOLDER = "mid"
_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".aiff", ".aif")


class Entry(NamedTuple):
    """One piece, as the dictionary has it."""

    key: str
    composer: str
    level: int


class PSyllabus(Dataset):
    """PSyllabus, difficulty levels of piano pieces (Ramoneda et al., 2025).

    Levels 0 to 10 are scaled to [0, 1]. Every entry is a piece, and a passage, of its own.
    """

    name = "psyllabus"
    licence = "as its publication states; audio is not distributed"
    citation = (
        "P. Ramoneda, M. Lee, D. Jeong, J. J. Valero-Mas, X. Serra: Can audio reveal music "
        "performance difficulty? Insights from the Piano Syllabus dataset. IEEE Transactions on "
        "Audio, Speech and Language Processing 33, 1129-1141 (2025), "
        "https://doi.org/10.1109/TASLPRO.2025.3539018"
    )
    notice = (
        "PSyllabus has no direct download with a known checksum. Get the dictionary of entries "
        "(JSON) and the transcriptions (mid.zip) from its authors (the paper, arXiv 2403.03947, "
        "says where), and put both into the dataset's folder; mid.zip stays packed. Recordings of "
        "your own go into a folder beside them and are named {key}.wav, .flac or .mp3."
    )
    card = DatasetCard(
        size="7,901 pieces by 1,233 composers, 11 levels",
        issues=(
            "The label is of the piece, not of the performance.",
            "MIDI is transcribed by a network from videos: errors of the transcription correlate "
            "with density, and so with difficulty.",
            "The official folds share composers.",
            "An entry may be another version of the music of one that it calls related.",
        ),
        studies=("difficulty",),
    )

    source: Literal["midi", "audio"] = "midi"
    """`audio` takes your own recordings in the folder of the option `recordings`."""
    recordings: str = "recordings"
    """Folder of recordings named {key}.wav, .flac, .mp3, .ogg or .aiff; relative to the
    dataset's own."""
    per_level: PositiveInt | None = None
    """Take so many pieces of every level, chosen by a hash of their keys, instead of all."""
    unusable: Unusable = "refuse"
    """What to do with entries that have no file or no level: `skip` leaves them out, and MIDI that
    is damaged or cannot be read as well; they are counted."""

    @property
    def recorded(self) -> bool:  # type: ignore[override] # facts may depend on options
        """True where recordings are asked for."""
        return self.source == "audio"

    def load(self, root: Path) -> Corpus:
        """Read the corpus; see `Dataset.load`."""
        dictionary = _dictionary(root)
        entries, faults = _read(dictionary)
        if self.per_level is not None:
            entries = _sample(entries, self.per_level)
        files = self._recordings(root, entries) if self.recorded else _midi(root, entries)
        clips, kept = [], []
        for entry in entries:
            found = files[entry.key]
            if isinstance(found, Path) and not self.recorded and self.unusable == "skip":
                found = unreadable(found) or found
            if isinstance(found, Fault):
                faults[entry.key] = found
                continue
            kept.append(entry)
            audio = found if self.recorded else None
            clips.append(Clip(id=entry.key, midi=None if self.recorded else found, audio=audio))
        left_out = sift(self.name, len(kept) + len(faults), faults, self.unusable)
        pieces = tuple(entry.key for entry in kept)
        return Corpus(
            name=self.name,
            version=f"{hashlib.sha256(dictionary.read_bytes()).hexdigest()[:8]}-{self.source}",
            clips=tuple(clips),
            dimensions=(Dimension("difficulty", "easy", "hard", "Difficulty"),),
            targets=np.array([[entry.level / _HIGHEST] for entry in kept]),
            groups={
                "excerpt": pieces,
                "passage": pieces,
                "composer": tuple(entry.composer for entry in kept),
            },
            human=np.ones(len(kept), dtype=np.bool_),
            raters=np.ones(len(kept), dtype=np.int64),
            left_out=left_out,
        ).ordered()

    def _recordings(self, root: Path, entries: Sequence[Entry]) -> dict[str, Path | Fault]:
        folder = root / self.recordings
        try:
            there = {_composed(p.stem): p for p in folder.iterdir() if p.suffix in _SUFFIXES}
        except OSError as error:
            raise DataError(
                f"Cannot list the recordings in {folder}: {error.strerror}. Name their folder with "
                "--set dataset.recordings=FOLDER."
            ) from error
        missing = Fault("the recording is missing", f"in {folder}")
        return {entry.key: there.get(_composed(entry.key), missing) for entry in entries}


def _dictionary(root: Path) -> Path:
    """Find the one JSON file, whatever its name is."""
    found = sorted(root.glob("*.json")) if root.is_dir() else []
    if len(found) != 1:
        there = ", ".join(path.name for path in found) or "none"
        raise DataError(
            f"PSyllabus is not at {root}: its dictionary of entries should be the only JSON file "
            f"there; there is {there}. `bench fetch psyllabus` says where to get it."
        )
    return found[0]


def _read(path: Path) -> tuple[list[Entry], dict[str, Fault]]:
    """Read every entry, and find those that have no level."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        items: list[tuple[str, Mapping[str, Any]]] = [(k, dict(v)) for k, v in table.items()]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"Cannot read PSyllabus's entries from {path}: {error}. It should be a dictionary of "
            "dictionaries."
        ) from error
    entries, faults = [], {}
    for key, entry in items:
        level = str(entry.get("ps", "")).strip()
        if not level.isdecimal() or int(level) > _HIGHEST:
            faults[key] = Fault("the level is none of 0 to 10", f"ps is {entry.get('ps')!r}")
        else:
            entries.append(Entry(key, str(entry.get("composer") or "unknown"), int(level)))
    return entries, faults


def _midi(root: Path, entries: Sequence[Entry]) -> dict[str, Path | Fault]:
    """Find every entry's transcription: in the folder ``mid``, or unpacked from the archive."""
    missing = Fault("the transcription is missing", f"in {root / _ARCHIVE}")
    if (root / _FOLDER).is_dir():
        there = {_composed(path.stem): path for path in (root / _FOLDER).glob("*.mid")}
        missing = Fault("the transcription is missing", f"in {root / _FOLDER}")
        return {entry.key: there.get(_composed(entry.key), missing) for entry in entries}
    archive = open_archive(root / _ARCHIVE)
    members = {entry.key: f"{_FOLDER}/{_composed(entry.key)}.mid" for entry in entries}
    wanted = [member for member in members.values() if member in archive.members]
    unpacked = archive.unpack(wanted, cache_root() / "unpacked" / PSyllabus.name)
    files: dict[str, Path | Fault] = {}
    for key, member in members.items():
        found = unpacked.get(member)
        if isinstance(found, DataError):
            files[key] = Fault("the archive's member is damaged", str(found))
        else:
            files[key] = found or missing
    return files


def _sample(entries: Sequence[Entry], per_level: int) -> list[Entry]:
    """Choose entries of every level alike, whatever their order in the file."""
    of_level: dict[int, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda e: hashlib.sha256(e.key.encode()).hexdigest()):
        of_level[entry.level].append(entry)
    return [entry for level in sorted(of_level) for entry in of_level[level][:per_level]]


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


@hookimpl
def bench_components() -> list[type[Dataset]]:
    """Register the dataset."""
    return [PSyllabus]
