"""MAESTRO: recordings and MIDI of a piano competition, and no labels.

Its titles are dirty: one piece has many spellings, and one spelling may be of several pieces. Both
ways of grouping are offered. ``raw`` takes the title as it stands, whoever the composer is: this is
how a published figure of 206 pieces with two or more takes came about. ``normalised`` evens out
case, accents, punctuation and abbreviations, and keeps composers apart.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from pianobench import Clip, Corpus, DataError, Dataset, DatasetCard, Remote, hookimpl
from pianobench.archives import Archive, open_archive
from pianobench.left_out import Fault, Unusable, absent, sift, unreadable
from pianobench.places import cache_root

__all__ = ["Maestro", "normalise_title"]

_URL = "https://storage.googleapis.com/magentadata/datasets/maestro"
_COLUMNS = ("canonical_composer", "canonical_title", "midi_filename", "audio_filename")
_SPELLINGS = {
    "opus": "op",
    "number": "no",
    "nr": "no",
    "movement": "mvt",
    "mov": "mvt",
    "maj": "major",
    "min": "minor",
}


class Row(NamedTuple):
    """One recording, as the metadata lists it."""

    composer: str
    title: str
    midi: str
    audio: str

    @property
    def id(self) -> str:
        """The MIDI's name without its ending."""
        return self.midi.rpartition(".")[0]


def normalise_title(title: str) -> str:
    """Even out the spelling of a title.

    Examples
    --------
    >>> normalise_title("Étude  Opus 10, Nr. 4")
    'etude op 10 no 4'
    """
    plain = unicodedata.normalize("NFKD", title.casefold())
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    words = re.findall(r"\d+|[^\W\d_]+", letters)
    return " ".join(_SPELLINGS.get(word, word) for word in words)


class Maestro(Dataset):
    """MAESTRO, aligned recordings and MIDI of virtuoso performances (Hawthorne et al., 2019)."""

    name = "maestro"
    licence = "CC BY-NC-SA 4.0"
    citation = (
        "C. Hawthorne, A. Stasyuk, A. Roberts, I. Simon, C.-Z. A. Huang, S. Dieleman, E. Elsen, J. "
        "Engel, D. Eck: Enabling factorized piano music modeling and generation with the MAESTRO "
        "dataset. ICLR 2019, https://openreview.net/forum?id=r1lYRjC9F7"
    )
    notice = (
        "MAESTRO is licensed CC BY-NC-SA 4.0: not for commercial use. MIDI and metadata of v2.0.0 "
        "and v3.0.0: two archives, 115 MB, which stay packed. Recordings (120 GB) are at "
        "https://magenta.tensorflow.org/datasets/maestro: unpack them into the same folder."
    )
    remotes = (
        Remote(
            f"{_URL}/v2.0.0/maestro-v2.0.0-midi.zip",
            "ec2cc9d94886c6b376db1eaa2b8ad1ce62ff9f0a28b3744782b13163295dadf3",
            "maestro-v2.0.0-midi.zip",
        ),
        Remote(
            f"{_URL}/v3.0.0/maestro-v3.0.0-midi.zip",
            "70470ee253295c8d2c71e6d9d4a815189e35c89624b76d22fce5a019d5dde12c",
            "maestro-v3.0.0-midi.zip",
        ),
    )
    card = DatasetCard(
        size="1,276 recordings of v3.0.0 (1,282 of v2.0.0), 200 h, from ten years of a competition",
        issues=(
            "There are no labels, and players are not named.",
            "Titles are not standardised: one piece has several, and one title may be of several "
            "pieces. `raw` and `normalised` grouping both err.",
            "A recording may hold several movements or pieces.",
            "v2.0.0 is what ASAP's cuts and the published figure of 206 pieces refer to; v3.0.0 "
            "removed six recordings that are no solo piano.",
            "It holds three of the takes that PercePiano cut its excerpts from.",
        ),
        studies=("consistency",),
        overlaps=("percepiano",),
    )

    version: Literal["2.0.0", "3.0.0"] = "3.0.0"
    """The release."""
    source: Literal["midi", "audio"] = "midi"
    """What clips are: MIDI, or recordings with their MIDI."""
    titles: Literal["normalised", "raw"] = "normalised"
    """What makes a piece: composer and evened-out title, or the title alone as it stands."""
    unusable: Unusable = "refuse"
    """What to do with entries whose files are missing, or that are listed again: `skip` leaves
    them out, and MIDI that cannot be read as well; they are counted."""

    @property
    def recorded(self) -> bool:  # type: ignore[override] # facts may depend on options
        """True where recordings are asked for."""
        return self.source == "audio"

    def load(self, root: Path) -> Corpus:
        """Read the corpus; see `Dataset.load`."""
        rows, files = self._open(root)
        kept: dict[str, Clip] = {}
        of: dict[str, Row] = {}
        faults: dict[str, Fault] = {}
        for number, row in enumerate(rows, start=2):
            found = files[row.id]
            if row.id in kept or row.id in faults:
                again = Fault("the recording is listed again", f"row {number} of the metadata")
                faults[f"{row.id} (row {number})"] = again
                continue
            if isinstance(found, Clip) and found.midi is not None and self.unusable == "skip":
                found = unreadable(found.midi) or found
            if isinstance(found, Fault):
                faults[row.id] = found
            else:
                kept[row.id], of[row.id] = found, row
        left_out = sift(self.name, len(rows), faults, self.unusable)
        pieces = tuple(self._piece(row) for row in of.values())
        return Corpus(
            name=self.name,
            version=f"{self.version}-{self.source}-{self.titles}",
            clips=tuple(kept.values()),
            dimensions=(),
            targets=np.zeros((len(kept), 0)),
            groups={
                "excerpt": pieces,
                "passage": pieces,
                "composer": tuple(row.composer for row in of.values()),
            },
            human=np.ones(len(kept), dtype=np.bool_),
            raters=np.ones(len(kept), dtype=np.int64),
            left_out=left_out,
        ).ordered()

    def _open(self, root: Path) -> tuple[list[Row], dict[str, Clip | Fault]]:
        """Find the metadata and every entry's files: unpacked, or in the archive."""
        stem = f"maestro-v{self.version}"
        for folder in (root, root / stem):
            if (folder / f"{stem}.csv").is_file():
                rows = _rows(folder / f"{stem}.csv", _read(folder / f"{stem}.csv"))
                return rows, {row.id: self._in_folder(row, folder) for row in rows}
        packed = root / f"{stem}-midi.zip"
        if not packed.is_file():
            raise DataError(
                f"MAESTRO {self.version} is not at {root}: there is neither {stem}.csv nor "
                f"{packed.name}. Fetch it with `bench fetch maestro`, or set PIANOBENCH_DATA to "
                "the folder that holds the folder maestro."
            )
        if self.source == "audio":
            raise DataError(
                f"{packed} holds no recordings. Unpack MAESTRO's full archive into {root}, or take "
                "--set dataset.source=midi."
            )
        return _in_archive(open_archive(packed), stem, cache_root() / "unpacked" / self.name)

    def _in_folder(self, row: Row, folder: Path) -> Clip | Fault:
        midi, audio = folder / row.midi, folder / row.audio
        files = [("MIDI", midi)]
        if self.source == "audio":
            files.append(("recording", audio))
        recording = audio if self.source == "audio" else None
        return absent(files) or Clip(id=row.id, midi=midi, audio=recording)

    def _piece(self, row: Row) -> str:
        if self.titles == "raw":
            return row.title
        return f"{row.composer}: {normalise_title(row.title)}"


