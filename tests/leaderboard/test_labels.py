"""Labels as a file: exactly the corpus that rows name by its digest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pianobench import Corpus
from pianobench.errors import ResultError
from pianobench.leaderboard.labels import read_all_labels, read_labels, write_labels


def test_labels_are_read_back_to_the_last_digit(corpus: Corpus, tmp_path: Path) -> None:
    path = write_labels(tmp_path, corpus, "MIT", "somebody")
    labels = read_labels(path)
    assert labels.corpus.digest == corpus.digest
    assert (labels.corpus.targets == corpus.targets).all()
    assert labels.corpus.dimensions == corpus.dimensions
    assert (labels.licence, labels.citation) == ("MIT", "somebody")
    assert list(read_all_labels(tmp_path)) == [corpus.digest]


def test_labels_that_are_there_stay_and_others_of_that_version_are_refused(
    corpus: Corpus, tmp_path: Path
) -> None:
    path = write_labels(tmp_path, corpus, "MIT", "somebody")
    before = path.read_bytes()
    assert write_labels(tmp_path, corpus, "MIT", "somebody") == path
    assert path.read_bytes() == before
    with pytest.raises(ResultError, match="give the dataset another version"):
        write_labels(tmp_path, replace(corpus, raters=corpus.raters + 1), "MIT", "somebody")


def test_an_edited_file_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    path = write_labels(tmp_path, corpus, "MIT", "somebody")
    given = json.loads(path.read_text())
    given["clips"][3]["labels"][0] += 1e-9
    path.write_text(json.dumps(given))
    with pytest.raises(ResultError, match="changed after it was written"):
        read_labels(path)
    path.write_text("{}")
    with pytest.raises(ResultError, match="schema version None"):
        read_labels(path)
    path.write_text('{"schema_version": 1}')
    with pytest.raises(ResultError, match="Cannot read the labels"):
        read_labels(path)
