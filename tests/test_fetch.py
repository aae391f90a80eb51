from __future__ import annotations

import hashlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from pianobench import Dataset, Remote
from pianobench.errors import DataError, UsageError
from pianobench.fetch import Fetched, fetch

CONTENT = np.random.default_rng(0).bytes(300_000)
SUM = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """A local web server whose first answers to a path can be made to fail."""

    address: str
    troubles: dict[str, list[str]] = field(default_factory=dict)
    ranges: list[str | None] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)


class Handler(BaseHTTPRequestHandler):
    server_state: ClassVar[Server]

    def do_GET(self) -> None:
        state = self.server_state
        state.requests[self.path] += 1
        wanted = self.headers.get("Range")
        state.ranges.append(wanted)
        troubles = state.troubles.get(self.path, [])
        trouble = troubles.pop(0) if troubles else ""
        if trouble.isdigit():
            self.send_response(int(trouble))
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if trouble == "no ranges":
            start, wanted = 0, None
        if start >= len(CONTENT):
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = CONTENT[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if trouble == "corrupt":
            body = bytes(len(body))
        if trouble == "killed half-way":
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        state = Server(f"http://127.0.0.1:{running.server_port}")
        Handler.server_state = state
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield state
        running.shutdown()
        thread.join()


def dataset(*files: Remote, is_generated: bool = False) -> Dataset:
    class Small(Dataset):
        name = "small"
        remotes = files
        generated = is_generated

    return Small()


def one(server: Server, sha256: str = SUM) -> Dataset:
    return dataset(Remote(f"{server.address}/a", sha256, "midi/a.mid"))


def test_files_arrive_under_their_names_and_nothing_else_is_left(
    server: Server, tmp_path: Path
) -> None:
    files = [Remote(f"{server.address}/{i}", SUM, f"deep/er/{i}.mid") for i in range(20)]
    assert fetch(dataset(*files), tmp_path / "new") == Fetched(downloaded=20, kept=0)
    there = sorted(p.name for p in (tmp_path / "new" / "deep" / "er").iterdir())
    assert there == sorted(f"{i}.mid" for i in range(20))
    assert all((tmp_path / "new" / f.path).read_bytes() == CONTENT for f in files)


def test_a_second_call_downloads_only_what_is_missing_or_wrong(
    server: Server, tmp_path: Path
) -> None:
    files = [Remote(f"{server.address}/{name}", SUM, name) for name in "abc"]
    fetch(dataset(*files), tmp_path)
    (tmp_path / "b").unlink()
    (tmp_path / "c").write_bytes(b"edited")
    assert fetch(dataset(*files), tmp_path) == Fetched(downloaded=2, kept=1)
    assert server.requests == {"/a": 1, "/b": 2, "/c": 2}
    assert (tmp_path / "c").read_bytes() == CONTENT


def test_a_connection_killed_half_way_is_resumed_where_it_broke(
    server: Server, tmp_path: Path
) -> None:
    server.troubles["/a"] = ["killed half-way", "killed half-way"]
    fetch(one(server), tmp_path, pause_s=0)
    assert server.ranges == [None, "bytes=150000-", "bytes=225000-"]
    assert (tmp_path / "midi" / "a.mid").read_bytes() == CONTENT


def test_a_part_left_by_a_stopped_run_is_resumed(server: Server, tmp_path: Path) -> None:
    part = tmp_path / "midi" / "a.mid.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:1000])
    fetch(one(server), tmp_path)
    assert server.ranges == ["bytes=1000-"]
    assert (tmp_path / "midi" / "a.mid").read_bytes() == CONTENT
    assert not part.exists()


def test_a_part_that_is_already_whole_is_only_renamed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "midi").mkdir()
    (tmp_path / "midi" / "a.mid.part").write_bytes(CONTENT)
    fetch(one(server), tmp_path)
    assert server.ranges == []
    assert (tmp_path / "midi" / "a.mid").read_bytes() == CONTENT


