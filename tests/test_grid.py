"""Grids: every combination once, and what is wrong with one before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianobench.errors import UnknownNameError, UsageError
from pianobench.grid import Grid, find_grid, read_grid, ready_grids

BASE = {"dataset": "demo", "encoder": "mel"}


def test_cells_are_all_combinations_the_first_list_varying_slowest() -> None:
    grid = Grid("g", BASE, {"layers": ["1", "2-3"], "head": ["ridge", "mlp"]})
    cells = grid.cells()
    assert [str(cell) for cell in cells] == [
        "layers=1, head=ridge",
        "layers=1, head=mlp",
        "layers=2-3, head=ridge",
        "layers=2-3, head=mlp",
    ]
    assert cells[3].config.layers == "2-3"
    assert cells[3].config.head is not None
    assert cells[3].config.head.name == "mlp"
    assert cells[3].config.protocols == ("piece",)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_there_are_as_many_cells_as_the_product_of_the_lists_and_all_differ(
    sizes: list[int],
) -> None:
    vary = {f"head.option{i}": list(range(size)) for i, size in enumerate(sizes)}
    cells = Grid("g", {**BASE, "head": "mlp"}, vary).cells()
    expected = 1
    for size in sizes:
        expected *= size
    assert len({cell.config.digest for cell in cells}) == len(cells) == expected


def test_an_option_reaches_its_component_whichever_way_that_is_named() -> None:
    grid = Grid(
        "g",
        {**BASE, "head.alpha": 3},
        {"head": ["a", {"name": "b", "beta": 1}], "encoder.bands": [8, 16]},
    )
    first, *_, last = grid.cells()
    assert first.config.head is not None
    assert last.config.head is not None
    assert first.config.head.options == {"alpha": 3}
    assert last.config.head.options == {"beta": 1, "alpha": 3}
    assert (first.config.encoder.options, last.config.encoder.options) == (
        {"bands": 8},
        {"bands": 16},
    )
    assert str(last) == "head=b beta=1, encoder.bands=16"


def test_what_is_asked_for_replaces_what_the_grid_says() -> None:
    grid = Grid("g", BASE, {"layers": ["1", "2"], "seeds": [1, 5]})
    asked = grid.with_settings({"layers": ["3"], "encoder": ["muq", "mert"], "head": ["mlp"]})
    assert asked.fixed == {"dataset": "demo", "layers": "3", "head": "mlp"}
    assert asked.vary == {"seeds": [1, 5], "encoder": ("muq", "mert")}
    assert [len(cell.config.seeds) for cell in asked.cells()] == [1, 1, 5, 5]


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({}, "is empty: nothing varies"),
        ({"layers": []}, r"is empty: layers varies over \[\]"),
        ({"layers": "1-4"}, "layers varies over '1-4'"),
        ({"layers": ["1", "1"]}, "lists a value of layers twice"),
        ({"dataset": ["demo", "percepiano"]}, "Cells are compared on the same clips"),
        ({"protocols": [["piece"], ["work"]]}, "give one protocols for all"),
        ({"seeds": [0]}, r"sets seeds to 0"),
        ({"layer": ["1"]}, "Did you mean 'layers'"),
        ({"heads.alpha": [1]}, "no part of a run .* named 'heads'"),
        ({"head.alpha": [1, 2]}, "name the head with --head"),
    ],
)
def test_a_grid_that_cannot_be_run_says_why(vary: dict[str, list[object]], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Grid("g", BASE, vary).cells()


def test_a_grid_without_encoder_is_refused() -> None:
    with pytest.raises(UsageError, match="names no encoder"):
        Grid("g", {}, {"layers": ["1", "2"]}).cells()


def test_a_file_holds_settings_a_question_and_lists(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'about = "Why?"\nencoder = "mel"\n[head]\nname = "mlp"\nhidden = 8\n'
        '[vary]\npooling = ["mean", "max"]\n"head.dropout" = [0.0, 0.5]\n'
    )
    grid = find_grid(str(path))
    assert (grid.name, grid.about) == ("mine", "Why?")
    cells = grid.cells()
    assert len(cells) == 4
    assert cells[-1].config.head is not None
    assert cells[-1].config.head.options == {"hidden": 8, "dropout": 0.5}
    assert cells[-1].config.dataset.name == "percepiano"


def test_a_file_that_is_no_grid_says_so(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('encoder = "mel"\nvary = ["mean"]\n')
    with pytest.raises(UsageError, match="it must be a table of lists"):
        read_grid(path)
    with pytest.raises(UsageError, match="Cannot read"):
        find_grid(str(tmp_path / "absent.toml"))
    with pytest.raises(UnknownNameError, match="Did you mean 'layers-muq'"):
        find_grid("layer-muq")


@pytest.mark.parametrize("name", ready_grids())
def test_a_ready_grid_asks_a_question_and_has_cells(name: str) -> None:
    grid = find_grid(name)
    assert grid.about.endswith(("?", "."))
    assert len(grid.cells()) > 1
