"""Zip archives of a dataset's files: some members are unpacked into the cache, each once.

What is in the way (no archive, a truncated one, a member whose checksum is wrong) is told by name;
one bad member does not cost the others.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .errors import DataError

__all__ = ["Archive", "open_archive"]

_LARGEST = 64 * 2**20
"""Bytes of a member: far more than any MIDI file or table has, and no burden to memory."""
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    UnicodeDecodeError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True)
class Archive:
    """What a zip archive lists.

    Attributes
    ----------
    path : Path
    members : mapping of str to ZipInfo
        By name, composed (Unicode NFC); folders are left out.
    """

    path: Path
    members: Mapping[str, zipfile.ZipInfo]

    def digest(self) -> str:
        """SHA-256 of names, sizes and checksums, as the archive's directory has them."""
        sha256 = hashlib.sha256()
        for name, info in sorted(self.members.items()):
            sha256.update(f"{name}\0{info.file_size}\0{info.CRC}\n".encode())
        return sha256.hexdigest()

    def unpack(self, names: Iterable[str], folder: Path) -> dict[str, Path | DataError]:
        """Unpack members that are not there yet.

        Parameters
        ----------
        names : iterable of str
            Of `members`.
        folder : Path
            A folder of this archive's own is made in it. Files are named by a digest, so that no
            member's name can lead elsewhere or be too long.

        Returns
        -------
        dict of str to Path or DataError
            Where each lies, or why it cannot be unpacked.

        Raises
        ------
        DataError
            If the folder cannot be written.
        """
        own = folder / self.digest()[:16]
        places = {name: own / _file_name(name) for name in names}
        missing = [
            name
            for name, place in places.items()
            if not place.is_file() or place.stat().st_size != self.members[name].file_size
        ]
        found: dict[str, Path | DataError] = dict(places)
        if missing:
            try:
                own.mkdir(parents=True, exist_ok=True)
                with zipfile.ZipFile(self.path) as opened:
                    for name in missing:
                        found[name] = self._unpack(opened, name, places[name])
            except OSError as error:
                raise DataError(
                    f"Cannot unpack {self.path} into {own}: {error.strerror or error}. Set "
                    "PIANOBENCH_CACHE to a folder that can be written to."
                ) from error
        return found

    def _unpack(self, opened: zipfile.ZipFile, name: str, place: Path) -> Path | DataError:
        info = self.members[name]
        if info.file_size > _LARGEST:
            return DataError(
                f"The member {name!r} of {self.path} is said to hold {info.file_size:,} bytes; "
                f"more than {_LARGEST:,} are not unpacked. Fetch the archive again."
            )
        try:
            content = opened.read(info)
        except _DAMAGED as why:
            return DataError(f"The member {name!r} of {self.path} is damaged: {why}")
        # Under a name of this process's own first, so that no reader meets half a file.
        unfinished = place.with_name(f"{place.name}.{os.getpid()}.part")
        unfinished.write_bytes(content)
        unfinished.replace(place)
        return place


def open_archive(path: Path) -> Archive:
    """Read the directory of a zip archive.

    Raises
    ------
    DataError
        If there is none, or it is no whole zip archive.
    """
    try:
        with zipfile.ZipFile(path) as opened:
            infos = [info for info in opened.infolist() if not info.is_dir()]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DataError(
            f"Cannot read the archive {path}: {error}. It is damaged or half downloaded; fetch it "
            "again."
        ) from error
    return Archive(path, {_composed(info): info for info in infos})


def _composed(info: zipfile.ZipInfo) -> str:
    """Read a member's name as it was meant: many packers write UTF-8 and do not say so."""
    name = info.filename
    if not info.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.filename
    return unicodedata.normalize("NFC", name)


def _file_name(member: str) -> str:
    suffix = PurePosixPath(member).suffix
    kept = suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", suffix) else ""
    return hashlib.sha256(member.encode()).hexdigest()[:24] + kept
