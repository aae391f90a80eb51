"""Frames on disk: what is damaged is made again, and what merely cannot be read is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pianobench.array_files import read_arrays, write_arrays
from pianobench.errors import StoreError
from pianobench.frame_store import FrameRow, FrameStore, read_frames

VALUES = np.arange(6, dtype=np.float32).reshape(3, 2)
BEATS = np.array([0, 0, 1])


@pytest.fixture
def store(tmp_path: Path) -> FrameStore:
    store = FrameStore(tmp_path, {"encoder": "invented"})
    store.write([FrameRow("a", {3: VALUES}, {"beat": BEATS})])
    return store


def test_a_file_holds_layers_and_levels_and_nothing_else(store: FrameStore) -> None:
    kept = read_arrays(store.path("a"))
    assert kept is not None
    assert set(kept.arrays) == {"layer.3", "level.beat"}


def test_files_that_hold_times_too_are_read(store: FrameStore) -> None:
    times_s = np.arange(3) / 10
    arrays = {"times_s": times_s, "layer.3": VALUES, "level.beat": BEATS}
    write_arrays(store.path("old"), arrays)
    kept = read_frames(store.path("old"))
    assert (list(kept.layers), list(kept.levels)) == ([3], ["beat"])
    np.testing.assert_array_equal(kept.layers[3], VALUES)
    np.testing.assert_array_equal(kept.levels["beat"], BEATS)


def test_an_empty_file_is_missing(store: FrameStore) -> None:
    store.path("b").touch()
    assert store.missing(["c", "b", "a", "b"]) == ["c", "b"]


@pytest.mark.parametrize("content", [b"", b"not frames", b"\xff" * 200])
def test_a_damaged_file_is_removed(store: FrameStore, content: bytes) -> None:
    store.path("a").write_bytes(content)
    with pytest.raises(StoreError, match=r"gone or damaged\. Run it again"):
        read_frames(store.path("a"))
    assert not store.path("a").exists()


def test_a_file_that_is_gone_is_named(store: FrameStore) -> None:
    with pytest.raises(StoreError, match=r"b\.safetensors are gone"):
        read_frames(store.path("b"))


def test_a_file_that_cannot_be_read_is_kept(
    store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("safetensors.safe_open", refuse)
        with pytest.raises(
            StoreError, match=r"Cannot read the frames .*: Permission denied\. Make"
        ):
            read_frames(store.path("a"))
    assert list(read_frames(store.path("a")).layers) == [3]
    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", refuse)
        with pytest.raises(
            StoreError, match=r"Cannot read the frames .*: Permission denied\. Make"
        ):
            store.missing(["a"])


def test_a_damaged_file_that_cannot_be_removed_is_an_error_too(store: FrameStore) -> None:
    folder = store.path("folder")
    folder.mkdir()
    with pytest.raises(StoreError, match="Cannot read the frames"):
        read_frames(folder)
    assert folder.is_dir()
