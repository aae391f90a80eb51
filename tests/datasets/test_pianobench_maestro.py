from __future__ import annotations

import csv
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pianobench import DataError, LeftOut, Notes
from pianobench_maestro import Maestro, normalise_title

COLUMNS = (
    "canonical_composer",
    "canonical_title",
    "split",
    "year",
    "midi_filename",
    "audio_filename",
    "duration",
)
# Two spellings of one étude, one title of two composers, and a piece of one take.
RECORDINGS = [
    ("Frédéric Chopin", "Etude Op. 10 No. 4"),
    ("Frédéric Chopin", "Étude, Opus 10, Nr. 4"),
    ("Frédéric Chopin", "Etude Op. 10 No. 4"),
    ("Joseph Haydn", "Sonata in C Major"),
    ("Wolfgang Amadeus Mozart", "Sonata in C Major"),
    ("Franz Liszt", "Mazeppa"),
]


@pytest.fixture
def root(tmp_path: Path, write_take: Callable[..., Notes]) -> Path:
    """MAESTRO v2.0.0 as it is unpacked, six recordings."""
    root = tmp_path / "maestro"
    folder = root / "maestro-v2.0.0"
    for number in range(len(RECORDINGS)):
        write_take(folder / "2004" / f"take{number}.midi", number, 1)
    with (folder / "maestro-v2.0.0.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for number, (composer, title) in enumerate(RECORDINGS):
            stem = f"2004/take{number}"
            table.writerow([composer, title, "train", 2004, f"{stem}.midi", f"{stem}.wav", 20.0])
    return root


def pack(root: Path) -> Path:
    """Put the unpacked folder into the archive that `bench fetch` downloads."""
    folder, packed = root / "maestro-v2.0.0", root / "maestro-v2.0.0-midi.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(root))
            if path.is_file():
                path.unlink()
    return packed


def of_several(corpus_groups: dict[str, tuple[str, ...]]) -> dict[str, int]:
    return {piece: n for piece, n in Counter(corpus_groups["excerpt"]).items() if n > 1}


def test_raw_titles_join_composers_and_normalised_ones_join_spellings(root: Path) -> None:
    raw = Maestro(version="2.0.0", titles="raw").load(root)
    assert of_several(dict(raw.groups)) == {"Etude Op. 10 No. 4": 2, "Sonata in C Major": 2}
    normalised = Maestro(version="2.0.0").load(root)
    assert of_several(dict(normalised.groups)) == {"Frédéric Chopin: etude op 10 no 4": 3}
    assert raw.ids == normalised.ids
    assert raw.digest != normalised.digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('Sonata No. 23, Op. 57 "Appassionata"', "sonata no 23 op. 57 appassionata"),
        ("Prélude & Fugue in B-flat Minor", "Prelude  Fugue in B flat min."),
    ],
)
def test_normalising_evens_out_spelling_alone(one: str, other: str) -> None:
    assert normalise_title(one) == normalise_title(other)
    assert normalise_title(f"{one} 2") != normalise_title(other)
    assert normalise_title(normalise_title(one)) == normalise_title(one)


def test_the_downloaded_archive_is_read_as_the_unpacked_folder_is(root: Path) -> None:
    maestro = Maestro(version="2.0.0")
    before = maestro.load(root)
    contents = [clip.midi.read_bytes() for clip in before.clips if clip.midi]
    pack(root)
    after = maestro.load(root)
    assert after.digest == before.digest
    assert [clip.midi.read_bytes() for clip in after.clips if clip.midi] == contents
    with pytest.raises(DataError, match=r"holds no recordings\. Unpack"):
        Maestro(version="2.0.0", source="audio").load(root)


def test_a_damaged_archive_is_named_and_its_whole_members_are_kept_when_asked(root: Path) -> None:
    damaged = (root / "maestro-v2.0.0" / "2004" / "take3.midi").read_bytes()[30:60]
    packed = pack(root)
    content = packed.read_bytes()
    assert content.count(damaged) == 1
    packed.write_bytes(content.replace(damaged, bytes(30)))
    with pytest.raises(DataError, match="'2004/take3': the archive's member is damaged"):
        Maestro(version="2.0.0").load(root)
    corpus = Maestro(version="2.0.0", unusable="skip").load(root)
    assert corpus.left_out == (LeftOut("the archive's member is damaged", ("2004/take3",)),)
    packed.write_bytes(content[:-40])
    with pytest.raises(DataError, match="damaged or half downloaded"):
        Maestro(version="2.0.0", unusable="skip").load(root)


def test_missing_and_repeated_recordings_are_named(root: Path) -> None:
    folder = root / "maestro-v2.0.0"
    (folder / "2004" / "take1.midi").unlink()
    with (folder / "maestro-v2.0.0.csv").open("a") as file:
        file.write("Franz Liszt,Mazeppa,test,2004,2004/take5.midi,2004/take5.wav,1\n")
    with pytest.raises(
        DataError, match=r"2 of the 7 .*take1\.midi; '2004/take5 \(row 8\)': the rec"
    ):
        Maestro(version="2.0.0").load(root)
    assert len(Maestro(version="2.0.0", unusable="skip").load(root).clips) == 5


def test_recordings_are_taken_where_they_are_asked_for(root: Path) -> None:
    maestro = Maestro(version="2.0.0", source="audio", unusable="skip")
    (root / "maestro-v2.0.0" / "2004" / "take2.wav").touch()
    corpus = maestro.load(root)
    assert corpus.ids == ("2004/take2",)
    assert corpus.clips[0].audio == root / "maestro-v2.0.0" / "2004" / "take2.wav"
    assert maestro.recorded


def test_an_absent_release_and_a_table_of_another_shape_are_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"MAESTRO 3.0.0 is not at .* `bench fetch maestro`"):
        Maestro().load(root)
    (root / "maestro-v3.0.0.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="lacks the columns audio_filename, canonical_composer"):
        Maestro().load(root)


@pytest.mark.data
def test_raw_titles_of_v2_make_206_pieces_with_631_recordings(data_root: Path) -> None:
    try:
        corpus = Maestro(version="2.0.0", titles="raw").load(data_root / "maestro")
    except DataError as error:
        pytest.skip(str(error))
    takes = of_several(dict(corpus.groups))
    assert (len(takes), sum(takes.values())) == (206, 631)
