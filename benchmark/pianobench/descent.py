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
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from .components import NetworkHead
from .errors import TrainingError

if TYPE_CHECKING:
    import torch

__all__ = ["Batch", "Batches", "Epoch", "Task", "alone", "descend", "predict"]

# torch's default generator and number of threads belong to the process, not to a training.
_TRAINING = threading.RLock()


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


class Task(NamedTuple):
    """Inputs with their labels, shape (clips, dimensions), and weights, shape (clips,)."""

    batches: Batches
    y: torch.Tensor
    weight: torch.Tensor


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
    import torch

    # The fused step is nine times faster for a head of 4096 inputs on a CPU, and equal to 1e-7.
    optimizer = torch.optim.Adam(
        module.parameters(), lr=head.learning_rate, weight_decay=head.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, head.decay_steps, head.decay)
    order = torch.Generator().manual_seed(seed)
    curve: list[Epoch] = []
    best, kept = -np.inf, {}
    since_best = 0
    while len(curve) < head.epochs and since_best < head.patience:
        loss = _pass(head, module, training, optimizer, schedule, order)
        epoch = Epoch(loss, _r2(module, validation))
        curve.append(epoch)
        if not np.isfinite(epoch).all():
            raise TrainingError(
                f"The training of the head {head.name!r} diverged: loss {epoch.loss} and "
                f"validation R2 {epoch.validation_r2} in epoch {len(curve)}. Lower "
                f"head.learning_rate, which is {head.learning_rate}."
            )
        since_best += 1
        if epoch.validation_r2 > best:
            best, since_best = epoch.validation_r2, 0
            kept = {name: value.clone() for name, value in module.state_dict().items()}
    module.load_state_dict(kept)
    module.eval()
    return curve


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


def _pass(
    head: NetworkHead,
    module: Any,
    training: Task,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    order: torch.Generator,
) -> float:
    """Take one step per batch, in random order; return the mean loss of a clip."""
    import torch

    module.train()
    total = 0.0
    for batch in training.batches.shuffled(head.batch_size, order):
        optimizer.zero_grad()
        squares = (module(*batch.inputs) - training.y[batch.clips]).square().mean(dim=1)
        loss = (training.weight[batch.clips] * squares).mean()
        loss.backward()
        if head.gradient_norm is not None:
            torch.nn.utils.clip_grad_norm_(module.parameters(), head.gradient_norm)
        optimizer.step()
        schedule.step()
        total += loss.item() * len(batch.clips)
    return total / len(training.batches)


def _r2(module: Any, validation: Task) -> float:
    """R2 on the validation part, averaged over the dimensions that vary there."""
    y = validation.y
    residual = (predict(module, validation.batches) - y).double().square().sum(dim=0)
    spread = (y.double() - y.double().mean(dim=0)).square().sum(dim=0)
    varies = y.amax(dim=0) > y.amin(dim=0)
    return float((1 - residual[varies] / spread[varies]).mean())
