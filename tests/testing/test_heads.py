from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from pianobench import Head, NetworkHead
from pianobench.testing import check_component


class GoodHead(Head):
    """Ridge with a fixed penalty."""

    name = "good-head"

    def fit(self, x, y, groups, seed, sample_weight=None):
        weight = np.ones(len(x)) if sample_weight is None else sample_weight
        mean = np.average(x, axis=0, weights=weight)
        offset = np.average(y, axis=0, weights=weight)
        z = (x - mean) * weight[:, None]
        slope = np.linalg.solve(z.T @ (x - mean) + np.eye(x.shape[1]), z.T @ (y - offset))
        return Fitted(lambda new: (new - mean) @ slope + offset)


class Fitted:
    def __init__(self, predict: Callable[[Any], Any], selected: Any = None) -> None:
        self.predict = predict
        self.selected = selected or {}


class NanHead(GoodHead):
    """Predicts nothing."""

    def fit(self, x, y, groups, seed, sample_weight=None):
        return Fitted(lambda new: np.full((len(new), y.shape[1]), np.nan))


class FlatHead(GoodHead):
    """Drops the axis of a single dimension."""

    def fit(self, x, y, groups, seed, sample_weight=None):
        good = super().fit(x, y, groups, seed, sample_weight)
        return Fitted(lambda new: good.predict(new)[:, 0] if y.shape[1] == 1 else good.predict(new))


class OpaqueHead(GoodHead):
    """Selected something that is not JSON."""

    def fit(self, x, y, groups, seed, sample_weight=None):
        good = super().fit(x, y, groups, seed, sample_weight)
        return Fitted(good.predict, {"penalty": np.float32(1)})


class RandomHead(GoodHead):
    """Draws from a generator that no seed reaches."""

    def fit(self, x, y, groups, seed, sample_weight=None):
        noise = np.random.default_rng().normal()
        good = super().fit(x, y, groups, seed, sample_weight)
        return Fitted(lambda new: good.predict(new) + noise)


class QuietlySeededHead(GoodHead):
    """Uses the seed without being declared stochastic."""

    def fit(self, x, y, groups, seed, sample_weight=None):
        good = super().fit(x, y, groups, seed, sample_weight)
        return Fitted(lambda new: good.predict(new) + seed)


class OrderedHead(GoodHead):
    """Trains on the first half only."""

    def fit(self, x, y, groups, seed, sample_weight=None):
        weight = None if sample_weight is None else sample_weight[:30]
        return super().fit(x[:30], y[:30], groups, seed, weight)


class TransductiveHead(GoodHead):
    """Centres the clips it predicts."""

    def fit(self, x, y, groups, seed, sample_weight=None):
        good = super().fit(x, y, groups, seed, sample_weight)
        return Fitted(lambda new: good.predict(new - new.mean(0)))


class WeightlessHead(GoodHead):
    """Fails where it is given weights."""

    def fit(self, x, y, groups, seed, sample_weight=None):
        if sample_weight is not None:
            raise TypeError("what are weights?")
        return super().fit(x, y, groups, seed)


class ScalingHead(GoodHead):
    """Divides by a standard deviation of nothing."""

    def fit(self, x, y, groups, seed, sample_weight=None):
        with np.errstate(all="ignore"):
            scale = np.where(np.ptp(x, axis=0) == 0, 0, 1)
            return Fitted(lambda new: np.full((len(new), y.shape[1]), (1 / scale).sum() / np.inf))


class MutatingHead(GoodHead):
    """Centres the labels in place."""

    def fit(self, x, y, groups, seed, sample_weight=None):
        y -= y.mean(0)
        return Fitted(lambda new: np.zeros((len(new), y.shape[1])))


FAULTS = {
    NanHead: {"fits and predicts"},
    FlatHead: {"predicts a single dimension"},
    OpaqueHead: {"tells what it selected"},
    RandomHead: {
        "gives the same with the same seed",
        "depends on the seed only where it says so",
        "does not depend on the order of clips",
        "takes weights",
    },
    QuietlySeededHead: {"depends on the seed only where it says so"},
    OrderedHead: {"does not depend on the order of clips"},
    TransductiveHead: {"predicts each clip on its own"},
    WeightlessHead: {"takes weights", "leaves its inputs alone"},
    ScalingHead: {"bears constant features"},
    MutatingHead: {"leaves its inputs alone"},
}


def test_a_head_that_keeps_its_contract_fails_no_check(failed):
    assert failed(GoodHead()) == set()


@pytest.mark.parametrize("faulty", FAULTS)
def test_a_head_that_breaks_it_fails_the_checks_of_what_it_breaks(failed, faulty):
    assert failed(faulty()) == FAULTS[faulty]


def test_a_network_head_is_trained_by_the_harness():
    torch = pytest.importorskip("torch", reason="torch is not installed")

    class Network(NetworkHead):
        """One layer."""

        name: ClassVar[str] = "network"

        def network(self, width, dimensions):
            return torch.nn.Linear(width, dimensions)

    checks = {c.name: c for c in check_component(Network(epochs=3))}
    failed = {name for name, c in checks.items() if c.passed is False}
    # A class defined inside a function cannot travel.
    assert failed == {"travels to other processes"}
    assert checks["fits and predicts"].passed