def _in_archive(
    archive: Archive, stem: str, folder: Path
) -> tuple[list[Row], dict[str, Clip | Fault]]:
    metadata = f"{stem}/{stem}.csv"
    if metadata not in archive.members:
        raise DataError(f"{archive.path} holds no {metadata}: it is not MAESTRO's. Fetch it again.")
    read = archive.unpack([metadata], folder)[metadata]
    if isinstance(read, DataError):
        raise read
    rows = _rows(archive.path, _read(read))
    there = [f"{stem}/{row.midi}" for row in rows if f"{stem}/{row.midi}" in archive.members]
    unpacked = archive.unpack(there, folder)
    files: dict[str, Clip | Fault] = {}
    for row in rows:
        place = unpacked.get(f"{stem}/{row.midi}")
        if place is None:
            files[row.id] = Fault("the MIDI is missing", f"in {archive.path}")
        elif isinstance(place, DataError):
            files[row.id] = Fault("the archive's member is damaged", str(place))
        else:
            files[row.id] = Clip(id=row.id, midi=place)
    return rows, files


def _read(metadata: Path) -> str:
    try:
        return metadata.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"Cannot read MAESTRO's metadata from {metadata}: {error}. Fetch it again with `bench "
            "fetch maestro`."
        ) from error


def _rows(source: Path, text: str) -> list[Row]:
    table = csv.DictReader(io.StringIO(text, newline=""))
    missing = set(_COLUMNS).difference(table.fieldnames or ())
    if missing:
        raise DataError(
            f"The metadata of {source} lacks the columns {', '.join(sorted(missing))}. It is not "
            "MAESTRO's; fetch it with `bench fetch maestro`."
        )
    lines: list[Mapping[str, str]] = list(table)
    return [Row(*(line[column] for column in _COLUMNS)) for line in lines]


@hookimpl
def bench_components() -> list[type[Dataset]]:
    """Register the dataset."""
    return [Maestro]
