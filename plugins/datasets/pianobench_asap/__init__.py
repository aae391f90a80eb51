"""ASAP: 1,067 performances of 222 pieces with their scores, and no labels.

A model fitted on rated performances is applied to it, to see how its predictions spread over the
performances of a piece and over pieces. Takes that the rated data hold as well are found by their
notes where both are at hand (`pianobench.overlap`), not by name and not here.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple
from urllib.parse import quote

import numpy as np

from pianobench import Clip, Corpus, DataError, Dataset, DatasetCard, Remote, hookimpl
from pianobench.left_out import Fault, Unusable, absent, sift, unreadable

__all__ = ["Asap"]

_REVISION = "afc815c75c42e83a79c03feb6da8a35e77d4c6b8"
_RAW = f"https://raw.githubusercontent.com/fosfrancesco/asap-dataset/{_REVISION}"
_SUMS = Path(__file__).with_name("SHA256SUMS")
_METADATA = "metadata.csv"
_COLUMNS = ("composer", "title", "midi_score", "midi_performance")
_RECORDING = ("maestro_audio_performance", "start", "end")
_MAESTRO = "{maestro}/"

# Such as Shi05M, LEE_K04M, FALIKS01_2004, Na_2009_02: who played, the year where it had to be told
# apart, which item of the programme, and M where MAESTRO holds it too.
_STEM = re.compile(r"(?P<player>[A-Za-z_-]+?)_?(?:\d{4}_)?\d{2}(?:_\d{4})?M?")


class Row(NamedTuple):
    """One performance, as the metadata lists it."""

    id: str
    composer: str
    title: str
    midi: Path
    score_midi: Path
    audio: str
    start_s: float
    end_s: float | None

    @property
    def piece(self) -> str:
        """Composer and title, which together name a piece; its versions lie in several folders."""
        return f"{self.composer}: {self.title}"

    @property
    def performer(self) -> str:
        """Who played, as far as the file's name tells: namesakes are one."""
        stem = PurePosixPath(self.id).name
        match = _STEM.fullmatch(stem)
        return match.group("player") if match else stem


def _remotes() -> Iterator[Remote]:
    """List the files that `load` reads, all at one commit."""
    for line in _SUMS.read_text(encoding="utf-8").splitlines():
        sha256, path = line.split("  ", maxsplit=1)
        yield Remote(url=f"{_RAW}/{quote(path)}", sha256=sha256, path=path)


