from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pianobench import Corpus, DataError, Notes, read_notes
from pianobench_demo import Demo

SUSTAIN = 64


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Demo().load(tmp_path_factory.mktemp("demo"))


def takes(corpus: Corpus) -> list[Notes]:
    return [read_notes(clip.midi) for clip in corpus.clips if clip.midi]


def content(corpus: Corpus) -> str:
    """SHA-256 of the labels and of every note and pedal change, times in ticks."""
    digest = hashlib.sha256(corpus.digest.encode())
    for notes in takes(corpus):
        for times in (notes.onset, notes.offset, notes.control_time):
            digest.update(np.rint(960 * times).astype("<i8").tobytes())
        for numbers in (notes.pitch, notes.velocity, notes.control_value):
            digest.update(numbers.astype("<i8").tobytes())
    return digest.hexdigest()


def test_the_corpus_is_the_same_everywhere(demo: Corpus) -> None:
    assert content(demo) == "4147fc2ffe1b836a990cac7aa906e906de894db24ae40ffb48e6aecf819e61d5"


def test_the_corpus_is_complete(demo: Corpus) -> None:
    assert demo.targets.shape == (120, 6)
    assert demo.targets.min() >= 0
    assert demo.targets.max() <= 1
    assert demo.ids == tuple(sorted(demo.ids))
    assert {kind: len(set(groups)) for kind, groups in demo.groups.items()} == {
        "work": 4,
        "excerpt": 20,
        "passage": 20,
        "performer": 6,
        "recording": 24,
    }
    assert demo.human.sum() == 100
    durations_s = [notes.offset.max() for notes in takes(demo)]
    assert min(durations_s) > 5
    assert max(durations_s) < 14


def test_targets_are_the_means_of_the_ratings(demo: Corpus) -> None:
    assert demo.ratings is not None
    for clip in range(120):
        mine = demo.ratings.clip == clip
        assert len(set(demo.ratings.rater[mine].tolist())) == demo.raters[clip] == 6
        np.testing.assert_allclose(demo.ratings.values[mine].mean(axis=0), demo.targets[clip])
    steps = 7 * demo.ratings.values
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-12)


def test_files_that_are_there_are_used_again_and_missing_ones_replaced(tmp_path: Path) -> None:
    first = Demo().load(tmp_path)
    paths = [clip.midi for clip in first.clips if clip.midi]
    written = [path.stat().st_mtime_ns for path in paths]
    gone = paths[7].read_bytes()
    paths[7].unlink()
    second = Demo().load(tmp_path)
    assert second.digest == first.digest
    assert paths[7].read_bytes() == gone
    again = [path.stat().st_mtime_ns for path in paths]
    assert [a == b for a, b in zip(written, again, strict=True)].count(False) == 1
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"Cannot write the demo corpus to .*PIANOBENCH_CACHE"):
        Demo().load(tmp_path / "file")


def statistics(notes: Notes) -> list[float]:
    time_s, value = notes.control(SUSTAIN)
    pedal_s = (time_s[value == 0] - time_s[value > 0]).sum()
    total_s = notes.onset.max() - notes.onset.min()
    steps_s = np.diff(np.unique(notes.onset))
    return [
        total_s,
        float(notes.velocity.mean()),
        float(notes.velocity.std()),
        float(np.median(notes.offset - notes.onset) / total_s),
        pedal_s / total_s,
        float(np.log(steps_s + 0.01).std()),
    ]


def piece_r2(features: NDArray[np.float64], corpus: Corpus) -> NDArray[np.float64]:
    model = make_pipeline(StandardScaler(), Ridge(10.0))
    folds = GroupKFold(4)
    found = cross_val_predict(
        model, features, corpus.targets, groups=corpus.groups["passage"], cv=folds
    )
    scores: NDArray[np.float64] = r2_score(corpus.targets, found, multioutput="raw_values")
    return scores


def test_how_a_piece_was_played_can_be_learned_from_its_notes(demo: Corpus) -> None:
    scores = piece_r2(np.array([statistics(notes) for notes in takes(demo)]), demo)
    assert scores.mean() > 0.6
    assert scores.min() > 0.4


def test_labels_are_about_the_playing_and_little_about_the_piece(demo: Corpus) -> None:
    within = np.zeros_like(demo.targets)
    passage = demo.group("passage")
    for name in set(passage.tolist()):
        mine = passage == name
        within[mine] = demo.targets[mine] - demo.targets[mine].mean(axis=0)
    explained_by_piece = 1 - within.var(axis=0) / demo.targets.var(axis=0)
    assert explained_by_piece.mean() < 0.3


def test_how_a_piece_was_played_can_be_heard(demo: Corpus) -> None:
    """Sinusoids that decay, and the loudness of octave bands over time."""
    scores = piece_r2(np.array([bands(sound(notes)) for notes in takes(demo)]), demo)
    assert scores.mean() > 0.3


RATE_HZ = 4000


def sound(notes: Notes) -> NDArray[np.float64]:
    time_s, value = notes.control(SUSTAIN)
    downs, ups = time_s[value > 0], time_s[value == 0]
    samples = np.zeros(int((notes.offset.max() + 2) * RATE_HZ))
    for onset, offset, pitch, velocity in zip(
        notes.onset, notes.offset, notes.pitch, notes.velocity, strict=True
    ):
        pedal = np.searchsorted(downs, offset) - 1
        damped = max(offset, ups[pedal]) if pedal >= 0 and ups[pedal] > offset else offset
        t = np.arange(int((damped - onset) * RATE_HZ)) / RATE_HZ
        hz = 440 * 2 ** ((pitch - 69) / 12)
        tone = sum(np.sin(2 * np.pi * k * hz * t) / k ** (3 - velocity / 64) for k in (1, 2, 3))
        start = int(onset * RATE_HZ)
        tone = (velocity / 127) ** 2 * np.exp(-2 * t) * tone
        samples[start : start + len(t)] += tone[: len(samples) - start]
    return samples


def bands(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    frames = samples[: len(samples) // 128 * 128].reshape(-1, 128)
    power = np.abs(np.fft.rfft(frames * np.hanning(128), axis=1)) ** 2
    edges = [3, 5, 7, 9, 12, 16, 22, 30, 45, 65]
    level = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-4)
    level = level[: -int(2 * RATE_HZ / 128)]
    return np.concatenate(
        [level.mean(axis=0), level.std(axis=0), np.abs(np.diff(level, axis=0)).mean(axis=0)]
    )
