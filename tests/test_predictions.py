"""Predictions as a file: read back as written, and refused where they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pianobench import Corpus
from pianobench.errors import ResultError
from pianobench.evaluate import OutOfFold
from pianobench.predictions import read_predictions, write_predictions


def test_predictions_read_back_as_written_to_six_decimals(
    tmp_path: Path, corpus: Corpus, predicted: OutOfFold
) -> None:
    write_predictions(tmp_path / "p.csv", corpus, predicted)
    again = read_predictions(tmp_path / "p.csv", corpus)
    np.testing.assert_array_equal(again.clips, np.arange(48))
    np.testing.assert_array_equal(again.folds, predicted.folds)
    np.testing.assert_allclose(again.values, predicted.values, atol=5.1e-7)


def test_clips_that_no_fold_scores_are_left_out_of_the_file(
    tmp_path: Path, corpus: Corpus, predicted: OutOfFold
) -> None:
    predicted.folds[5] = ""
    write_predictions(tmp_path / "p.csv", corpus, predicted)
    again = read_predictions(tmp_path / "p.csv", corpus)
    assert 5 not in again.clips
    assert len(again.clips) == 47


@pytest.mark.parametrize(
    ("change", "to", "message"),
    [
        ("p0_Score", "p0_Skore", "does not have"),
        ("timing", "timeing", "has the columns"),
        ("p0_a,", "p0_b,", "exactly once"),
    ],
)
def test_a_file_that_does_not_fit_the_corpus_is_refused(
    stored: Path, corpus: Corpus, change: str, to: str, message: str
) -> None:
    path = stored / "predictions-piece.csv"
    text = path.read_text()
    assert change in text
    path.write_text(text.replace(change, to, 1))
    with pytest.raises(ResultError, match=message):
        read_predictions(path, corpus)
