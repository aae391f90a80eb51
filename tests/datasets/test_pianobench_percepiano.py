from __future__ import annotations

import csv
import hashlib
import http.server
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from scipy.stats import spearmanr

from pianobench import Corpus, DataError, Notes, Remote, read_notes, write_notes
from pianobench.fetch import Fetched, fetch
from pianobench.recurrence import contained_takes
from pianobench_percepiano import PercePiano
from pianobench_percepiano.excerpts import parse

LABELS = "label_2round_mean_reg_19_with0_rm_highstd0.json"
RATINGS = "labels/total_2rounds.csv"
DATA = Path("virtuoso/data")

# A 16-bar excerpt, the 8-bar excerpt that is its first half, and a variation of another work.
TUNES = {
    ("Schubert_D960_mv2", 16, "05"): [60, 64, 67, 72, 71, 67, 65, 62],
    ("Schubert_D960_mv2", 8, "08"): [60, 64, 67, 72],
    ("Schubert_D960_mv2", 8, "09"): [48, 50, 48, 50],
    ("Beethoven_WoO80_var3", 8, "2"): [60, 64, 67, 72],
}
PLAYERS = ("1", "12", "Score")


def clip_name(piece: str, bars: int, performer: str, segment: str) -> str:
    return f"{piece}_{bars}bars_{performer}_{segment}"


CLIPS = sorted(clip_name(p, b, who, s) for p, b, s in TUNES for who in PLAYERS)


def write_tune(path: Path, pitches: list[int]) -> None:
    onset = np.arange(len(pitches)) * 0.5
    nothing = np.zeros(0, dtype=np.int64)
    tune = Notes(
        onset=onset,
        offset=onset + 0.4,
        pitch=np.array(pitches),
        velocity=np.full(len(pitches), 64),
        control_time=np.zeros(0),
        control_number=nothing,
        control_value=nothing,
    )
    write_notes(path, tune)


