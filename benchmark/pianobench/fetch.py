"""Download a dataset: what enters is its remotes, what leaves is a folder that matches them.

Every file is checked against its SHA-256, in whatever state an earlier call left the folder: what
matches is kept, what is half there is resumed (HTTP Range, RFC 9110 section 14), and a file takes
its name only when it is whole and right.
"""

from __future__ import annotations

import errno
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from .components import Dataset
from .errors import DataError, UsageError
from .progress import track
from .values import Remote

__all__ = ["Fetched", "fetch"]

_BLOCK_BYTES = 1 << 20
_LONGEST_PAUSE_S = 60.0
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_LOCAL = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG}
_RESUME = "What is complete is kept; the same command resumes."


@dataclass(frozen=True, slots=True)
class Fetched:
    """How many files were downloaded, and how many were there already."""

    downloaded: int
    kept: int


@dataclass(frozen=True, slots=True)
class _Patience:
    attempts: int
    pause_s: float
    timeout_s: float


def fetch(
    dataset: Dataset,
    folder: Path,
    *,
    connections: int = 8,
    attempts: int = 4,
    pause_s: float = 1.0,
    timeout_s: float = 30.0,
) -> Fetched:
    """Download the files of a dataset that are not there yet.

    Parameters
    ----------
    dataset : Dataset
        Its `remotes` say what to download. Show its `notice` before calling.
    folder : Path
        The dataset's own folder; made where it is absent.
    connections : int
        Files downloaded at once.
    attempts : int
        How often a connection is tried before a file is given up.
    pause_s : float
        Seconds before the second attempt; doubled for each further one, unless the server says.
    timeout_s : float
        Seconds without an answer after which a connection counts as broken.

    Raises
    ------
    UsageError
        If the dataset has nothing to download.
    DataError
        If a file cannot be reached, is not what its checksum says, or cannot be written. What
        was completed before stays.
    """
    if not dataset.remotes:
        raise UsageError(
            f"The dataset {dataset.name!r} names no files to download"
            + ("; it is made on the spot." if dataset.generated else f". Put them into {folder}.")
        )
    targets = [_target(dataset, remote, folder) for remote in dataset.remotes]
    patience = _Patience(attempts, pause_s, timeout_s)
    pool = ThreadPoolExecutor(connections)
    try:
        jobs = [
            pool.submit(_complete, remote, target, patience)
            for remote, target in zip(dataset.remotes, targets, strict=True)
        ]
        downloaded = sum(
            job.result() for job in track(as_completed(jobs), len(jobs), "fetch", unit="file")
        )
    finally:
        pool.shutdown(cancel_futures=True)
    return Fetched(downloaded=downloaded, kept=len(jobs) - downloaded)


def _target(dataset: Dataset, remote: Remote, folder: Path) -> Path:
    target = folder / remote.path
    if not target.resolve().is_relative_to(folder.resolve()):
        raise DataError(
            f"The dataset {dataset.name!r} would write {remote.path!r} outside of {folder}. "
            "Do not use it; tell its author."
        )
    if not remote.url.startswith(("https://", "http://")):
        raise DataError(
            f"The dataset {dataset.name!r} names {remote.url!r}, which is no web address. "
            "Tell its author."
        )
    return target


def _complete(remote: Remote, target: Path, patience: _Patience) -> bool:
    """Make the file match its checksum; True if it was downloaded."""
    try:
        if target.is_file() and _sha256(target) == remote.sha256:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        _download(remote, part, patience)
        part.replace(target)
    except OSError as error:
        raise DataError(f"Cannot write {target}: {error.strerror or error}. {_RESUME}") from error
    return True


def _download(remote: Remote, part: Path, patience: _Patience) -> None:
    """Fill the part file until it matches; it survives a broken connection, not a wrong sum."""
    if part.is_file() and _sha256(part) == remote.sha256:
        return
    failure: Exception | None = None
    for attempt in range(patience.attempts):
        if failure is not None:
            time.sleep(_pause_s(failure, patience.pause_s * 2 ** (attempt - 1)))
        resumed = part.is_file() and part.stat().st_size > 0
        try:
            _append(remote.url, part, patience.timeout_s)
        except HTTPError as error:
            error.close()
            failure = error
            if error.code == 416:  # the part is longer than the file: it is of something else
                part.unlink()
            elif error.code not in _PASSING:
                raise DataError(
                    f"The server answered {error.code} {error.reason} to {remote.url}. "
                    "The file was moved or withdrawn; a newer release may know its new address."
                ) from error
        except (OSError, HTTPException) as error:
            if isinstance(error, OSError) and error.errno in _LOCAL:
                raise
            failure = error
        else:
            found = _sha256(part)
            if found == remote.sha256:
                return
            part.unlink()
            if not resumed:
                raise DataError(
                    f"{remote.url} is not the file it should be: its SHA-256 is {found}, not "
                    f"{remote.sha256}. It was discarded. Something between here and there changed "
                    "it, or the file itself was changed; try another network, or a newer release."
                )
            failure = None
    raise DataError(
        f"Cannot download {remote.url}: {failure or 'its parts do not fit together'}, "
        f"{patience.attempts} attempts. Is there a network? {_RESUME}"
    ) from failure


def _append(url: str, part: Path, timeout_s: float) -> None:
    """Download what the part file lacks; start anew where the server cannot resume."""
    have = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": "pianobench", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = Request(url, headers=headers)  # noqa: S310 - the scheme was checked
    response: HTTPResponse
    with urlopen(request, timeout=timeout_s) as response:  # noqa: S310 - the scheme was checked
        expected = response.length
        received = 0
        with part.open("ab" if response.status == 206 else "wb") as file:
            while block := response.read(_BLOCK_BYTES):
                file.write(block)
                received += len(block)
    if expected is not None and received < expected:
        raise IncompleteRead(b"", expected - received)


def _pause_s(failure: Exception, usual_s: float) -> float:
    asked = failure.headers.get("Retry-After", "") if isinstance(failure, HTTPError) else ""
    return min(float(asked) if asked.isdigit() else usual_s, _LONGEST_PAUSE_S)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
