import numpy as np
import pytest

from pianobench import Pooling


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


class LinearMaximum(GoodPooling):
    """Says that the maximum of a mixture is the mixture of maxima."""

    linear = True

    def pool(self, frames):
        return frames.values.max(axis=1)


class MutatingPooling(GoodPooling):
    """Rectifies in place."""

    def pool(self, frames):
        np.abs(frames.values, out=frames.values)
        return super().pool(frames)


FAULTS = {
    FlatPooling: {"pools every layer"},
    SpreadPooling: {"gives one width for any length"},
    MixingPooling: {"pools each layer on its own"},
    RandomPooling: {"gives the same every time", "pools each layer on its own"},
    MutatingPooling: {"leaves the frames alone"},
    LinearMaximum: {"commutes with weighting layers"},
}


def test_a_pooling_that_keeps_its_contract_fails_no_check(failed):
    assert failed(GoodPooling()) == set()


@pytest.mark.parametrize("faulty", FAULTS)
def test_a_pooling_that_breaks_it_fails_the_checks_of_what_it_breaks(failed, faulty):
    assert failed(faulty()) == FAULTS[faulty]
