"""Archives are unpacked once, member by member, and say what is damaged."""

from __future__ import annotations

import unicodedata
import zipfile
from pathlib import Path

import pytest

from pianobench import DataError
from pianobench.archives import open_archive


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "mid.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mid/", "")
        archive.writestr("mid/a.mid", b"first")
        archive.writestr("mid/../../b.mid", b"second")
        archive.writestr(f"mid/{unicodedata.normalize('NFD', 'Dvořák')}.mid", b"third")
    return path


def test_members_are_unpacked_to_files_that_a_name_cannot_lead_away(
    packed: Path, tmp_path: Path
) -> None:
    archive = open_archive(packed)
    names = ["mid/a.mid", "mid/../../b.mid", "mid/Dvořák.mid"]
    assert sorted(archive.members) == sorted(names)
    found = archive.unpack(names, tmp_path / "cache")
    contents = {name: Path(str(place)).read_bytes() for name, place in found.items()}
    assert contents == dict(zip(names, [b"first", b"second", b"third"], strict=True))
    for place in found.values():
        assert Path(str(place)).resolve().is_relative_to(tmp_path / "cache")
        assert Path(str(place)).suffix == ".mid"


def test_what_is_unpacked_is_not_unpacked_again_unless_it_is_half_there(
    packed: Path, tmp_path: Path
) -> None:
    archive = open_archive(packed)
    place = archive.unpack(["mid/a.mid"], tmp_path / "cache")["mid/a.mid"]
    assert isinstance(place, Path)
    place.write_bytes(b"FIRST")
    archive.unpack(["mid/a.mid"], tmp_path / "cache")
    assert place.read_bytes() == b"FIRST"
    place.write_bytes(b"fi")
    archive.unpack(["mid/a.mid"], tmp_path / "cache")
    assert place.read_bytes() == b"first"


def test_names_in_utf_8_that_the_archive_does_not_call_so_are_read(tmp_path: Path) -> None:
    path = tmp_path / "old.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mid/Dvorak__.mid", b"x")
    raw = path.read_bytes().replace(b"Dvorak__", "Dvořák".encode())
    path.write_bytes(raw)
    assert list(open_archive(path).members) == ["mid/Dvořák.mid"]


def test_a_damaged_member_does_not_cost_the_others(packed: Path, tmp_path: Path) -> None:
    packed.write_bytes(packed.read_bytes().replace(b"second", b"sec0nd"))
    names = ["mid/a.mid", "mid/../../b.mid"]
    found = open_archive(packed).unpack(names, tmp_path / "cache")
    assert isinstance(found["mid/a.mid"], Path)
    assert isinstance(found["mid/../../b.mid"], DataError)
    assert "mid/../../b.mid' of" in str(found["mid/../../b.mid"])
    assert "is damaged: Bad CRC-32" in str(found["mid/../../b.mid"])


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_in_any_compression_costs_that_member_alone(tmp_path: Path, method: int) -> None:
    path = tmp_path / "mid.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.mid", bytes(range(256)) * 40)
        archive.writestr("b.mid", b"whole")
    raw = bytearray(path.read_bytes())
    start = 30 + len("a.mid")
    raw[start + 9 : start + 60] = b"\xff" * 51
    path.write_bytes(raw)
    found = open_archive(path).unpack(["a.mid", "b.mid"], tmp_path / "cache")
    assert isinstance(found["a.mid"], DataError)
    assert "'a.mid' of" in str(found["a.mid"])
    assert "is damaged" in str(found["a.mid"])
    assert Path(str(found["b.mid"])).read_bytes() == b"whole"


def test_a_member_that_is_said_to_hold_gigabytes_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "mid.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.mid", b"small")
    archive_of = open_archive(path)
    archive_of.members["a.mid"].file_size = 3 * 2**30
    found = archive_of.unpack(["a.mid"], tmp_path / "cache")["a.mid"]
    assert isinstance(found, DataError)
    assert "'a.mid' of" in str(found)
    assert "is said to hold 3,221,225,472 bytes" in str(found)


def test_a_suffix_that_is_none_is_not_kept(tmp_path: Path) -> None:
    path, names = tmp_path / "mid.zip", ["a." + "x" * 300, "b.mid ", "c.MIDI"]
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"notes")
    found = open_archive(path).unpack(names, tmp_path / "cache")
    assert [Path(str(found[name])).suffix for name in names] == ["", "", ".MIDI"]
    assert all(Path(str(place)).read_bytes() == b"notes" for place in found.values())


def test_names_that_are_not_the_utf_8_they_are_said_to_be_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mid.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Dvořák.mid", b"x")
    path.write_bytes(path.read_bytes().replace("ř".encode(), b"\xff\xfe"))
    with pytest.raises(DataError, match="damaged or half downloaded"):
        open_archive(path)


def test_a_file_that_is_no_archive_or_half_of_one_is_refused(packed: Path) -> None:
    packed.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(DataError, match="damaged or half downloaded"):
        open_archive(packed)
    packed.unlink()
    with pytest.raises(DataError, match="Cannot read the archive"):
        open_archive(packed)


def test_a_place_that_cannot_be_written_is_named(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file is in the way")
    with pytest.raises(DataError, match=r"Cannot unpack .* Set PIANOBENCH_CACHE"):
        open_archive(packed).unpack(["mid/a.mid"], tmp_path / "cache")
