from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pianobench import DataError, LeftOut
from pianobench_asap import Asap


@pytest.fixture
def root(asap_root: Path) -> Path:
    return asap_root / "asap"


def rewrite(root: Path, change: Callable[[list[dict[str, str]]], object]) -> None:
    with (root / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    change(rows)
    with (root / "metadata.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def test_pieces_are_composer_and_title_and_performers_are_told_by_the_file_names(
    root: Path,
) -> None:
    corpus = Asap().load(root)
    of = {kind: dict(zip(corpus.ids, corpus.groups[kind], strict=True)) for kind in corpus.groups}
    assert {kind: of[kind]["Chopin/Etude/Dinu_2009_05M"] for kind in of} == {
        "excerpt": "Chopin: Etude",
        "passage": "Chopin: Etude",
        "composer": "Chopin",
        "performer": "Dinu",
    }
    assert sorted(set(of["performer"].values())) == [
        *("Ada", "Bela", "Clara", "Dinu", "Emil", "LEE_H", "LEE_K"),
    ]
    assert Counter(of["excerpt"].values())["Bach: Fugue_1"] == 3
    assert corpus.targets.shape == (17, 0)
    score = root / "Bach" / "Fugue_1" / "midi_score.mid"
    assert corpus.clips[0].score_midi == score


def test_recordings_are_maestros_cut_where_the_metadata_says(root: Path) -> None:
    years = root.parent / "maestro" / "maestro-v2.0.0" / "2004"
    years.mkdir(parents=True)
    asap = Asap(source="audio")
    with pytest.raises(
        DataError, match=r"3 of the 3 .* the recording is missing, at .*Bela01M.wav"
    ):
        asap.load(root)
    for name in ("Bela01M", "Bela02M", "Dinu_2009_05M"):
        (years / f"{name}.wav").touch()
    corpus = asap.load(root)
    assert corpus.clips[0].audio == years / "Bela01M.wav"
    assert {(clip.start_s, clip.end_s) for clip in corpus.clips} == {(1.5, None)}
    assert asap.recorded
    assert not Asap().recorded
    elsewhere = Asap(source="audio", maestro=str(root.parent / "maestro"))
    assert elsewhere.load(root).ids == corpus.ids


def test_bad_entries_are_named_and_left_out_only_when_asked(root: Path) -> None:
    (root / "Liszt/Lied/Emil08.mid").unlink()
    rewrite(root, lambda rows: rows.append(rows[0]))
    with pytest.raises(DataError) as refused:
        Asap().load(root)
    assert "2 of the 18 entries of asap cannot be used: 'Liszt/Lied/Emil08': the perfor" in str(
        refused.value
    )
    assert "(row 19)': the performance is listed again" in str(refused.value)
    (root / "Liszt/Lied/Bela08.mid").write_bytes(b"no MIDI")
    corpus = Asap(unusable="skip").load(root)
    assert len(corpus.clips) == 15
    assert corpus.left_out == (
        LeftOut("the performance is missing", ("Liszt/Lied/Emil08",)),
        LeftOut("the MIDI cannot be read", ("Liszt/Lied/Bela08",)),
        LeftOut("the performance is listed again", ("Bach/Fugue_1/Ada01 (row 19)",)),
    )


def test_metadata_of_another_shape_and_an_absent_folder_are_refused(root: Path) -> None:
    rewrite(root, lambda rows: [row.pop("start") for row in rows])
    with pytest.raises(DataError, match="lacks the columns start"):
        Asap().load(root)
    with pytest.raises(DataError, match=r"no metadata.csv. Fetch it with `bench fetch asap`"):
        Asap().load(root / "nowhere")


def test_every_file_is_fetched_at_one_commit_with_a_checksum() -> None:
    remotes = {remote.path: remote for remote in Asap.remotes}
    assert len(remotes) == len(Asap.remotes) == 1067 + 235 + 2
    commits = {remote.url.split("/")[5] for remote in Asap.remotes}
    assert len(commits) == 1
    assert len(commits.pop()) == 40
    assert {len(remote.sha256) for remote in Asap.remotes} == {64}


@pytest.mark.data
def test_the_published_set_has_222_pieces_169_of_them_with_two_or_more_takes(
    data_root: Path,
) -> None:
    if not (data_root / "asap").is_dir():
        pytest.skip(f"ASAP is not at {data_root / 'asap'}")
    corpus = Asap().load(data_root / "asap")
    takes = Counter(corpus.groups["excerpt"])
    assert len(corpus.clips) == 1067
    assert len(takes) == 222
    assert sum(count >= 2 for count in takes.values()) == 169
    assert len(set(corpus.groups["composer"])) == 16
    assert {remote.path for remote in Asap.remotes} >= {f"{clip}.mid" for clip in corpus.ids}