def write_ratings(root: Path, rows: list[tuple[int, str, list[str]]]) -> None:
    with (root / RATINGS).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["user", "dataID", "filename", *(f"Q{i}" for i in range(19)), "", "message"])
        for user, clip, answers in rows:
            table.writerow([user, 1, f"{clip}.wav", *answers, "", ""])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus laid out as PercePiano is: 4 excerpts, each by 2 performers and a machine."""
    root = tmp_path / "percepiano"
    for folder in ("labels", DATA / "all_2rounds", DATA / "score_midi", DATA / "score_xml"):
        (root / folder).mkdir(parents=True)
    for (piece, bars, segment), pitches in TUNES.items():
        score = clip_name(piece, bars, "Score", segment)
        write_tune(root / DATA / "score_midi" / f"{score}.mid", pitches)
        (root / DATA / "score_xml" / f"{score}.musicxml").write_text("<score-partwise/>")
        for performer in PLAYERS:
            clip = clip_name(piece, bars, performer, segment)
            # One file of the repository begins with a space.
            stem = f" {clip}" if performer == "12" else clip
            write_tune(root / DATA / "all_2rounds" / f"{stem}.mid", pitches)
    (root / DATA / "score_xml" / "stray.mid").write_bytes(b"one such file is there")
    labels = {
        clip: [round(0.01 * (i + j), 2) for j in range(19)] + [7] for i, clip in enumerate(CLIPS)
    }
    (root / LABELS).write_text(json.dumps(dict(reversed(labels.items()))))
    write_ratings(
        root, [(rater, clip, [str(float(rater))] * 19) for clip in CLIPS for rater in (2, 5)]
    )
    return root


def test_clips_are_sorted_and_point_to_their_files(root: Path) -> None:
    corpus = PercePiano().load(root)
    assert list(corpus.ids) == CLIPS
    for clip in corpus.clips:
        assert clip.midi is not None
        assert clip.midi.stem.strip() == clip.id
        name = parse(clip.id)
        expected = clip_name(name.piece, int(name.bars), "Score", name.segment)
        assert clip.score_midi == root / DATA / "score_midi" / f"{expected}.mid"
        assert clip.score_xml == root / DATA / "score_xml" / f"{expected}.musicxml"


def test_the_twentieth_value_is_no_label(root: Path) -> None:
    corpus = PercePiano().load(root)
    assert corpus.targets.shape == (12, 19)
    np.testing.assert_allclose(corpus.targets[3], 0.01 * np.arange(3, 22), atol=1e-12)


def test_groups_follow_from_names_and_notes(root: Path) -> None:
    corpus = PercePiano().load(root)
    of = {kind: dict(zip(corpus.ids, corpus.groups[kind], strict=True)) for kind in corpus.groups}
    first_half = "Schubert_D960_mv2_8bars_12_08"
    assert {kind: of[kind][first_half] for kind in of} == {
        "work": "Schubert_D960_mv2",
        "excerpt": "Schubert_D960_mv2_8bars_08",
        "position": "Schubert_D960_mv2_16bars_05",
        "passage": "Schubert_D960_mv2_16bars_05",
        "performer": "12",
        "recording": "Schubert_D960_mv2_12",
    }
    # By position the second half belongs to the 16 bars; here its notes are made to differ.
    second_half = "Schubert_D960_mv2_8bars_12_09"
    assert of["position"][second_half] == "Schubert_D960_mv2_16bars_05"
    assert of["passage"][second_half] == "Schubert_D960_mv2_8bars_09"
    variation = "Beethoven_WoO80_var3_8bars_1_2"
    assert of["work"][variation] == "Beethoven_WoO80"
    assert of["passage"][variation] == "Beethoven_WoO80_var3_8bars_2"


def test_machine_renditions_are_not_human(root: Path) -> None:
    corpus = PercePiano().load(root)
    assert corpus.human.tolist() == [parse(clip).performer != "Score" for clip in corpus.ids]


def test_a_repeated_rating_counts_once_only_in_the_deduplicated_labels(root: Path) -> None:
    rows = [(user, clip, [answer] * 19) for clip in CLIPS for user, answer in ((1, "2"), (9, "5"))]
    rows += [(1, CLIPS[0], ["2"] * 19), (1, CLIPS[0], ["5"] * 19)]
    write_ratings(root, rows)
    published, deduplicated = (
        PercePiano(labels=labels).load(root) for labels in ("published", "deduplicated")
    )
    # Rater 1 gave 2, 2 and 5: together 3; rater 9 gave 5.
    np.testing.assert_allclose(deduplicated.targets[0], 4 / 7)
    np.testing.assert_allclose(deduplicated.targets[1:], 3.5 / 7)
    for corpus, ratings in ((published, 26), (deduplicated, 24)):
        assert corpus.ratings is not None
        assert len(corpus.ratings.values) == ratings
        assert corpus.raters.tolist() == [2] * 12
    assert published.digest != deduplicated.digest
    assert published.version != deduplicated.version


def test_zeros_and_blanks_are_missing_and_impossible_rows_are_dropped(root: Path) -> None:
    rows = [(3, clip, ["4"] * 19) for clip in CLIPS]
    rows += [
        (4, CLIPS[0], ["0", "", *["7"] * 17]),
        (5, CLIPS[0], ["8", *["1"] * 18]),
        (6, CLIPS[0], ["0", *[""] * 18]),
    ]
    write_ratings(root, rows)
    corpus = PercePiano(labels="deduplicated").load(root)
    np.testing.assert_allclose(corpus.targets[0], [4 / 7] * 2 + [5.5 / 7] * 17)
    assert corpus.raters.tolist() == [2] + [1] * 11
    assert corpus.ratings is not None
    assert int(np.isnan(corpus.ratings.values).sum()) == 2


def test_an_absent_root_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere.*`bench fetch percepiano`"):
        PercePiano().load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (LABELS, rf"labels from .*{LABELS}"),
        (RATINGS, "raw ratings from .*total_2rounds.csv"),
        (DATA / "all_2rounds" / f"{CLIPS[1]}.mid", f"1 files are missing.*{CLIPS[1]}.mid"),
        (
            DATA / "score_midi" / "Schubert_D960_mv2_8bars_Score_08.mid",
            "1 files are missing in .*score_midi.*Score_08.mid",
        ),
        (
            DATA / "score_xml" / "Schubert_D960_mv2_8bars_Score_08.musicxml",
            "1 files are missing in .*score_xml.*Score_08.musicxml",
        ),
    ],
)
def test_a_missing_file_is_named(missing: str | Path, message: str, root: Path) -> None:
    (root / missing).unlink()
    with pytest.raises(DataError, match=rf"{message}[\s\S]*`bench fetch percepiano`"):
        PercePiano().load(root)


def test_a_missing_folder_is_named(root: Path) -> None:
    (root / DATA / "score_xml").rename(root / "elsewhere")
    with pytest.raises(DataError, match=r"cannot list .*score_xml"):
        PercePiano().load(root)


def change_labels(root: Path, change: dict[str, list[float] | None]) -> None:
    labels = json.loads((root / LABELS).read_text()) | change
    (root / LABELS).write_text(json.dumps({k: v for k, v in labels.items() if v is not None}))


def test_a_label_file_that_lacks_a_clip_is_refused(root: Path) -> None:
    change_labels(root, {CLIPS[4]: None})
    with pytest.raises(DataError, match=rf"the label file lacks 1 clips.*'{CLIPS[4]}'"):
        PercePiano().load(root)


def test_ratings_that_lack_a_clip_are_refused(root: Path) -> None:
    write_ratings(root, [(1, clip, ["3"] * 19) for clip in CLIPS[1:]])
    with pytest.raises(DataError, match=rf"total_2rounds.csv lacks 1 clips.*'{CLIPS[0]}'"):
        PercePiano().load(root)


def test_a_wrong_number_of_labels_is_refused(root: Path) -> None:
    change_labels(root, {CLIPS[0]: [0.5] * 19})
    with pytest.raises(DataError, match=rf"19 values for the clip '{CLIPS[0]}'"):
        PercePiano().load(root)


@pytest.mark.parametrize("label", [7.0, -0.1, float("nan")])
def test_a_label_out_of_range_is_refused(label: float, root: Path) -> None:
    change_labels(root, {CLIPS[2]: [0.5] * 18 + [label, 0]})
    with pytest.raises(DataError, match=rf"'{CLIPS[2]}' {label}, which is not from 0 to 1"):
        PercePiano().load(root)


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"a": "b"}', '{"a": 3}'])
def test_a_broken_label_file_is_refused(content: str, root: Path) -> None:
    (root / LABELS).write_text(content)
    with pytest.raises(DataError, match=rf"Cannot read PercePiano's labels from .*{LABELS}"):
        PercePiano().load(root)


@pytest.mark.parametrize("row", ["1,2", "1,2,a.wav" + ",x" * 21, "who,2,a.wav" + ",3" * 21])
def test_a_broken_ratings_file_is_refused(row: str, root: Path) -> None:
    (root / RATINGS).write_text(f"header\n{row}\n")
    with pytest.raises(DataError, match=r"Cannot read PercePiano's raw ratings from"):
        PercePiano().load(root)


@pytest.mark.parametrize("name", ["", "Schubert_8bars_1", "Schubert_D960_8_1_07", "a_8bars_1_x"])
def test_a_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="is not of the form"):
        parse(name)


def test_every_file_has_one_address_at_a_full_commit() -> None:
    remotes = PercePiano.remotes
    assert len({remote.path for remote in remotes}) == len(remotes) == 1403
    for remote in remotes:
        repository, commit, path = remote.url.removeprefix(
            "https://raw.githubusercontent.com/JonghoKimSNU/"
        ).split("/", maxsplit=2)
        assert repository == "PercePiano"
        assert len(commit) == 40
        assert unquote(path) == remote.path
        assert len(remote.sha256) == 64


@pytest.fixture(scope="module")
def real() -> Corpus:
    return PercePiano().load(Path(os.environ["PIANOBENCH_DATA"]) / "percepiano")


@pytest.mark.data
def test_the_published_labels_are_the_means_of_the_raw_ratings(real: Corpus) -> None:
    ratings = real.ratings
    assert ratings is not None
    rebuilt = [np.nanmean(ratings.values[ratings.clip == i], axis=0) for i in range(1202)]
    assert int((np.abs(rebuilt - real.targets).max(axis=1) < 1e-12).sum()) == 1202


@pytest.mark.data
def test_the_corpus_has_the_sizes_that_are_known(real: Corpus) -> None:
    assert real.targets.shape == (1202, 19)
    assert int(real.human.sum()) == 1202 - 129
    assert {kind: len(set(groups)) for kind, groups in real.groups.items()} == {
        "work": 4,
        "excerpt": 99,
        "position": 71,
        "passage": 42,
        "performer": 22,
        "recording": 49,
    }
    assert Counter(real.groups["work"]) == {
        "Schubert_D960_mv3": 559,
        "Schubert_D960_mv2": 288,
        "Beethoven_WoO80": 238,
        "Schubert_D935_no.3": 117,
    }


@pytest.mark.data
def test_passages_are_the_music_that_recurs(real: Corpus) -> None:
    passage = dict(zip(real.groups["excerpt"], real.groups["passage"], strict=True))
    work = dict(zip(real.groups["passage"], real.groups["work"], strict=True))
    assert Counter(work.values()) == {
        "Beethoven_WoO80": 17,
        "Schubert_D935_no.3": 13,
        "Schubert_D960_mv2": 5,
        "Schubert_D960_mv3": 7,
    }
    sizes = sorted(Counter(real.groups["passage"]).values(), reverse=True)
    assert sizes[:4] == [156, 91, 91, 91]
    repeats = "01=27 02=28 03=12=29 04=13=30 05=14=31 06=15=32 07=16=33 08=17=34 09=18=35 01=09 "
    repeats += "10=19=36 11=20=37 21=22 23=25 24=26"
    for group in repeats.split():
        named = {passage[f"Schubert_D960_mv3_8bars_{segment}"] for segment in group.split("=")}
        assert len(named) == 1
    # Merging by position is part of merging by notes.
    pairs = set(zip(real.groups["position"], real.groups["passage"], strict=True))
    assert len(pairs) == 71


@pytest.mark.data
def test_positions_are_those_at_which_takes_contain_each_other(real: Corpus) -> None:
    human = np.flatnonzero(real.human)
    takes = [read_notes(midi) for i in human if (midi := real.clips[i].midi)]
    excerpt, position = real.group("excerpt"), real.group("position")
    found = contained_takes(takes, real.group("performer")[human].tolist())
    pairs = {frozenset(excerpt[human[[c.shorter, c.longer]]].tolist()) for c in found}
    merged = {
        frozenset({short, long})
        for short, long in zip(excerpt.tolist(), position.tolist(), strict=True)
        if short != long
    }
    assert pairs == merged
    assert len(merged) == 28


@pytest.mark.data
def test_dimensions_mean_what_they_are_called(real: Corpus) -> None:
    human = np.flatnonzero(real.human)
    takes = [read_notes(midi) for i in human if (midi := real.clips[i].midi)]
    measured = {
        "note rate": [(len(n) - 1) / (n.onset[-1] - n.onset[0]) for n in takes],
        "mean velocity": [n.velocity.mean() for n in takes],
        "velocity spread": [n.velocity.std() for n in takes],
    }
    column = {d.name: real.targets[human, i] for i, d in enumerate(real.dimensions)}
    expected = {
        ("tempo", "note rate"): -0.75,
        ("dynamic_range", "velocity spread"): 0.51,
        ("dynamic_range", "note rate"): -0.08,
        ("timbre_loudness", "mean velocity"): 0.54,
        ("mood_energy", "mean velocity"): 0.59,
    }
    for (dimension, quantity), rho in expected.items():
        found = spearmanr(column[dimension], measured[quantity]).statistic
        assert found == pytest.approx(rho, abs=0.015), (dimension, quantity)


@pytest.mark.data
def test_the_deduplicated_labels_differ_a_little(real: Corpus, data_root: Path) -> None:
    other = PercePiano(labels="deduplicated").load(data_root / "percepiano")
    assert other.ids == real.ids
    assert other.groups == real.groups
    np.testing.assert_array_equal(other.raters, real.raters)
    difference = np.abs(other.targets - real.targets)
    assert 0.001 < difference.mean() < 0.05


@pytest.mark.data
def test_the_files_are_those_of_the_checksums(data_root: Path) -> None:
    for remote in PercePiano.remotes:
        content = (data_root / "percepiano" / remote.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == remote.sha256, remote.path


@pytest.fixture
def mirror(data_root: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
            pass

    handler = partial(Quiet, directory=str(data_root / "percepiano"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.data
@pytest.mark.slow
def test_what_is_fetched_is_all_that_loading_needs(
    mirror: str, real: Corpus, tmp_path: Path
) -> None:
    class Mirrored(PercePiano):
        remotes = tuple(
            Remote(f"{mirror}/{r.url.split('/', maxsplit=6)[6]}", r.sha256, r.path)
            for r in PercePiano.remotes
        )

    assert fetch(Mirrored(), tmp_path) == Fetched(downloaded=1403, kept=0)
    assert PercePiano().load(tmp_path).digest == real.digest
