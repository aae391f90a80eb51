from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pianobench import Frames, Pooling
from pianobench.errors import EncodingError, UnknownNameError, UsageError
from pianobench.plugins import Registry
from pianobench.pooling import create_pooling, pool

PLUGIN = """
from pianobench import Pooling, hookimpl


class Scaled(Pooling):
    name = "scaled"
    factor: float = 2.0

    def pool(self, frames):
        return self.factor * frames.values.mean(axis=1)


class AlsoScaled(Scaled):
    name = "also-scaled"


class First(Pooling):
    name = "first"

    def pool(self, frames):
        return frames.values[:, 0]


@hookimpl
def bench_components():
    return [Scaled, AlsoScaled, First]
"""


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    path = tmp_path / "three_poolings.py"
    path.write_text(PLUGIN)
    return Registry(files=[path], entries=[])


@pytest.fixture
def frames() -> Frames:
    values = np.random.default_rng(3).normal(size=(2, 5, 3)).astype(np.float32)
    return Frames(values, np.arange(5.0), {})


def test_a_single_name_is_the_pooling_itself(registry: Registry) -> None:
    single = create_pooling(registry, "scaled", {"factor": 3.0})
    assert (single.name, single.options) == ("scaled", {"factor": 3.0})


def test_joined_poolings_stand_side_by_side_in_the_order_named(
    registry: Registry, frames: Frames
) -> None:
    joined = create_pooling(registry, "first+scaled", {"factor": 4.0})
    expected = np.hstack([frames.values[:, 0], 4 * frames.values.mean(axis=1)])
    assert joined.name == "first+scaled"
    np.testing.assert_allclose(pool(joined, frames), expected, rtol=1e-6)


def test_its_options_make_a_joined_pooling_again(registry: Registry) -> None:
    joined = create_pooling(registry, "first+scaled", {"factor": 4.0})
    assert joined.options == {"factor": 4.0}
    assert create_pooling(registry, joined.name, joined.options) == joined


def test_a_joined_pooling_travels_between_processes(registry: Registry, frames: Frames) -> None:
    joined = create_pooling(registry, "scaled+first")
    again = pickle.loads(pickle.dumps(joined))
    assert again.name == "scaled+first"
    np.testing.assert_array_equal(again.pool(frames), joined.pool(frames))


def test_an_option_that_no_part_has_is_refused_with_the_nearest(registry: Registry) -> None:
    with pytest.raises(UnknownNameError, match=r"pooling 'first\+scaled' .*Did you mean 'factor'"):
        create_pooling(registry, "first+scaled", {"factr": 4.0})


def test_an_unknown_part_is_refused(registry: Registry) -> None:
    with pytest.raises(UnknownNameError, match="no pooling named 'medium'"):
        create_pooling(registry, "first+medium")


def test_a_part_named_twice_is_refused(registry: Registry) -> None:
    with pytest.raises(UsageError, match="names a part twice"):
        create_pooling(registry, "first+scaled+first")


def test_parts_whose_options_share_a_name_are_refused(registry: Registry) -> None:
    with pytest.raises(UsageError, match="'scaled' and 'also-scaled' both have an option 'factor'"):
        create_pooling(registry, "scaled+also-scaled")


@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 0), (2, 3, 1)])
def test_a_pooling_that_returns_another_shape_is_refused(
    shape: tuple[int, ...], frames: Frames
) -> None:
    class Wrong(Pooling):
        name = "wrong"

        def pool(self, frames: Frames) -> Any:
            return np.zeros(shape)

    with pytest.raises(EncodingError, match="pooling 'wrong' returned shape"):
        pool(Wrong(), frames)


def test_poolings_side_by_side_are_linear_where_all_are() -> None:
    registry = Registry()
    assert create_pooling(registry, "mean").linear
    assert not create_pooling(registry, "mean+max").linear
