"""Losses against independent formulas, and on batches that tell nothing."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import huber as scipy_huber
from sklearn.metrics import log_loss, mean_squared_error

from pianobench import NetworkHead
from pianobench.losses import loss_of
from pianobench.metrics import concordance

torch = pytest.importorskip("torch", reason="torch is not installed")

Floats = NDArray[np.float64]
LOSSES = ("mse", "ccc", "hybrid", "huber", "rank")


class AnyHead(NetworkHead):
    """Has the options, and no network."""

    name: ClassVar[str] = "any"


def batch(clips: int = 12, dimensions: int = 3) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    random = np.random.default_rng(clips)
    labels = random.normal(size=(clips, dimensions))
    predicted = 0.5 * labels + random.normal(size=(clips, dimensions)) + 0.2
    weight = random.uniform(0.5, 2, size=clips)
    return predicted, labels, weight / weight.mean(), random.integers(0, 3, size=clips)


def value(predicted, labels, weight, passages, **options) -> float:
    given = (torch.from_numpy(a) for a in (predicted, labels, weight, passages))
    return float(loss_of(AnyHead(**options))(*given))


def gradient(predicted, labels, weight, passages, **options) -> Floats:
    variable = torch.from_numpy(predicted).requires_grad_()
    fixed = (torch.from_numpy(a) for a in (labels, weight, passages))
    loss_of(AnyHead(**options))(variable, *fixed).backward()
    return variable.grad.numpy()


def test_the_squared_error_is_that_of_scikit_learn() -> None:
    predicted, labels, weight, passages = batch()
    expected = mean_squared_error(labels, predicted, sample_weight=weight)
    assert value(predicted, labels, weight, passages) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("delta", [0.3, 1.0, 50.0])
def test_huber_is_that_of_scipy(delta: float) -> None:
    predicted, labels, weight, passages = batch()
    by_clip = scipy_huber(delta, predicted - labels).mean(axis=1)
    found = value(predicted, labels, weight, passages, loss="huber", huber_delta=delta)
    assert found == pytest.approx(np.average(by_clip, weights=weight), abs=1e-12)


def test_concordance_is_one_minus_the_metric() -> None:
    predicted, labels, _, passages = batch()
    expected = 1 - np.mean(concordance(labels, predicted))
    found = value(predicted, labels, np.ones(len(labels)), passages, loss="ccc")
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_clip_of_weight_2_counts_as_two_in_the_concordance() -> None:
    predicted, labels, _, passages = batch()
    weight = np.r_[2.0, np.ones(11)]
    twice = np.r_[0, np.arange(12)]
    found = value(predicted, labels, weight / weight.mean(), passages, loss="ccc")
    expected = value(predicted[twice], labels[twice], np.ones(13), passages[twice], loss="ccc")
    assert found == pytest.approx(expected, abs=1e-12)


def ranknet(
    predicted: Floats, labels: Floats, weight: Floats, passages: NDArray[np.int64]
) -> float:
    """Pair by pair, as scikit-learn's cross-entropy of the probability that i is above j."""
    above, probability, weights = [], [], []
    for i in range(len(labels)):
        for j in range(i):
            for d in range(labels.shape[1]):
                if passages[i] == passages[j] and labels[i, d] != labels[j, d]:
                    above.append(labels[i, d] > labels[j, d])
                    probability.append(1 / (1 + np.exp(predicted[j, d] - predicted[i, d])))
                    weights.append(weight[i] * weight[j])
    return float(log_loss(above, probability, sample_weight=weights, labels=[False, True]))


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_order_is_the_cross_entropy_over_pairs_of_a_passage(share: float) -> None:
    predicted, labels, weight, passages = batch()
    labels[3], passages[3] = labels[5], passages[5]
    squares = mean_squared_error(labels, predicted, sample_weight=weight)
    expected = (1 - share) * squares + share * ranknet(predicted, labels, weight, passages)
    found = value(predicted, labels, weight, passages, loss="rank", loss_weight=share)
    assert found == pytest.approx(expected, abs=1e-10)


def test_hybrid_is_the_weighted_sum_of_its_two() -> None:
    given = batch()
    found = value(*given, loss="hybrid", loss_weight=0.3)
    expected = 0.7 * value(*given, loss="mse") + 0.3 * value(*given, loss="ccc")
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_those_of_finite_differences(loss: str) -> None:
    predicted, labels, weight, passages = batch()
    found = gradient(predicted, labels, weight, passages, loss=loss)
    step = 1e-6
    for index in np.ndindex(predicted.shape):
        moved = np.zeros_like(predicted)
        moved[index] = step
        up = value(predicted + moved, labels, weight, passages, loss=loss)
        down = value(predicted - moved, labels, weight, passages, loss=loss)
        assert found[index] == pytest.approx((up - down) / (2 * step), abs=1e-7)


def test_the_gradient_of_the_squared_error_is_known_in_closed_form() -> None:
    predicted, labels, weight, passages = batch()
    expected = 2 * weight[:, None] * (predicted - labels) / predicted.size
    np.testing.assert_allclose(gradient(predicted, labels, weight, passages), expected, atol=1e-15)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("clips", "spoil"),
    [
        pytest.param(1, lambda p, y, w, g: (p, y, w, g), id="one clip"),
        pytest.param(1, lambda p, y, w, g: (y.copy(), y, w, g), id="one clip, predicted"),
        pytest.param(9, lambda p, y, w, g: (p, 0 * y, w, g), id="constant labels"),
        pytest.param(9, lambda p, y, w, g: (0 * p + 0.3, 0 * y + 0.3, w, g), id="all constant"),
        pytest.param(9, lambda p, y, w, g: (p, y, w, np.arange(9)), id="no pairs"),
        pytest.param(9, lambda p, y, w, g: (p, y, 0 * w, g), id="weights of zero"),
        pytest.param(9, lambda p, y, w, g: (1e4 * p, y, w, g), id="far away"),
    ],
)
def test_batches_that_tell_nothing_are_finite(loss: str, clips: int, spoil) -> None:
    single = [a.astype(np.float32) for a in batch(clips)[:3]]
    given = spoil(*single, batch(clips)[3])
    assert np.isfinite(value(*given, loss=loss))
    assert np.isfinite(gradient(*given, loss=loss)).all()


def test_without_pairs_order_adds_nothing() -> None:
    predicted, labels, weight, _ = batch()
    alone = np.arange(12)
    found = gradient(predicted, labels, weight, alone, loss="rank", loss_weight=0.5)
    np.testing.assert_allclose(found, 0.5 * gradient(predicted, labels, weight, alone), atol=1e-15)


def test_order_is_within_passages_only() -> None:
    predicted, labels, weight, passages = batch()
    shifted = predicted + np.array([0.0, 5.0, -3.0])[passages][:, None]

    def order(values: Floats) -> float:
        both = value(values, labels, weight, passages, loss="rank", loss_weight=0.5)
        return both - 0.5 * value(values, labels, weight, passages)

    assert order(shifted) == pytest.approx(order(predicted), abs=1e-12)
