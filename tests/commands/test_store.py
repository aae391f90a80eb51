"""`bench store` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pianobench.cli import bench
from pianobench.encode import feature_root
from pianobench.errors import CheckFailedError, UsageError
from pianobench.frame_encoding import frame_root
from pianobench.frame_store import FrameRow, FrameStore
from pianobench.store import FeatureStore, Row


def typed(*words: str | Path, answer: str | None = None) -> Result:
    return CliRunner().invoke(bench, ["store", *map(str, words)], input=answer)


@pytest.fixture
def filled(own_cache: Path) -> list[str]:
    """A cache of two namespaces and a render; the digests."""
    digests = []
    for name in ("one", "other"):
        store = FeatureStore(feature_root(own_cache), {"encoder": {"name": name}})
        store.write([Row("a", [np.ones(3)])])
        digests.append(store.digest)
    (own_cache / "renders" / "tone-8000-0").mkdir(parents=True)
    (own_cache / "renders" / "tone-8000-0" / "a.flac").write_bytes(b"12345")
    return digests


def test_an_empty_cache_is_listed_as_such() -> None:
    done = typed()
    assert done.exit_code == 0
    assert done.output.startswith("0 namespaces of features, 0 B, in ")


def test_namespaces_and_renders_are_listed(filled: list[str], own_cache: Path) -> None:
    done = typed()
    for shown in (*(digest[:12] for digest in filled), "2 namespaces", "renders, 5 B", own_cache):
        assert str(shown) in done.output
    listed = json.loads(typed("--json").output)
    assert sorted(n["digest"] for n in listed["namespaces"]) == sorted(filled)
    assert listed["renders_bytes"] == 5


@pytest.fixture
def framed(own_cache: Path) -> str:
    """A namespace of frames; its digest."""
    store = FrameStore(frame_root(own_cache), {"encoder": {"name": "han"}, "layers": [0]})
    store.write([FrameRow("a", {0: np.ones((4, 2))}, {})])
    return store.namespace.digest


def test_frames_are_listed_and_cleared(filled: list[str], framed: str, own_cache: Path) -> None:
    size = sum(path.stat().st_size for path in (frame_root(own_cache) / framed).iterdir())
    done = typed()
    assert f"1 namespaces of frames, {size} B, in {frame_root(own_cache)}" in done.output
    assert framed[:12] in done.output
    (listed,) = json.loads(typed("--json").output)["frames"]
    assert (listed["digest"], listed["clips"], listed["size_bytes"]) == (framed, 1, size)
    assert "None of the 2 namespaces" in str(typed("verify", framed[:10]).exception)
    assert typed("clear", framed[:10], "--yes").exit_code == 0
    kept = json.loads(typed("--json").output)
    assert (kept["frames"], len(kept["namespaces"])) == ([], 2)


def test_frames_are_cleared_with_all(filled: list[str], framed: str, own_cache: Path) -> None:
    assert typed("clear", "--all", "--yes").exit_code == 0
    assert list(frame_root(own_cache).iterdir()) == []


def test_clearing_asks_first(filled: list[str], own_cache: Path) -> None:
    assert "Nothing is deleted" in typed("clear", "--all", answer="n\n").output
    assert json.loads(typed("--json").output)["renders_bytes"] == 5
    done = typed("clear", filled[0][:10], answer="y\n")
    assert "Deleted" in done.output
    assert [n["digest"] for n in json.loads(typed("--json").output)["namespaces"]] == filled[1:]


def test_all_features_or_all_renders_are_cleared_at_once(filled: list[str]) -> None:
    assert typed("clear", "--all", "--yes").exit_code == 0
    listed = json.loads(typed("--json").output)
    assert (listed["namespaces"], listed["renders_bytes"]) == ([], 5)
    assert typed("clear", "--renders", "--yes").exit_code == 0
    assert json.loads(typed("--json").output)["renders_bytes"] == 0


@pytest.mark.parametrize("words", [("clear",), ("clear", "abc", "--all")])
def test_clearing_needs_to_be_told_what(words: tuple[str, ...]) -> None:
    done = typed(*words)
    assert isinstance(done.exception, UsageError)
    assert "Say what to clear" in str(done.exception)


def test_verifying_what_cannot_be_encoded_again_says_why(filled: list[str]) -> None:
    done = typed("verify")
    assert done.output.count("not verified. Its description cannot be used") == 2
    assert isinstance(done.exception, UsageError)
    done = typed("verify", "--json")
    assert [o["agrees"] for o in json.loads(done.stdout)["namespaces"].values()] == [None, None]
    done = typed("verify", "f00")
    assert "None of the 2 namespaces" in str(done.exception)


@pytest.mark.slow
def test_features_of_the_demo_are_verified_and_a_changed_value_is_found(own_cache: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    run = ["run", "--dataset", "demo", "--encoder", "midi-stats", "--jobs", "1", "--protocols"]
    words = [*run, "piece", "--head", "ridge", "--results", str(own_cache / "results")]
    assert CliRunner().invoke(bench, words).exit_code == 0
    done = typed("verify", "--dataset", "demo", "--sample", "5")
    assert (done.exit_code, "agrees: 5 clips" in done.output) == (0, True)
    (shard,) = feature_root(own_cache).glob("*/*.safetensors")
    with safe_open(shard, framework="np") as opened:
        metadata = opened.metadata()
    values = load_file(shard)["layer.0"]
    save_file({"layer.0": values * np.float32(1.01)}, shard, metadata)
    done = typed("verify", "--dataset", "demo")
    assert isinstance(done.exception, CheckFailedError)
    assert "DIFFERS" in done.output
