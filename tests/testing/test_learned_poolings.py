import sys

import pytest

from pianobench import Pooling
from pianobench.testing import check_component

torch = pytest.importorskip("torch", reason="torch is not installed")


class Network(torch.nn.Module):
    def __init__(self, pool):
        super().__init__()
        self.weigh = torch.nn.Linear(6, 1)
        self.pool = pool

    def forward(self, values, mask, levels):
        return self.pool(self, values, mask)


def attend(network, values, mask):
    score = network.weigh(values).squeeze(2).masked_fill(~mask, -torch.inf)
    return (torch.softmax(score, 1)[:, :, None] * values).sum(1)


class GoodLearnedPooling(Pooling):
    """Attention over the frames that are there."""

    name = "good-learned-pooling"

    def network(self, width):
        return Network(attend)


class FramewisePooling(GoodLearnedPooling):
    """Keeps the frames."""

    def network(self, width):
        return Network(lambda network, values, mask: values * network.weigh(values))


class UnmaskedPooling(GoodLearnedPooling):
    """Averages over the padding, too."""

    def network(self, width):
        return Network(lambda network, values, mask: (values * network.weigh(values)).mean(1))


class ComparingPooling(GoodLearnedPooling):
    """Centres on the other clips of the batch."""

    def network(self, width):
        def pool(network, values, mask):
            pooled = attend(network, values, mask)
            return pooled - pooled.mean(0)

        return Network(pool)


class LevelledNetwork(Network):
    def forward(self, values, mask, levels):
        return attend(self, values, mask) + self.pool(self, values, mask, levels)


class UnmaskedLevelsPooling(GoodLearnedPooling):
    """Counts the beats in the padding, too."""

    def network(self, width):
        def count(network, values, mask, levels):
            return levels["beat"].amax(1, keepdim=True)

        return LevelledNetwork(count)


class DensePooling(GoodLearnedPooling):
    """Averages beats as if each of them had a frame."""

    def network(self, width):
        def average(network, values, mask, levels):
            beats = torch.nn.functional.one_hot(levels["beat"] * mask) * mask[:, :, None]
            present = torch.arange(beats.shape[2]) <= (levels["beat"] * mask).amax(1, True)
            means = beats.mT.to(values.dtype) @ values / beats.sum(1)[:, :, None]
            return torch.where(present[:, :, None], means, 0).sum(1)

        return LevelledNetwork(average)


class UnusedPooling(GoodLearnedPooling):
    """Has a layer that nothing goes through."""

    def network(self, width):
        network = Network(attend)
        network.unused = torch.nn.Linear(2, 2)
        return network


class OwnRandomPooling(GoodLearnedPooling):
    """Draws its weights from a generator of its own."""

    def network(self, width):
        network = Network(attend)
        torch.nn.init.normal_(network.weigh.weight, generator=_GENERATOR)
        return network


_GENERATOR = torch.Generator().manual_seed(8)

FAULTS = {
    FramewisePooling: {"pools clips of any length"},
    UnmaskedPooling: {"ignores padding", "pools each clip on its own"},
    ComparingPooling: {"pools each clip on its own"},
    UnmaskedLevelsPooling: {"ignores padding"},
    DensePooling: {"pools clips of any length"},
    UnusedPooling: {"can be trained"},
    OwnRandomPooling: {"gives the same with the same seed"},
}


def failed(pooling):
    return {check.name for check in check_component(pooling) if check.passed is False}


def test_a_good_pooling_passes_every_check():
    assert all(check.passed for check in check_component(GoodLearnedPooling()))


@pytest.mark.parametrize("faulty", FAULTS)
def test_each_fault_is_found_by_its_check(faulty):
    assert failed(faulty()) == FAULTS[faulty]


def test_without_torch_nothing_is_run(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    checks = {check.name: check for check in check_component(GoodLearnedPooling())}
    assert checks["ignores padding"].passed is None
    assert "needs torch" in checks["ignores padding"].detail
