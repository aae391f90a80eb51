"""Gradient descent with early stopping, whatever a network takes.

What enters is a module and what it is trained and validated on, batch by batch; what leaves is the
module as it was after its best epoch, and the curve. Everything runs on the CPU, in one thread and
from its own random numbers, so that a result depends on the arrays, the options and the seed alone.

References
----------
Kingma, Ba: Adam: a method for stochastic optimization. ICLR 2015. https://arxiv.org/abs/1412.6980
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from .components import NetworkHead
from .errors import TrainingError
from .losses import loss_of

if TYPE_CHECKING:
    import torch

__all__ = ["Batch", "Batches", "Epoch", "Task", "alone", "descend", "descend_for", "predict"]

# torch's default generator and number of threads belong to the process, not to a training.
_TRAINING = threading.RLock()
# Clips of one passage that stay together when pairs are compared. Where every run has four, a
# batch of 64 holds the music of 16 places and 96 pairs or more, however many passages there are.
# What four leaves over of a passage is a shorter run, with fewer pairs; a single clip has none.
_TOGETHER = 4


class Epoch(NamedTuple):
    """One pass over the training part: mean loss of its batches, and validation R2 after it."""

    loss: float
    validation_r2: float


class Batch(NamedTuple):
    """Some clips: their indices, shape (batch,), and what the network is called with."""

    clips: torch.Tensor
    inputs: tuple[Any, ...]


class Batches(Protocol):
    """The inputs of a number of clips, cut into batches."""

    def __len__(self) -> int:
        """Count the clips."""
        ...

    def shuffled(self, size: int, order: torch.Generator) -> Iterator[Batch]:
        """All clips once, at most `size` at a time, in random order."""
        ...

    def in_order(self) -> Iterator[Batch]:
        """All clips once, in an order that is always the same."""
        ...

    def of(self, clips: torch.Tensor) -> Batch:
        """Take some clips, by their indices, in this order."""
        ...


class Task(NamedTuple):
    """Inputs with their labels, shape (clips, dimensions), weights and passages, shape (clips,).

    What is validated on may hold several times as many inputs as labels: renders of the same clips.
    """

    batches: Batches
    y: torch.Tensor
    weight: torch.Tensor
    passages: torch.Tensor


def descend(
    head: NetworkHead, module: Any, training: Task, validation: Task, seed: int
) -> list[Epoch]:
    """Train until validation R2 has not risen for `patience` epochs; leave the best in `module`.

    Parameters
    ----------
    head : NetworkHead
        Its options say how.
    module : torch.nn.Module
        Called with the inputs of a batch; returns (batch, dimensions).
    training, validation : Task
        Validation is not weighted, since the score is not.
    seed : int
        Of the order of the batches.

    Raises
    ------
    TrainingError
        If the loss diverges.
    """
    curve: list[Epoch] = []
    best, kept = -np.inf, {}
    since_best = 0
    for loss in islice(_losses(head, module, training, seed), head.epochs):
        epoch = Epoch(loss, _r2(module, validation))
        curve.append(epoch)
        _require_finite(head, len(curve), *epoch)
        since_best += 1
        if epoch.validation_r2 > best:
            best, since_best = epoch.validation_r2, 0
            kept = {name: value.clone() for name, value in module.state_dict().items()}
        if since_best == head.patience:
            break
    module.load_state_dict(kept)
    module.eval()
    return curve


def descend_for(head: NetworkHead, module: Any, training: Task, epochs: int, seed: int) -> None:
    """Train for a number of epochs that was chosen before.

    Raises
    ------
    TrainingError
        If the loss diverges.
    """
    for epoch, loss in enumerate(islice(_losses(head, module, training, seed), epochs), start=1):
        _require_finite(head, epoch, loss)
    module.eval()


def predict(module: Any, batches: Batches) -> torch.Tensor:
    """Predict every clip, shape (clips, dimensions), in their own order."""
    import torch

    module.eval()
    with torch.inference_mode():
        parts = [(batch.clips, module(*batch.inputs)) for batch in batches.in_order()]
        predicted = torch.empty(len(batches), parts[0][1].shape[1])
        for clips, part in parts:
            predicted[clips] = part
    return predicted


@contextmanager
def alone(seed: int) -> Iterator[None]:
    """Hold torch's own generator, seeded, and one thread; leave both as they were."""
    import torch

    with _TRAINING, torch.random.fork_rng(devices=[]):
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _losses(head: NetworkHead, module: Any, training: Task, seed: int) -> Iterator[float]:
    """Train epoch after epoch, without end; yield the mean loss of a clip in each."""
    import torch

    # The fused step is four times faster for a head of 4096 inputs on a CPU, and equal to 1e-7.
    optimizer = torch.optim.Adam(
        module.parameters(), lr=head.learning_rate, weight_decay=head.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, head.decay_steps, head.decay)
    order = torch.Generator().manual_seed(seed)
    loss_function = loss_of(head)
    while True:
        module.train()
        total = 0.0
        for clips, inputs in _shuffled(head, training, order):
            optimizer.zero_grad()
            labels, weight = training.y[clips], training.weight[clips]
            loss: Any = loss_function(module(*inputs), labels, weight, training.passages[clips])
            loss.backward()
            if head.gradient_norm is not None:
                torch.nn.utils.clip_grad_norm_(module.parameters(), head.gradient_norm)
            optimizer.step()
            if head.decay < 1:
                schedule.step()
            total += loss.item() * len(clips)
        yield total / len(training.batches)


def _shuffled(head: NetworkHead, training: Task, order: torch.Generator) -> Iterator[Batch]:
    """Draw the batches of an epoch; where pairs are compared, so that there are some."""
    if head.loss != "rank":
        return training.batches.shuffled(head.batch_size, order)
    import torch

    clips = _paired(training.passages, order)
    return map(training.batches.of, torch.split(clips, head.batch_size))


def _paired(passages: torch.Tensor, order: torch.Generator) -> torch.Tensor:
    """Shuffle clips, leaving runs of `_TOGETHER` of the same passage; other runs every time."""
    import torch

    shuffled = torch.randperm(len(passages), generator=order)
    clips = shuffled[torch.argsort(passages[shuffled], stable=True)]
    _, sizes = torch.unique_consecutive(passages[clips], return_counts=True)
    starts = torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
    opens = (torch.arange(len(clips)) - starts) % _TOGETHER == 0
    runs = opens.cumsum(0) - 1
    places = torch.randperm(int(opens.sum()), generator=order)
    return clips[torch.argsort(places[runs], stable=True)]


def _require_finite(head: NetworkHead, epoch: int, loss: float, r2: float | None = None) -> None:
    if np.isfinite(loss) and (r2 is None or np.isfinite(r2)):
        return
    found = f"loss {loss}" if r2 is None else f"loss {loss} and validation R2 {r2}"
    raise TrainingError(
        f"The training of the head {head.name!r} diverged: {found} in epoch {epoch}. Lower "
        f"head.learning_rate, which is {head.learning_rate}, or bound the gradient with "
        "head.gradient_norm."
    )


def _r2(module: Any, validation: Task) -> float:
    """R2 of the mean over renders, averaged over the dimensions that vary."""
    y = validation.y
    predicted = predict(module, validation.batches).reshape(-1, *y.shape).mean(dim=0)
    residual = (predicted - y).double().square().sum(dim=0)
    spread = (y.double() - y.double().mean(dim=0)).square().sum(dim=0)
    varies = y.amax(dim=0) > y.amin(dim=0)
    return float((1 - residual[varies] / spread[varies]).mean())