class Asap(Dataset):
    """ASAP, aligned scores and performances (Foscarin et al., 2020).

    A piece is a composer and a title; it is both the excerpt and the passage of its performances.
    """

    name = "asap"
    licence = "CC BY-NC-SA 4.0"
    citation = (
        "F. Foscarin, A. McLeod, P. Rigaux, F. Jacquemard, M. Sakai: ASAP: a dataset of aligned "
        "scores and performances for piano transcription. ISMIR 2020, 534-541. "
        "https://github.com/fosfrancesco/asap-dataset"
    )
    notice = (
        "ASAP is licensed CC BY-NC-SA 4.0: not for commercial use; keep its LICENSE.md with "
        "copies. MIDI of performances and scores, and the metadata: 1,304 files, 53 MB. Recordings "
        "are MAESTRO v2.0.0's (202 h, 120 GB): get them from "
        "https://magenta.tensorflow.org/datasets/maestro."
    )
    remotes = tuple(_remotes())
    card = DatasetCard(
        size="1,067 performances of 222 pieces by 16 composers, 94 h of MIDI; 519 recorded",
        issues=(
            "There are no labels.",
            "Pieces are unequal: 53 have one performance, the largest 29; Chopin, Beethoven and "
            "Bach hold two thirds.",
            "A performer is a token of the file name; namesakes cannot be told apart.",
            "Scores were typed by amateurs, and tempo marks in them are often missing.",
            "31 performances are incomplete or leave beats out.",
            "One performance is listed twice, for two versions of its score: Schmitt01 of "
            "Beethoven's sonata 18-2.",
            "Four takes of Schubert's D 935 no. 3 are PercePiano's, note for note.",
        ),
        studies=("consistency", "difficulty"),
        overlaps=("percepiano",),
    )

    source: Literal["midi", "audio"] = "midi"
    """`audio` takes the 519 performances that MAESTRO recorded, cut where ASAP cuts them."""
    maestro: str = ""
    """Folder of MAESTRO v2.0.0's recordings, for `audio`; by default the folder `maestro` beside
    the dataset's own."""
    unusable: Unusable = "refuse"
    """What to do with entries whose files are missing, or that are listed again: `skip` leaves
    them out, and MIDI that cannot be read as well; they are counted."""

    @property
    def recorded(self) -> bool:  # type: ignore[override] # facts may depend on options
        """True where recordings are asked for."""
        return self.source == "audio"

    def load(self, root: Path) -> Corpus:
        """Read the corpus; see `Dataset.load`."""
        metadata = root / _METADATA
        if not metadata.is_file():
            raise DataError(
                f"ASAP is not at {root}: there is no {_METADATA}. Fetch it with `bench fetch "
                "asap`, or set PIANOBENCH_DATA to the folder that holds the folder asap."
            )
        rows = _read(metadata, root)
        if self.source == "audio":
            rows = [row for row in rows if row.audio]
        recordings = self._recordings(root)
        kept: dict[str, Row] = {}
        faults: dict[str, Fault] = {}
        for number, row in enumerate(rows, start=2):
            fault = self._fault(row, recordings)
            if row.id in kept or row.id in faults:
                again = Fault("the performance is listed again", f"row {number} of {_METADATA}")
                faults[f"{row.id} (row {number})"] = again
            elif fault is not None:
                faults[row.id] = fault
            else:
                kept[row.id] = row
        left_out = sift(self.name, len(rows), faults, self.unusable)
        return Corpus(
            name=self.name,
            version=f"{hashlib.sha256(metadata.read_bytes()).hexdigest()[:8]}-{self.source}",
            clips=tuple(self._clip(row, recordings) for row in kept.values()),
            dimensions=(),
            targets=np.zeros((len(kept), 0)),
            groups=_groups(kept),
            human=np.ones(len(kept), dtype=np.bool_),
            raters=np.ones(len(kept), dtype=np.int64),
            left_out=left_out,
        ).ordered()

    def _recordings(self, root: Path) -> Path:
        """Locate MAESTRO's folder of years."""
        folder = Path(self.maestro) if self.maestro else root.parent / "maestro"
        inner = folder / "maestro-v2.0.0"
        return inner if inner.is_dir() else folder

    def _fault(self, row: Row, recordings: Path) -> Fault | None:
        files = [("performance", row.midi), ("MIDI score", row.score_midi)]
        if self.source == "audio":
            files.append(("recording", recordings / row.audio))
        fault = absent(files)
        if fault is None and self.unusable == "skip":
            return unreadable(row.midi) or unreadable(row.score_midi)
        return fault

    def _clip(self, row: Row, recordings: Path) -> Clip:
        if self.source == "midi":
            return Clip(id=row.id, midi=row.midi, score_midi=row.score_midi)
        return Clip(
            id=row.id,
            midi=row.midi,
            audio=recordings / row.audio,
            score_midi=row.score_midi,
            start_s=row.start_s,
            end_s=row.end_s,
        )


def _read(metadata: Path, root: Path) -> list[Row]:
    try:
        with metadata.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            missing = {*_COLUMNS, *_RECORDING}.difference(table.fieldnames or ())
            if missing:
                raise DataError(
                    f"{metadata} lacks the columns {', '.join(sorted(missing))}. It is not ASAP's; "
                    "fetch it with `bench fetch asap`."
                )
            return [_row(line, root) for line in table]
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"Cannot read ASAP's metadata from {metadata}: {error}. Fetch it again with `bench "
            "fetch asap`."
        ) from error


def _row(line: Mapping[str, str], root: Path) -> Row:
    return Row(
        id=line["midi_performance"].removesuffix(".mid"),
        composer=line["composer"],
        title=line["title"],
        midi=root / line["midi_performance"],
        score_midi=root / line["midi_score"],
        audio=line["maestro_audio_performance"].removeprefix(_MAESTRO),
        start_s=float(line["start"] or 0),
        end_s=float(line["end"]) if line["end"] else None,
    )


def _groups(kept: Mapping[str, Row]) -> dict[str, tuple[str, ...]]:
    pieces = tuple(row.piece for row in kept.values())
    return {
        "excerpt": pieces,
        "passage": pieces,
        "composer": tuple(row.composer for row in kept.values()),
        "performer": tuple(row.performer for row in kept.values()),
    }


@hookimpl
def bench_components() -> list[type[Dataset]]:
    """Register the dataset."""
    return [Asap]
