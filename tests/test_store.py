from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from pianobench import store as store_module
from pianobench.errors import StoreError
from pianobench.namespace import namespace_digest
from pianobench.store import FeatureStore, Row

ENCODER = {"encoder": {"name": "mel", "options": {"bands": 128}}, "pooling": "mean"}


def row(number: int, layers: int = 3, width: int = 4) -> Row:
    """Values that tell clip, layer and column."""
    values = [number + layer / 10 + np.arange(width) / 100 for layer in range(layers)]
    return Row(f"key{number}", values)


def keys(numbers: range | list[int]) -> list[str]:
    return [f"key{number}" for number in numbers]


def shards(root: Path) -> list[Path]:
    return sorted(root.glob("*/*.safetensors"))


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path, ENCODER)


def test_what_was_written_is_read_in_the_order_asked_for(store: FeatureStore) -> None:
    store.write([row(n) for n in range(10)])
    read = store.read(["key7", "key2", "key7"], [2, 0])
    assert sorted(read) == [0, 2]
    for layer, values in read.items():
        expected = np.array([7, 2, 7])[:, None] + layer / 10 + np.arange(4) / 100
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, expected.astype(np.float32))


def test_layers_may_differ_in_width(store: FeatureStore) -> None:
    store.write([Row("a", [np.zeros(2), np.ones(5)]), Row("b", [np.ones(2), np.zeros(5)])])
    assert {k: v.shape for k, v in store.read(["b", "a"]).items()} == {0: (2, 2), 1: (2, 5)}


def test_a_shard_holds_one_tensor_a_layer_and_its_own_keys(
    store: FeatureStore, tmp_path: Path
) -> None:
    store.write([row(n) for n in range(3)])
    (path,) = shards(tmp_path)
    tensors = load_file(path)
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        f"layer.{k}": (3, 4) for k in range(3)
    }
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + size])
    assert json.loads(header["__metadata__"]["keys"]) == ["key0", "key1", "key2"]


def test_missing_keys_are_told_once_and_in_order(store: FeatureStore) -> None:
    assert store.missing(keys([3, 1, 3])) == ["key3", "key1"]
    store.write([row(1), row(2)])
    assert store.missing(keys([3, 1, 0, 3])) == ["key3", "key0"]


def test_reading_what_is_not_there_says_so(store: FeatureStore) -> None:
    store.write([row(1)])
    with pytest.raises(StoreError, match=r"key key2\.\.\. are not in"):
        store.read(["key1", "key2"], [0])
    with pytest.raises(StoreError, match="no layer 3; it holds layers 0 to 2"):
        store.read(["key1"], [3])


def test_another_store_of_the_namespace_sees_what_came_later(tmp_path: Path) -> None:
    one, other = FeatureStore(tmp_path, ENCODER), FeatureStore(tmp_path, ENCODER)
    assert other.missing(["key0"]) == ["key0"]
    one.write([row(0)])
    assert other.missing(["key0"]) == []


def test_any_change_of_the_description_is_another_namespace(tmp_path: Path) -> None:
    FeatureStore(tmp_path, ENCODER).write([row(0)])
    changed = {**ENCODER, "encoder": {"name": "mel", "options": {"bands": 64}}}
    assert FeatureStore(tmp_path, changed).missing(["key0"]) == ["key0"]
    reordered = dict(reversed(list(ENCODER.items())))
    assert namespace_digest(reordered) == namespace_digest(ENCODER)
    assert FeatureStore(tmp_path, reordered).missing(["key0"]) == []


def test_what_is_known_of_the_encoder_is_kept_beside_the_values(
    store: FeatureStore, tmp_path: Path
) -> None:
    assert store.namespace.provenance() == {}
    store.namespace.keep_provenance({"source": "folder", "signals": {"click": {"std": 0.5}}})
    again = FeatureStore(tmp_path, ENCODER)
    assert again.namespace.provenance() == {"source": "folder", "signals": {"click": {"std": 0.5}}}
    assert (again.keys, store.digest) == ([], again.digest)
    (tmp_path / store.digest / "provenance.json").write_text("{")
    assert again.namespace.provenance() == {}


def test_all_keys_are_told(store: FeatureStore) -> None:
    store.write([row(n) for n in range(3)])
    store.write([row(5)])
    assert sorted(store.keys) == keys([0, 1, 2, 5])


@settings(deadline=None, max_examples=20)
@given(
    parts=st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=8), min_size=1, max_size=6),
    limit=st.integers(1, 9),
)
def test_merging_keeps_every_value_in_as_few_shards_as_it_can(
    parts: list[list[int]], limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("store")
    numbers = sorted({n for part in parts for n in part})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "SHARD_ROWS", limit)
        store = FeatureStore(root, ENCODER)
        for part in parts:
            store.write([row(n) for n in dict.fromkeys(part)])
        store.merge()
        small = [path for path in shards(root) if len(load_file(path)["layer.0"]) < limit]
        assert len(small) <= 1
        for reader in (store, FeatureStore(root, ENCODER)):
            values = reader.read(keys(numbers), [1])[1]
            expected = np.array([row(n).layers[1] for n in numbers], dtype=np.float32)
            np.testing.assert_array_equal(values, expected)