@pytest.mark.parametrize("stale", [b"of another version", bytes(len(CONTENT) + 5)])
def test_a_part_of_another_file_is_discarded_and_the_file_downloaded_anew(
    stale: bytes, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "midi").mkdir()
    (tmp_path / "midi" / "a.mid.part").write_bytes(stale)
    fetch(one(server), tmp_path, pause_s=0)
    assert server.ranges == [f"bytes={len(stale)}-", None]
    assert (tmp_path / "midi" / "a.mid").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_whole_file(server: Server, tmp_path: Path) -> None:
    server.troubles["/a"] = ["killed half-way", "no ranges"]
    fetch(one(server), tmp_path, pause_s=0)
    assert (tmp_path / "midi" / "a.mid").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.troubles["/a"] = ["503", "429"]
    fetch(one(server), tmp_path)  # Retry-After: 0 overrules the pause
    assert server.requests["/a"] == 3


def test_a_corrupt_file_is_refused_with_both_sums_and_not_kept(
    server: Server, tmp_path: Path
) -> None:
    server.troubles["/a"] = ["corrupt"]
    wrong = hashlib.sha256(bytes(len(CONTENT))).hexdigest()
    with pytest.raises(DataError, match=rf"/a is not the file.* {wrong}, not {SUM}"):
        fetch(one(server), tmp_path)
    assert list((tmp_path / "midi").iterdir()) == []


def test_a_file_that_is_gone_is_named_at_once(server: Server, tmp_path: Path) -> None:
    server.troubles["/a"] = ["404"]
    with pytest.raises(DataError, match=rf"answered 404 .* to {server.address}/a"):
        fetch(one(server), tmp_path)
    assert server.requests["/a"] == 1


def test_a_server_that_keeps_failing_is_given_up_and_its_part_kept(
    server: Server, tmp_path: Path
) -> None:
    server.troubles["/a"] = ["killed half-way", "500", "500"]
    with pytest.raises(DataError, match=r"500.*3 attempts.*resumes"):
        fetch(one(server), tmp_path, attempts=3, pause_s=0)
    assert (tmp_path / "midi" / "a.mid.part").read_bytes() == CONTENT[:150_000]


def test_files_completed_before_a_failure_stay(server: Server, tmp_path: Path) -> None:
    server.troubles["/b"] = ["404"]
    files = [Remote(f"{server.address}/{name}", SUM, name) for name in "ab"]
    with pytest.raises(DataError, match="404"):
        fetch(dataset(*files), tmp_path, connections=1)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_no_network_is_said_to_be_likely(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(DataError, match=rf"{address}/a.*refused.*Is there a network\?"):
            fetch(dataset(Remote(f"{address}/a", SUM, "a")), tmp_path, attempts=2, pause_s=0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_said_and_not_tried_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "midi").mkdir()
    (tmp_path / "midi" / "a.mid.part").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"Cannot write .*a\.mid: No space left"):
        fetch(one(server), tmp_path, pause_s=0)
    assert server.requests["/a"] == 1


def test_a_file_in_the_place_of_a_folder_is_said(server: Server, tmp_path: Path) -> None:
    (tmp_path / "midi").write_text("in the way")
    with pytest.raises(DataError, match=r"Cannot write .*a\.mid"):
        fetch(one(server), tmp_path)


@pytest.mark.parametrize("path", ["../a", "/tmp/a", "deep/../../a"])
def test_a_dataset_cannot_write_outside_of_its_folder(path: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="outside"):
        fetch(dataset(Remote("http://127.0.0.1/a", SUM, path)), tmp_path / "small")


def test_only_web_addresses_are_fetched(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no web address"):
        fetch(dataset(Remote("file:///etc/hostname", SUM, "a")), tmp_path)


def test_a_dataset_without_remotes_says_what_to_do_instead(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"names no files to download. Put them into {tmp_path}"):
        fetch(dataset(), tmp_path)
    with pytest.raises(UsageError, match="made on the spot"):
        fetch(dataset(is_generated=True), tmp_path)
