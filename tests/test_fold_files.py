"""Fold files: every form users have, taken as it stands, and refused where it cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pianobench import Corpus, Split
from pianobench.errors import SplitError
from pianobench.fold_files import CUSTOM, read_folds, require_sound, write_folds
from pianobench.split import make_split


def written(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def ids_of(split: Split, corpus: Corpus) -> list[tuple[str, list[str], list[str]]]:
    ids = np.array(corpus.ids)
    return [(f.name, ids[f.train].tolist(), ids[f.test].tolist()) for f in split.folds]


@pytest.fixture
def halves(corpus: Corpus) -> tuple[list[str], list[str]]:
    return list(corpus.ids[:24]), list(corpus.ids[24:])


def test_all_forms_of_the_same_folds_read_alike(
    corpus: Corpus, halves: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    one, other = halves
    forms = {
        "val.json": [{"train": other, "val": one}, {"train": one, "val": other}],
        "test.json": [{"train": other, "test": one}, {"train": one, "test": other}],
        "lists.json": {"fold_1": one, "fold_2": other},
        "table.csv": "clip,fold\n" + "".join(f"{c},{1 + (c in other)}\n" for c in corpus.ids),
        "more.csv": "fold,clip,note\n" + "".join(f"{1 + (c in other)},{c},x\n" for c in corpus.ids),
    }
    splits = [read_folds(written(tmp_path / n, form), corpus) for n, form in forms.items()]
    assert {split.digest for split in splits} == {splits[0].digest}
    for split in splits:
        assert split.protocol == CUSTOM
        assert [(a, b) for _, a, b in ids_of(split, corpus)] == [(other, one), (one, other)]


def test_clips_that_no_list_names_are_neither_trained_on_nor_scored(
    corpus: Corpus, tmp_path: Path
) -> None:
    a, b, c, *_ = corpus.ids
    split = read_folds(written(tmp_path / "f.json", {"x": [a], "y": [b, c]}), corpus)
    assert ids_of(split, corpus) == [("x", [b, c], [a]), ("y", [a], [b, c])]


def test_ids_that_the_corpus_lacks_are_kept_apart(corpus: Corpus, tmp_path: Path) -> None:
    path = written(tmp_path / "f.json", {"x": [corpus.ids[0], "nobody"], "y": [corpus.ids[1]]})
    split = read_folds(path, corpus)
    assert split.unknown == ("nobody",)
    with pytest.raises(SplitError, match=r"name 1 clips .* such as 'nobody'"):
        require_sound(split, corpus)


def test_a_grid_trains_on_what_differs_in_both_coordinates(corpus: Corpus, tmp_path: Path) -> None:
    split = make_split(corpus, "unseen")
    write_folds(tmp_path / "unseen.json", split, corpus)
    again = read_folds(tmp_path / "unseen.json", corpus)
    assert ids_of(again, corpus) == ids_of(split, corpus)
    listed = [
        c
        for cell in json.loads((tmp_path / "unseen.json").read_text())["fold"].values()
        for c in cell
    ]
    assert sorted(listed) == sorted(corpus.ids)


def test_a_file_that_claims_to_be_a_protocol_is_a_users_file_all_the_same(
    corpus: Corpus, tmp_path: Path
) -> None:
    write_folds(tmp_path / "piece.json", make_split(corpus, "piece"), corpus)
    split = read_folds(tmp_path / "piece.json", corpus)
    assert (split.protocol, split.unit) == (CUSTOM, ())


def test_an_edited_file_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "piece.json"
    write_folds(path, make_split(corpus, "piece"), corpus)
    content = json.loads(path.read_text())
    content["fold"]["2"].append(content["fold"]["1"].pop())
    with pytest.raises(SplitError, match="it was edited"):
        read_folds(written(path, content), corpus)


def test_folds_whose_training_does_not_follow_are_not_written(
    corpus: Corpus, halves: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    one, other = halves
    content = [{"train": other[1:], "val": one}, {"train": one, "val": other}]
    split = read_folds(written(tmp_path / "f.json", content), corpus)
    with pytest.raises(SplitError, match="do not train on all clips of the other folds"):
        write_folds(tmp_path / "g.json", split, corpus)
    assert not (tmp_path / "g.json").exists()


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("f.json", "[{", "Expecting"),
        ("f.json", "3", "TypeError"),
        ("f.json", [{"train": ["p0_a"]}], "KeyError: 'val'"),
        ("f.json", [["p0_a"]], "TypeError"),
        ("f.json", {"fold_1": "p0_a"}, "'p0_a' is not a list of clip ids"),
        ("f.json", {"fold_1": [1, 2]}, "is not a list of clip ids"),
        ("f.json", {"protocol": "piece"}, "KeyError: 'digest'"),
        ("f.csv", "name,fold\np0_a,1\n", "lacks a clip or a fold"),
        ("f.csv", "clip,fold\np0_a\n", "lacks a clip or a fold"),
    ],
)
def test_an_unreadable_file_is_refused_with_the_forms_that_are_expected(
    corpus: Corpus, tmp_path: Path, name: str, content: Any, why: str
) -> None:
    path = written(tmp_path / name, content)
    with pytest.raises(SplitError, match=rf"Cannot read folds .*{why}(.|\n)*Expected CSV"):
        read_folds(path, corpus)


def test_an_absent_file_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="No such file"):
        read_folds(tmp_path / "none.json", corpus)


@pytest.mark.parametrize("content", [{"x": ["p0_a.mid"]}, {}, []])
def test_folds_that_score_no_clip_of_the_corpus_are_refused(
    corpus: Corpus, tmp_path: Path, content: Any
) -> None:
    with pytest.raises(SplitError, match="score no clip of dataset 'small'"):
        read_folds(written(tmp_path / "f.json", content), corpus)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ([{"train": [0, 1], "val": [1]}], r"used in fold '1' more than once, such as 'p0_a'"),
        ([{"train": [0, 0], "val": [1]}], r"used in fold '1' more than once, such as 'p0_Score'"),
        ([{"train": [0], "val": [1, 1]}], r"used in fold '1' more than once, such as 'p0_a'"),
        ([{"train": [0], "val": [1]}, {"train": [2], "val": [1]}], r"scored more than once"),
        ([{"train": [], "val": [1]}], r"trains on 0 clips and scores 1"),
        ([{"train": [1], "val": []}, {"train": [0], "val": [1]}], r"trains on 1 clips and scores"),
    ],
)
def test_folds_that_cannot_be_scored_are_read_but_not_sound(
    corpus: Corpus, tmp_path: Path, content: list[dict[str, list[int]]], why: str
) -> None:
    named = [{side: [corpus.ids[i] for i in of] for side, of in e.items()} for e in content]
    split = read_folds(written(tmp_path / "f.json", named), corpus)
    with pytest.raises(SplitError, match=why):
        require_sound(split, corpus)
