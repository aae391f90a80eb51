"""Arrays and words come back as they were, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from pianobench.array_files import read_arrays, write_arrays
from pianobench.errors import StoreError

ARRAYS = {
    "flags": np.array([True, False]),
    "counts": np.arange(6)[::2],
    "times": np.array([0.1, np.inf]),
    "none": np.zeros(0),
}


def test_arrays_and_words_come_back_with_their_kinds(tmp_path):
    write_arrays(tmp_path / "deep" / "a", ARRAYS, {"why": "ü"})
    stored = read_arrays(tmp_path / "deep" / "a")
    assert stored.words == {"why": "ü"}
    assert stored.arrays.keys() == ARRAYS.keys()
    for name, values in ARRAYS.items():
        assert stored.arrays[name].dtype == values.dtype
        np.testing.assert_array_equal(stored.arrays[name], values)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a"]


def test_a_file_that_is_absent_or_cut_short_is_as_if_it_were_not_there(tmp_path):
    path = tmp_path / "a"
    assert read_arrays(path) is None
    write_arrays(path, ARRAYS)
    whole = path.read_bytes()
    for size in (0, 4, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert read_arrays(path) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"Cannot write .*file.*choose another cache"):
        write_arrays(tmp_path / "file" / "a", ARRAYS)
