from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pianobench import DataError, LeftOut
from pianobench_psyllabus import PSyllabus


@pytest.fixture
def root(psyllabus_root: Path) -> Path:
    return psyllabus_root / "psyllabus"


def test_levels_are_read_as_published_and_scaled(root: Path) -> None:
    corpus = PSyllabus().load(root)
    levels = {clip: entry["ps"] for clip, entry in entries(root).items()}
    assert [d.name for d in corpus.dimensions] == ["difficulty"]
    np.testing.assert_allclose(
        corpus.targets[:, 0], [int(levels[clip]) / 10 for clip in corpus.ids], atol=1e-15
    )
    assert sorted(set(corpus.groups["composer"])) == [f"Dvořák {x}" for x in "ABCD"]
    assert all(clip.midi is not None and clip.midi.is_file() for clip in corpus.clips)


def entries(root: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads((root / "psyllabus.json").read_text())
    return found


def change(root: Path, **of: dict[str, str]) -> None:
    table = entries(root)
    keys = sorted(table)
    for number, values in of.items():
        table[keys[int(number.removeprefix("entry"))]] |= values
    (root / "psyllabus.json").write_text(json.dumps(table))


def test_as_many_of_every_level_are_drawn_whatever_their_order(root: Path) -> None:
    drawn = PSyllabus(per_level=1).load(root)
    assert Counter(drawn.targets[:, 0].tolist()) == dict.fromkeys(np.arange(11) / 10, 1)
    table = entries(root)
    (root / "psyllabus.json").write_text(json.dumps(dict(reversed(table.items()))))
    assert PSyllabus(per_level=1).load(root).ids == drawn.ids


def test_recordings_of_ones_own_are_matched_by_key(root: Path) -> None:
    with pytest.raises(DataError, match=r"Name their folder with --set dataset.recordings"):
        PSyllabus(source="audio").load(root)
    (root / "mine").mkdir()
    names = [key for key in sorted(entries(root)) if key.startswith("Dvořák A")]
    for name in names:
        (root / "mine" / f"{name}.mp3").touch()
    dataset = PSyllabus(source="audio", recordings="mine", unusable="skip")
    corpus = dataset.load(root)
    assert list(corpus.ids) == names
    assert corpus.clips[0].audio == root / "mine" / f"{names[0]}.mp3"
    assert [(left.why, len(left.entries)) for left in corpus.left_out] == [
        ("the recording is missing", 22 - len(names))
    ]
    assert dataset.recorded


def test_a_folder_of_transcriptions_is_as_good_as_the_archive(root: Path, tmp_path: Path) -> None:
    before = PSyllabus().load(root)
    (root / "mid").mkdir()
    for clip in before.clips:
        assert clip.midi is not None
        (root / "mid" / f"{clip.id}.mid").write_bytes(clip.midi.read_bytes())
    (root / "mid.zip").unlink()
    assert PSyllabus().load(root).digest == before.digest


def test_bad_entries_are_named_and_left_out_only_when_asked(root: Path) -> None:
    keys = sorted(entries(root))
    change(root, entry0={"ps": "11"}, entry1={"ps": "easy"})
    with pytest.raises(DataError, match=r"2 of the 22 .* the level is none of 0 to 10, ps is '11'"):
        PSyllabus().load(root)
    corpus = PSyllabus(unusable="skip").load(root)
    assert corpus.left_out == (LeftOut("the level is none of 0 to 10", (keys[0], keys[1])),)


def test_a_corrupted_archive_or_member_is_named(root: Path) -> None:
    whole = (root / "mid.zip").read_bytes()
    spoilt = bytearray(whole)
    spoilt[200:210] = bytes(10)
    (root / "mid.zip").write_bytes(spoilt)
    with pytest.raises(DataError, match=r"1 of the 22 .* the archive's member is damaged"):
        PSyllabus().load(root)
    (root / "mid.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged or half downloaded"):
        PSyllabus(unusable="skip").load(root)


def test_what_is_no_dictionary_of_entries_is_refused(root: Path) -> None:
    (root / "other.json").write_text("[]")
    with pytest.raises(DataError, match=r"the only JSON file .* other.json, psyllabus.json"):
        PSyllabus().load(root)
    (root / "psyllabus.json").unlink()
    with pytest.raises(DataError, match="should be a dictionary of dictionaries"):
        PSyllabus().load(root)
