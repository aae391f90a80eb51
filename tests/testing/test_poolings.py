import numpy as np
import pytest

from pianobench import Pooling
from pianobench.testing import check_component


class GoodPooling(Pooling):
    """The mean over frames."""

    name = "good-pooling"

    def pool(self, frames):
        return frames.values.mean(axis=1)


class FlatPooling(GoodPooling):
    """Joins the layers."""

    def pool(self, frames):
        return super().pool(frames).ravel()


class SpreadPooling(GoodPooling):
    """Divides by frames less one."""

    def pool(self, frames):
        count = frames.values.shape[1]
        return frames.values.sum(axis=1) / (np.float32(count - 1) or np.float32("nan"))


class MixingPooling(GoodPooling):
    """Centres a layer by the others."""

    def pool(self, frames):
        pooled = super().pool(frames)
        return pooled - pooled.mean(axis=0)


class RandomPooling(GoodPooling):
    """Samples the frames."""

    def pool(self, frames):
        return super().pool(frames) + np.random.default_rng().normal()


class MutatingPooling(GoodPooling):
    """Rectifies in place."""

    def pool(self, frames):
        np.abs(frames.values, out=frames.values)
        return super().pool(frames)


class LearnedPooling(Pooling):
    """Trained with a head."""

    name = "learned-pooling"

    def network(self, width):
        raise AssertionError("not asked for here")


FAULTS = {
    FlatPooling: {"pools every layer"},
    SpreadPooling: {"gives one width for any length"},
    MixingPooling: {"pools each layer on its own"},
    RandomPooling: {"gives the same every time", "pools each layer on its own"},
    MutatingPooling: {"leaves the frames alone"},
}


def test_a_pooling_that_keeps_its_contract_fails_no_check(failed):
    assert failed(GoodPooling()) == set()


@pytest.mark.parametrize("faulty", FAULTS)
def test_a_pooling_that_breaks_it_fails_the_checks_of_what_it_breaks(failed, faulty):
    assert failed(faulty()) == FAULTS[faulty]


def test_a_learned_pooling_is_not_run():
    checks = {c.name: c for c in check_component(LearnedPooling())}
    assert checks["pools every layer"].passed is None
    assert "trained with a head" in checks["leaves the frames alone"].detail