def test_a_reader_that_listed_shards_before_they_were_merged_reads_the_new_ones(
    store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(4):
        store.write([row(n)])
    reader = FeatureStore(tmp_path, ENCODER)
    listed = reader._index()
    store.merge()
    later = reader._index
    answers = iter([listed])
    monkeypatch.setattr(reader, "_index", lambda: next(answers, None) or later())
    np.testing.assert_array_equal(reader.read(["key3"], [0])[0][0], np.float32(row(3).layers[0]))
    assert len(shards(tmp_path)) == 1


def test_runs_that_write_merge_and_read_at_once_lose_nothing(tmp_path: Path) -> None:
    failures: list[Exception] = []

    def work(first: int) -> None:
        try:
            own = FeatureStore(tmp_path, ENCODER)
            for n in range(first, first + 24, 3):
                own.write([row(n), row(n + 1), row(n + 2)])
                if n % 2:
                    own.merge()
                own.read(keys(list(range(first, n + 3))), [0, 2])
        except (AssertionError, StoreError, OSError) as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(20 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    store = FeatureStore(tmp_path, ENCODER)
    store.merge()
    expected = np.array([row(n).layers[2] for n in range(84)], dtype=np.float32)
    np.testing.assert_array_equal(store.read(keys(range(84)), [2])[2], expected)
    assert len(shards(tmp_path)) == 1


KILLED = """
import sys
from pathlib import Path
import numpy as np
from pianobench.store import FeatureStore, Row
store = FeatureStore(Path(sys.argv[1]), {"n": 1})
for n in range(100_000):
    store.write([Row(f"key{n}", [np.full(40_000, n, dtype=np.float32)])])
    if n % 4 == 3:
        store.merge()
    print(n, flush=True)
"""


def test_a_run_killed_at_any_instant_leaves_whole_shards(tmp_path: Path) -> None:
    for after in (3, 6, 10):
        root = tmp_path / str(after)
        command = [sys.executable, "-c", KILLED, str(root)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            written = -1
            while written < after:
                written = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            written = max([written, *(int(line) for line in process.stdout)])
        store = FeatureStore(root, {"n": 1})
        assert store.missing(keys(range(written + 1))) == []
        values = store.read(keys(range(written + 1)), [0])[0]
        np.testing.assert_array_equal(values[:, -1], np.arange(written + 1))


@pytest.mark.parametrize("size", [0, 5, 60, -1])
def test_a_truncated_shard_is_ignored_with_a_warning_and_removed_once_replaced(
    store: FeatureStore, tmp_path: Path, size: int
) -> None:
    store.write([row(0), row(1)])
    (damaged,) = shards(tmp_path)
    store.write([row(2)])
    content = damaged.read_bytes()
    damaged.write_bytes(content[: size % len(content)])
    reader = FeatureStore(tmp_path, ENCODER)
    with pytest.warns(UserWarning, match=f"{damaged.name} is damaged"):
        assert reader.missing(keys(range(3))) == ["key0", "key1"]
    reader.write([row(0), row(1)])
    reader.merge()
    assert not damaged.exists()
    assert FeatureStore(tmp_path, ENCODER).missing(keys(range(3))) == []


def test_a_shard_without_keys_is_damaged(store: FeatureStore, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    store.write([row(0)])
    save_file({"layer.0": np.zeros((1, 4), dtype=np.float32)}, shards(tmp_path)[0])
    with pytest.warns(UserWarning, match="is damaged"):
        assert FeatureStore(tmp_path, ENCODER).missing(["key0"]) == ["key0"]


def test_a_full_disk_is_an_error_that_keeps_what_is_stored(
    store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write([row(0)])

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"No space left on device.*is kept: make space"):
        store.write([row(1)])
    assert [path.suffix for path in store._folder.iterdir()].count(".tmp") == 0
    assert FeatureStore(tmp_path, ENCODER).missing(keys(range(2))) == ["key1"]


def test_a_root_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = FeatureStore(tmp_path / "file", ENCODER)
    with pytest.raises(StoreError, match="Cannot list the features"):
        store.missing(["key0"])
    with pytest.raises(StoreError, match="Cannot write features"):
        store.write([row(0)])


def test_merging_removes_temporary_files_of_killed_runs_but_not_of_running_ones(
    store: FeatureStore, tmp_path: Path
) -> None:
    store.write([row(0)])
    old, new = (store._folder / name for name in ("old.tmp", "new.tmp"))
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    hours_ago = time.time() - 7200
    os.utime(old, (hours_ago, hours_ago))
    store.merge()
    assert (old.exists(), new.exists()) == (False, True)


def test_a_cache_that_is_being_deleted_is_an_error_not_a_loop(
    store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write([row(0)])
    listed = store._index()
    for path in shards(tmp_path):
        path.unlink()
    monkeypatch.setattr(store, "_index", lambda: listed)
    with pytest.raises(StoreError, match="vanish while they are read"):
        store.read(["key0"], [0])
