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
