"""What network heads minimise: functions of the predictions and labels of one batch.

Every loss is called with ``predicted`` and ``labels``, shape (batch, dimensions), ``weight``, shape
(batch,), at least 0 and 1 on average over the training part, and ``passages``, int64 of shape
(batch,): which clips play the same music. It returns a scalar that is finite, with its gradient,
for every batch: of one clip, of equal labels, of clips that share no passage. Labels are in
standard deviations unless the head says otherwise.

- `squared_error`: the mean over clips and dimensions.
- `concordance`: one minus Lin's coefficient, by dimension over the batch. It rewards spread, which
  the squared error shrinks, and a batch is too small to know the mean well.
- `huber`: squared up to `delta`, linear beyond, so that one odd label pulls less.
- `passage_order`: RankNet's cross-entropy over pairs of clips of one passage. It leaves scale and
  level open, so it never stands alone.

References
----------
Lin: A concordance correlation coefficient to evaluate reproducibility. Biometrics 45 (1989),
255-268. https://doi.org/10.2307/2532051

Huber: Robust estimation of a location parameter. Annals of Mathematical Statistics 35 (1964),
73-101. https://doi.org/10.1214/aoms/1177703732

Burges, Shaked, Renshaw, Lazier, Deeds, Hamilton, Hullender: Learning to rank using gradient
descent. ICML 2005. https://doi.org/10.1145/1102351.1102363
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from .components import NetworkHead

if TYPE_CHECKING:
    from torch import Tensor

    Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]

__all__ = ["concordance", "huber", "loss_of", "passage_order", "squared_error"]

# Far below what labels vary, even on their own scale; divisors below it are those of no variation.
_LEAST = 1e-8


def loss_of(head: NetworkHead) -> Loss:
    """Make the loss that the options of a head ask for."""
    if head.loss == "ccc":
        return concordance
    if head.loss == "huber":
        return partial(huber, delta=head.huber_delta)
    if head.loss == "hybrid":
        return partial(_beside_squared_error, other=concordance, share=head.loss_weight)
    if head.loss == "rank":
        return partial(_beside_squared_error, other=passage_order, share=head.loss_weight)
    return squared_error


def squared_error(predicted: Tensor, labels: Tensor, weight: Tensor, _passages: Tensor) -> Tensor:
    """Return the weighted mean of the squared errors."""
    return (weight * (predicted - labels).square().mean(dim=1)).mean()


def huber(
    predicted: Tensor, labels: Tensor, weight: Tensor, _passages: Tensor, *, delta: float
) -> Tensor:
    """Return the weighted mean of Huber's function: e^2 / 2 to `delta`, delta (|e| - delta / 2) on.

    Half the squared error where no error is larger than `delta`.
    """
    from torch.nn.functional import huber_loss

    errors = huber_loss(predicted, labels, reduction="none", delta=delta)
    return (weight * errors.mean(dim=1)).mean()


def concordance(predicted: Tensor, labels: Tensor, weight: Tensor, _passages: Tensor) -> Tensor:
    """Return one minus the concordance correlation, averaged over dimensions.

    Of a dimension it is ``2 cov(p, y) / (var(p) + var(y) + (mean(p) - mean(y))^2)``, with weighted
    moments about weighted means. Where nothing varies it is 0, and has no gradient.
    """
    share = (weight / weight.sum().clamp_min(_LEAST)).unsqueeze(1)
    mean_predicted, mean_label = (share * predicted).sum(dim=0), (share * labels).sum(dim=0)
    about_predicted, about_label = predicted - mean_predicted, labels - mean_label
    covariance = (share * about_predicted * about_label).sum(dim=0)
    spread = (share * (about_predicted.square() + about_label.square())).sum(dim=0)
    scale = spread + (mean_predicted - mean_label).square()
    return (1 - 2 * covariance / scale.clamp_min(_LEAST)).mean()


def passage_order(predicted: Tensor, labels: Tensor, weight: Tensor, passages: Tensor) -> Tensor:
    """Return the mean of ``log(1 + exp(-(p_i - p_j)))`` over pairs with ``y_i > y_j``.

    Pairs are two clips of one passage, in one dimension; each weighs what its two clips weigh,
    multiplied. Equal labels make no pair, and without pairs the loss is 0.
    """
    import torch
    from torch.nn.functional import softplus

    same = (passages.unsqueeze(0) == passages.unsqueeze(1)).triu(diagonal=1)
    one, other = same.nonzero(as_tuple=True)
    order = torch.sign(labels[one] - labels[other])
    counts = (weight[one] * weight[other]).unsqueeze(1) * order.abs()
    losses = softplus(-order * (predicted[one] - predicted[other]))
    return (counts * losses).sum() / counts.sum().clamp_min(_LEAST)


def _beside_squared_error(
    predicted: Tensor,
    labels: Tensor,
    weight: Tensor,
    passages: Tensor,
    *,
    other: Loss,
    share: float,
) -> Tensor:
    batch = (predicted, labels, weight, passages)
    return (1 - share) * squared_error(*batch) + share * other(*batch)
