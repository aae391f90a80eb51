from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pianobench.errors import UsageError
from pianobench.layers import merge, select_layers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9-12", (9, 10, 11, 12)),
        ("1,4,9-12", (1, 4, 9, 10, 11, 12)),
        ("all", tuple(range(13))),
        ("last", (12,)),
        ("0", (0,)),
        ("5-5", (5,)),
        (" 3 , 1 - 2 ", (1, 2, 3)),
        ("4,2,4,3-4", (2, 3, 4)),
    ],
)
def test_layers_are_read_ascending_and_each_once(text: str, expected: tuple[int, ...]) -> None:
    assert select_layers(text, "muq", 12) == expected


def test_an_encoder_with_only_an_embedding_has_layer_0() -> None:
    assert select_layers("last", "mel", 0) == select_layers("all", "mel", 0) == (0,)


@pytest.mark.parametrize("text", ["13", "9-13", "12-9", "0,1,40"])
def test_layers_that_do_not_exist_are_refused_with_the_encoder_and_its_range(text: str) -> None:
    with pytest.raises(UsageError, match=r"'muq' has layers 0\s+to 12"):
        select_layers(text, "muq", 12)


@pytest.mark.parametrize("text", ["", "a", "1;2", "-1", "1-", "1--2", "1.5", "first", "1,,2", "²"])
def test_text_that_is_no_choice_of_layers_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="'muq' has layers 0 to 12"):
        select_layers(text, "muq", 12)


@settings(deadline=None)
@given(st.sets(st.integers(0, 24), min_size=1))
def test_writing_layers_and_reading_them_gives_them_back(chosen: set[int]) -> None:
    text = ",".join(str(layer) for layer in chosen)
    assert select_layers(text, "mert", 24) == tuple(sorted(chosen))


def test_concatenation_puts_layers_side_by_side_in_order_of_their_number() -> None:
    layers = {4: np.array([[3.0, 4.0], [7.0, 8.0]]), 1: np.array([[1.0], [5.0]])}
    assert merge(layers, "concat").tolist() == [[1.0, 3.0, 4.0], [5.0, 7.0, 8.0]]


def test_the_mean_of_layers_is_taken_in_double_precision() -> None:
    layers = {k: np.full((2, 3), v, dtype=np.float32) for k, v in enumerate((0.1, 0.2, 0.4))}
    averaged = merge(layers, "mean")
    expected = (np.float64(np.float32(0.1)) + np.float32(0.2) + np.float32(0.4)) / 3
    assert averaged.dtype == np.float64
    np.testing.assert_allclose(averaged, np.full((2, 3), expected), rtol=1e-15)


def test_layers_of_different_widths_cannot_be_averaged() -> None:
    layers = {0: np.zeros((4, 2)), 1: np.zeros((4, 3))}
    with pytest.raises(UsageError, match=r"widths \[2, 3\] and cannot be averaged"):
        merge(layers, "mean")
    with pytest.raises(UsageError, match=r"widths \[2, 3\] and cannot be weighted"):
        merge(layers, "weighted")


def test_layers_whose_weights_are_learned_stay_side_by_side() -> None:
    layers = {4: np.array([[3.0, 4.0]]), 1: np.array([[1.0, 2.0]])}
    assert merge(layers, "weighted").tolist() == merge(layers, "concat").tolist()


def test_an_encoder_with_one_state_says_so() -> None:
    with pytest.raises(UsageError, match=r"ask for '1', but encoder 'mel' has layer 0 only\.$"):
        select_layers("1", "mel", 0)
