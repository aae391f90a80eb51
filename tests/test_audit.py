"""The audit: every kind of leak is found where it was put, and nothing is passed unchecked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pianobench import Clip, Corpus, Dimension, Fold, Notes, Split, write_notes
from pianobench.audit import Audit, Leak, audit
from pianobench.split import make_split

NOTHING = np.array([], dtype=np.int64)


def tune(seed: int, notes: int = 24) -> Notes:
    rng = np.random.default_rng(seed)
    onset = np.cumsum(rng.uniform(0.1, 0.5, notes))
    return Notes(
        onset=onset,
        offset=onset + rng.uniform(0.1, 0.4, notes),
        pitch=rng.integers(40, 80, notes),
        velocity=rng.integers(30, 100, notes),
        control_time=np.array([]),
        control_number=NOTHING,
        control_value=NOTHING,
    )


def first_notes(notes: Notes, count: int, later_s: float) -> Notes:
    return replace(
        notes,
        onset=notes.onset[:count] + later_s,
        offset=notes.offset[:count] + later_s,
        pitch=notes.pitch[:count],
        velocity=notes.velocity[:count],
    )


@pytest.fixture
def takes(tmp_path: Path) -> Corpus:
    """Six clips: long and half are one take cut twice; twin is a copy of other; machine is one."""
    played = {
        "half": first_notes(tune(1), 12, 3.0),
        "long": tune(1),
        "machine": tune(3),
        "other": tune(2),
        "twin": first_notes(tune(2), 24, 1.0),
        "alone": tune(4),
    }
    for name, notes in played.items():
        write_notes(tmp_path / f"{name}.mid", notes)
    excerpts = {"half": "e2", "long": "e1", "machine": "e1", "other": "e3", "twin": "e4"}
    passages = {"half": "s1", "long": "s1", "machine": "s1", "other": "s3", "twin": "s4"}
    works = {"half": "w1", "long": "w1", "machine": "w1", "other": "w2", "twin": "w3"}
    performers = {"half": "a", "long": "a", "machine": "Score", "other": "a", "twin": "b"}
    return Corpus(
        name="takes",
        version="1",
        clips=tuple(Clip(id=name, midi=tmp_path / f"{name}.mid") for name in played),
        dimensions=(Dimension("timing"),),
        targets=np.zeros((6, 1)),
        groups={
            "excerpt": tuple(excerpts.get(name, "e5") for name in played),
            "passage": tuple(passages.get(name, "s5") for name in played),
            "work": tuple(works.get(name, "w4") for name in played),
            "performer": tuple(performers.get(name, "c") for name in played),
        },
        human=np.array([name != "machine" for name in played]),
        raters=np.ones(6, dtype=np.int64),
    )


def split_of(corpus: Corpus, *folds: tuple[str, str]) -> Split:
    """Folds as pairs of training and test clips, their ids joined by spaces."""

    def indices(names: str) -> np.ndarray:
        return np.array([corpus.ids.index(name) for name in names.split()], dtype=np.int64)

    made = [Fold(str(i), indices(a), indices(b)) for i, (a, b) in enumerate(folds, start=1)]
    return Split("custom", (), tuple(made), "")


def counts(found: Audit) -> dict[str, tuple[int, int]]:
    return {leak.kind: (leak.test_clips, leak.pairs) for leak in found.leaks if leak.test_clips}


def leak(found: Audit, kind: str) -> Leak:
    return next(leak for leak in found.leaks if leak.kind == kind)


def test_one_take_cut_twice_is_found_on_either_side(takes: Corpus) -> None:
    for training, test in (("half", "long"), ("long", "half")):
        found = audit(takes, split_of(takes, (training, test)))
        assert counts(found) == {
            "passage": (1, 1),
            "contained": (1, 1),
            "recording": (1, 1),
            "performer": (1, 1),
            "missing": (5, 0),
        }
        example = leak(found, "contained").examples[0]
        assert (example.clip, example.fold, example.training) == (test, "1", training)


def test_clips_equal_note_for_note_are_found_under_other_names(takes: Corpus) -> None:
    found = audit(takes, split_of(takes, ("twin", "other"), ("alone", "twin")))
    assert counts(found) == {"identical": (1, 1), "missing": (4, 0)}
    assert [fault.kind for fault in found.faults] == ["identical"]


def test_a_machine_rendition_shares_music_but_has_no_performer(takes: Corpus) -> None:
    found = audit(takes, split_of(takes, ("long", "machine")))
    assert counts(found) == {"excerpt": (1, 1), "passage": (1, 1), "missing": (5, 0)}


def test_a_shared_performer_alone_is_no_fault(takes: Corpus) -> None:
    found = audit(takes, split_of(takes, ("long half", "other")))
    assert counts(found) == {"performer": (1, 2), "missing": (5, 0)}
    assert found.ok
    assert found.faults == ()


def test_a_clip_leaks_only_within_its_own_fold(takes: Corpus) -> None:
    found = audit(takes, split_of(takes, ("alone", "long"), ("twin", "half")))
    assert counts(found) == {"missing": (4, 0)}


def test_a_clip_on_both_sides_and_a_clip_scored_twice_are_faults(takes: Corpus) -> None:
    found = audit(takes, split_of(takes, ("alone twin", "twin"), ("alone", "twin long")))
    assert counts(found) == {"overlap": (1, 1), "twice": (1, 0), "missing": (4, 0)}
    assert [fault.kind for fault in found.faults] == ["overlap", "twice"]
    assert leak(found, "twice").examples[0].fold == "1, 2"


def test_unknown_clips_are_a_fault_and_missing_ones_are_said(takes: Corpus) -> None:
    split = replace(split_of(takes, ("alone", "long")), unknown=("x", "y"))
    found = audit(takes, split)
    assert counts(found) == {"unknown": (2, 0), "missing": (5, 0)}
    assert [fault.kind for fault in found.faults] == ["unknown"]
    assert "unknown: 2 named clips are not in the dataset" in found.text()


def test_counts_agree_with_a_loop_over_all_pairs(corpus: Corpus) -> None:
    split = make_split(corpus, "random")
    found = counts(audit(corpus, split))
    kinds = {"excerpt": ["passage"], "performer": ["performer"], "recording": ["performer", "work"]}
    for kind, of in kinds.items():
        pairs = [
            (i, j)
            for fold in split.folds
            for i in fold.test.tolist()
            for j in fold.train.tolist()
            if all(corpus.groups[g][i] == corpus.groups[g][j] for g in of)
            and (kind == "excerpt" or corpus.human[i])
        ]
        assert found[kind] == (len({i for i, _ in pairs}), len(pairs))


@given(st.permutations(range(48)))
@settings(deadline=None, max_examples=20)
def test_counts_do_not_depend_on_the_order_of_the_clips(order: list[int]) -> None:
    passages = [f"s{i // 6}" for i in range(48)]
    excerpts = [f"e{i // 3}" for i in range(48)]

    def made(order: list[int]) -> Corpus:
        return Corpus(
            name="made",
            version="1",
            clips=tuple(Clip(id=f"{i:02}", audio=Path("a.wav")) for i in order),
            dimensions=(Dimension("timing"),),
            targets=np.zeros((48, 1)),
            groups={
                "passage": tuple(passages[i] for i in order),
                "excerpt": tuple(excerpts[i] for i in order),
            },
            human=np.ones(48, dtype=np.bool_),
            raters=np.ones(48, dtype=np.int64),
        )

    straight, shuffled = made(list(range(48))), made(order)
    one = audit(straight, make_split(straight, "excerpt"))
    other = audit(shuffled, make_split(shuffled, "excerpt"))
    assert counts(one) == counts(other)


@pytest.mark.parametrize(
    ("protocol", "faults"),
    [
        ("piece", []),
        ("unseen", []),
        ("performer", ["excerpt", "passage"]),
        ("random", ["excerpt", "passage"]),
    ],
)
def test_protocols_leak_what_they_say(corpus: Corpus, protocol: str, faults: list[str]) -> None:
    found = audit(corpus, make_split(corpus, protocol))
    assert [fault.kind for fault in found.faults] == faults
    assert found.ok is not bool(faults)


def test_without_midi_the_notes_are_not_checked_and_that_is_said(takes: Corpus) -> None:
    heard = replace(takes.clips[0], midi=None, audio=Path("half.wav"))
    part = replace(takes, clips=(heard, *takes.clips[1:]))
    found = audit(part, split_of(part, ("other", "twin")))
    reason = "1 of 6 clips have no MIDI file"
    assert found.unchecked == {"contained": reason, "identical": reason}
    assert {"contained", "identical"}.isdisjoint(leak.kind for leak in found.leaks)
    text = found.text()
    assert "identical            not checked" in text
    assert text.endswith("No fault found. Nothing is known of: contained, identical.")


def test_an_unreadable_midi_file_is_a_reason_and_no_crash(takes: Corpus, tmp_path: Path) -> None:
    (tmp_path / "long.mid").write_bytes(b"no music")
    found = audit(takes, split_of(takes, ("half", "long")))
    assert "Cannot read the MIDI file" in found.unchecked["identical"]
    assert counts(found)["passage"] == (1, 1)


@pytest.mark.parametrize(
    ("absent", "unchecked"),
    [
        ("excerpt", ["excerpt"]),
        ("passage", ["passage"]),
        ("work", ["recording"]),
        ("performer", ["contained", "recording", "performer"]),
    ],
)
def test_without_a_kind_of_group_what_needs_it_is_not_checked(
    takes: Corpus, absent: str, unchecked: list[str]
) -> None:
    groups = {kind: of for kind, of in takes.groups.items() if kind != absent}
    found = audit(replace(takes, groups=groups), split_of(takes, ("twin", "other")))
    assert list(found.unchecked) == unchecked
    assert all(absent in reason for reason in found.unchecked.values())
    assert counts(found)["identical"] == (1, 1)


def test_the_text_counts_in_plain_words_and_the_json_survives_a_file(takes: Corpus) -> None:
    found = audit(takes, split_of(takes, ("half", "long alone"), ("long", "half")))
    assert "2 folds, 3 of 6 clips scored" in found.text()
    assert "passage: 2 of 3 test clips share music with training, such as long" in found.text()
    assert found.text().endswith("Faults found: passage, contained.")
    assert json.loads(json.dumps(found.as_json())) == found.as_json()
    assert found.as_json()["leaks"]["contained"] == {
        "fatal": True,
        "test_clips": 2,
        "pairs": 2,
        "examples": [
            {"clip": "long", "fold": "1", "training": "half"},
            {"clip": "half", "fold": "2", "training": "long"},
        ],
    }
