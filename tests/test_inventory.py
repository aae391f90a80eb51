from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pianobench.errors import StoreError, UsageError
from pianobench.frame_store import FrameRow, FrameStore
from pianobench.inventory import (
    find_namespaces,
    inventory_text,
    list_namespaces,
    remove,
    size_bytes,
)
from pianobench.store import FeatureStore, Row

DESCRIPTION: dict[str, Any] = {
    "encoder": {"name": "muq", "options": {}, "fingerprint": "f"},
    "pooling": {"name": "mean", "options": {"power": 2}},
    "input": {
        "sample_rate": 24_000,
        "chunk_samples": 240_000,
        "overlap_samples": 12_000,
        "precision": "bfloat16",
    },
}


def fill(root: Path, description: dict[str, Any], clips: int = 3) -> FeatureStore:
    store = FeatureStore(root, description)
    store.write([Row(f"key{n}", [np.ones(4), np.zeros(4)]) for n in range(clips)])
    return store


def test_a_namespace_is_listed_with_what_it_holds(tmp_path: Path) -> None:
    store = fill(tmp_path, DESCRIPTION)
    store.write([Row("key2", [np.ones(4), np.zeros(4)]), Row("other", [np.ones(4), np.zeros(4)])])
    store.namespace.keep_provenance({"source": "random, seed 0"})
    (found,) = list_namespaces(tmp_path)
    assert (found.digest, found.clips, found.layers, found.shards) == (store.digest, 4, 2, 2)
    assert found.description == DESCRIPTION
    assert found.size_bytes == sum(p.stat().st_size for p in found.folder.iterdir())
    assert (found.faults, found.as_json()["provenance"]) == ((), {"source": "random, seed 0"})
    header, line = inventory_text([found]).splitlines()
    assert header.split() == ["digest", "encoder", "pooling", "input", "clips", "layers", "size"]
    assert line.startswith(store.digest[:12])
    for shown in ("muq (random, seed 0)", "mean power=2", "24000 Hz, 10 s overlapping 0.5 s, bf"):
        assert shown in line


def test_frames_are_listed_by_their_files(tmp_path: Path) -> None:
    store = FrameStore(tmp_path, {"encoder": DESCRIPTION["encoder"], "layers": [3, 9]})
    values = {3: np.ones((5, 2)), 9: np.ones((5, 2))}
    store.write([FrameRow(key, values, {}) for key in ("a", "b")])
    store.path("empty").touch()
    (found,) = list_namespaces(tmp_path)
    assert (found.digest, found.clips, found.layers) == (store.namespace.digest, 2, 2)
    assert found.size_bytes == sum(p.stat().st_size for p in found.folder.iterdir())
    assert found.faults == ()
    line = inventory_text([found]).splitlines()[1]
    assert line.split()[:5] == [found.digest[:12], "muq", "(frames)", "2", "2"]


def test_what_cannot_be_read_is_named_and_changes_nothing(tmp_path: Path) -> None:
    good = fill(tmp_path, DESCRIPTION)
    torn = fill(tmp_path, {"encoder": {"name": "torn"}})
    (tmp_path / torn.digest / "a.safetensors").write_bytes(b"half a shard")
    foreign = tmp_path / "holiday"
    foreign.mkdir()
    (foreign / "photo.jpg").write_bytes(b"1234")
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / "namespace.json").write_text("[1]")
    (odd / "provenance.json").write_text("{")
    unlike = fill(tmp_path, {"encoder": "mel", "pooling": {"options": 3}, "input": {"x": []}})
    (tmp_path / "file").write_text("")
    before = sorted(p for p in tmp_path.rglob("*"))
    found = {namespace.digest: namespace for namespace in list_namespaces(tmp_path)}
    assert set(found) == {good.digest, torn.digest, unlike.digest, "holiday", "odd"}
    assert found[good.digest].faults == ()
    assert found[torn.digest].clips == 3
    assert found[torn.digest].faults[0].startswith("a.safetensors: ")
    assert (found["holiday"].clips, found["holiday"].size_bytes) == (0, 4)
    assert found["holiday"].faults[0].startswith("namespace.json: ")
    assert [fault.partition(":")[0] for fault in found["odd"].faults] == [
        "namespace.json",
        "provenance.json",
    ]
    text = inventory_text(list(found.values()))
    assert f"{torn.digest[:12]}: cannot read a.safetensors" in text
    assert sorted(p for p in tmp_path.rglob("*")) == before


def test_a_cache_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert list_namespaces(tmp_path / "nothing") == []
    assert size_bytes(tmp_path / "nothing") == 0
    remove(tmp_path / "nothing")


def test_a_root_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Cannot list the features"):
        list_namespaces(tmp_path / "file")
    with pytest.raises(StoreError, match=r"Cannot delete .*by hand"):
        remove(tmp_path / "file")


def test_namespaces_are_found_by_the_beginning_of_their_digest(tmp_path: Path) -> None:
    one, other = fill(tmp_path, DESCRIPTION), fill(tmp_path, {"encoder": {"name": "mel"}})
    assert [n.digest for n in find_namespaces(list_namespaces(tmp_path), one.digest[:9])] == [
        one.digest
    ]
    assert len(find_namespaces(list_namespaces(tmp_path), "")) == 2
    with pytest.raises(UsageError, match=r"None of the 2 namespaces .* begins with 'xyz'"):
        find_namespaces(list_namespaces(tmp_path), "xyz")
    (found,) = find_namespaces(list_namespaces(tmp_path), one.digest)
    remove(found.folder)
    assert [n.digest for n in list_namespaces(tmp_path)] == [other.digest]
