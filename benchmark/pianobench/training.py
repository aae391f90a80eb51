"""Trains network heads: what enters is the training part of a fold, what leaves is a predictor.

Early stopping looks at an inner validation part of whole groups, about a fifth of the clips, and
never at the fold that is scored. Everything is trained on the CPU, in one thread and from its own
random numbers, so that a result depends on the arrays, the options and the seed alone. Heads of
this size gain nothing from more threads: one process per core is the best use of cores.

References
----------
Kingma, Ba: Adam: a method for stochastic optimization. ICLR 2015. https://arxiv.org/abs/1412.6980
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .components import NetworkHead
from .errors import DependencyError, PluginError, SplitError, TrainingError

if TYPE_CHECKING:
    import torch

__all__ = ["Epoch", "TrainedNetwork", "inner_validation", "train_network"]

VALIDATION_SHARE = 0.2
# torch's default generator and number of threads belong to the process, not to a training.
_TRAINING = threading.RLock()


class Epoch(NamedTuple):
    """One pass over the training part: mean loss of its batches, and validation R2 after it."""

    loss: float
    validation_r2: float


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of every column; one that is constant in training becomes 0.

    Attributes
    ----------
    mean, std : array, shape (columns,)
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Standardisation:
        """Measure it on clips, shape (clips, columns)."""
        # The standard deviation of equal numbers need not be exactly 0.
        varies = values.max(axis=0) > values.min(axis=0)
        return cls(values.mean(axis=0), np.where(varies, values.std(axis=0), 0.0))

    @classmethod
    def none(cls, columns: int) -> Standardisation:
        """Leave every column as it is."""
        return cls(np.zeros(columns), np.ones(columns))

    def apply(self, values: NDArray[np.float64]) -> torch.Tensor:
        """Standardise clips, to float32."""
        import torch

        scaled = np.zeros(values.shape)
        np.divide(values - self.mean, self.std, out=scaled, where=self.std > 0)
        return torch.from_numpy(scaled.astype(np.float32))

    def undo(self, scaled: torch.Tensor) -> NDArray[np.float64]:
        """Bring what a network returned back to the scale of the columns."""
        values: NDArray[np.float64] = scaled.double().numpy() * self.std + self.mean
        return values


@dataclass(frozen=True)
class TrainedNetwork:
    """A fitted network head.

    Attributes
    ----------
    module : torch.nn.Module
        As it was after the best epoch.
    inputs, labels : Standardisation
        Measured on the clips it was trained on.
    selected : mapping
        ``epochs`` that were kept, their ``validation_r2``, ``validation`` (``inner`` or
        ``given``) and the ``validation_clips`` and ``validation_units`` behind it (None where the
        units of given clips are unknown).
    curve : tuple of Epoch
        Every epoch that was run.
    """

    module: Any
    inputs: Standardisation
    labels: Standardisation
    selected: Mapping[str, Any]
    curve: tuple[Epoch, ...]

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict (clips, features) -> (clips, dimensions)."""
        import torch

        with _alone(seed=0), torch.inference_mode():
            return self.labels.undo(self.module(self.inputs.apply(x)))


def train_network(
    head: NetworkHead,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    groups: NDArray[np.str_],
    seed: int,
    sample_weight: NDArray[np.float64] | None = None,
    *,
    validation: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> TrainedNetwork:
    """Train a head and keep its best epoch.

    Parameters
    ----------
    head : NetworkHead
    x : array, shape (clips, features)
    y : array, shape (clips, dimensions)
    groups : array of str, shape (clips,)
        Units that the inner split keeps whole.
    seed : int
        Not negative; decides the inner split, the initial weights, dropout and batches.
    sample_weight : array, shape (clips,), optional
        Weight of each clip in the loss; only the ratios matter. Validation is not weighted,
        since the score is not.
    validation : tuple of array, optional
        Inputs and targets that early stopping looks at, instead of an inner split.

    Raises
    ------
    DependencyError
        If torch is not installed.
    SplitError
        If there is but one group, so that no inner split keeps groups whole.
    TrainingError
        If the arrays cannot be trained on, or the loss diverges.
    PluginError
        If the head's network returns another shape than it promises.
    """
    _require_torch()
    import torch

    weight = np.ones(len(x)) if sample_weight is None else sample_weight
    _check_arrays(head, x, y, weight)
    split_seed, module_seed, order_seed = np.random.SeedSequence(seed).generate_state(3).tolist()
    if validation is None:
        held_out = inner_validation(groups, split_seed)
        chosen = {"validation": "inner", "validation_units": len(np.unique(groups[held_out]))}
        x_seen, y_seen = x[held_out], y[held_out]
        x, y, weight = x[~held_out], y[~held_out], weight[~held_out]
    else:
        chosen = {"validation": "given", "validation_units": None}
        x_seen, y_seen = validation
    _check_weights(head, weight)
    inputs = Standardisation.of(x)
    labels = Standardisation.of(y) if head.standardise_labels else Standardisation.none(y.shape[1])
    data = _Tensors(
        x=inputs.apply(x),
        y=labels.apply(y),
        weight=torch.from_numpy((weight / weight.mean()).astype(np.float32)),
        x_seen=inputs.apply(x_seen),
        y_seen=labels.apply(y_seen),
    )
    _check_validation(head, data)
    with _alone(module_seed):
        module = head.network(x.shape[1], y.shape[1])
        _check_network(head, module, data)
        curve = _descend(head, module, data, order_seed)
    best = max(range(len(curve)), key=lambda epoch: curve[epoch].validation_r2)
    selected = {
        "epochs": best + 1,
        "validation_r2": curve[best].validation_r2,
        "validation_clips": len(y_seen),
        **chosen,
    }
    return TrainedNetwork(module, inputs, labels, selected, tuple(curve))


def inner_validation(groups: NDArray[np.str_], seed: int) -> NDArray[np.bool_]:
    """Choose whole groups, in random order, that hold about a fifth of the clips.

    A group is taken where that brings the number of clips nearer to a fifth, and the smallest
    one where none does. The choice does not depend on the order of the clips.

    Parameters
    ----------
    groups : array of str, shape (clips,)
    seed : int

    Returns
    -------
    bool array, shape (clips,)
        True for clips to validate on.

    Raises
    ------
    SplitError
        If there are fewer than two groups.
    """
    units, counts = np.unique(groups, return_counts=True)
    if len(units) < 2:
        raise SplitError(
            f"Early stopping needs two groups in the training part, one to validate on; it holds "
            f"{len(units)} ({', '.join(units)}). Choose a protocol with smaller units, or a head "
            "that is not trained by gradient."
        )
    wanted = VALIDATION_SHARE * len(groups)
    order = np.random.default_rng(seed).permutation(len(units))
    taken: list[int] = []
    clips = 0
    for unit in order:
        if abs(clips + counts[unit] - wanted) < abs(clips - wanted):
            taken.append(unit)
            clips += counts[unit]
    if not taken:
        taken = [min(order, key=lambda unit: counts[unit])]
    return np.isin(groups, units[taken])


class _Tensors(NamedTuple):
    x: torch.Tensor
    y: torch.Tensor
    weight: torch.Tensor
    x_seen: torch.Tensor
    y_seen: torch.Tensor


def _descend(head: NetworkHead, module: Any, data: _Tensors, seed: int) -> list[Epoch]:
    """Train until validation R2 has not risen for `patience` epochs; leave the best in `module`."""
    import torch

    # The fused step is nine times faster for a head of 4096 inputs on a CPU, and equal to 1e-7.
    optimizer = torch.optim.Adam(
        module.parameters(), lr=head.learning_rate, weight_decay=head.weight_decay, fused=True
    )
    order = torch.Generator().manual_seed(seed)
    curve: list[Epoch] = []
    best, kept = -np.inf, {}
    since_best = 0
    while len(curve) < head.epochs and since_best < head.patience:
        epoch = Epoch(_pass(module, data, optimizer, order, head.batch_size), _r2(module, data))
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


def _pass(
    module: Any, data: _Tensors, optimizer: torch.optim.Optimizer, order: torch.Generator, size: int
) -> float:
    """Take one step per batch, in random order; return the mean loss of a clip."""
    import torch

    module.train()
    total = 0.0
    shuffled = torch.randperm(len(data.x), generator=order)
    for start in range(0, len(shuffled), size):
        batch = shuffled[start : start + size]
        optimizer.zero_grad()
        squares = (module(data.x[batch]) - data.y[batch]).square().mean(dim=1)
        loss = (data.weight[batch] * squares).mean()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    return total / len(data.x)


def _r2(module: Any, data: _Tensors) -> float:
    """R2 on the validation part, averaged over the dimensions that vary there."""
    import torch

    module.eval()
    with torch.inference_mode():
        residual = (module(data.x_seen) - data.y_seen).double().square().sum(dim=0)
    about_mean = data.y_seen.double() - data.y_seen.double().mean(dim=0)
    spread = about_mean.square().sum(dim=0)
    varies = data.y_seen.amax(dim=0) > data.y_seen.amin(dim=0)
    return float((1 - residual[varies] / spread[varies]).mean())


@contextmanager
def _alone(seed: int) -> Iterator[None]:
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


def _require_torch() -> None:
    try:
        import torch  # noqa: F401 - the question is whether it is there
    except ImportError as error:
        raise DependencyError(
            f"Heads that are trained by gradient need torch, which cannot be imported: {error}. "
            'Install it with `pip install "pianobench[models]"`, or choose another head, such as '
            "ridge."
        ) from error


def _check_arrays(
    head: NetworkHead,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> None:
    where = f"The head {head.name!r} cannot be trained"
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or weight.shape != (len(x),):
        raise TrainingError(
            f"{where} on inputs of shape {x.shape}, targets of shape {y.shape} and weights of "
            f"shape {weight.shape}; expected (clips, features), (clips, dimensions) and (clips,)."
        )
    for what, values in {"inputs": x, "targets": y, "weights": weight}.items():
        if not np.isfinite(values).all():
            raise TrainingError(
                f"{where}: {int((~np.isfinite(values)).sum())} of the {what} are not finite. "
                "Find where they come from; `bench check` finds what an encoder breaks."
            )


def _check_weights(head: NetworkHead, weight: NDArray[np.float64]) -> None:
    if (weight < 0).any() or not weight.any():
        raise TrainingError(
            f"The head {head.name!r} cannot be trained with weights from {weight.min()} to "
            f"{weight.max()}. Give none below 0, and some clips more than 0."
        )


def _check_validation(head: NetworkHead, data: _Tensors) -> None:
    if not len(data.y_seen) or not bool((data.y_seen.amax(0) > data.y_seen.amin(0)).any()):
        raise TrainingError(
            f"Early stopping of the head {head.name!r} has {len(data.y_seen)} clips to validate "
            "on, and no label that varies there and in training, so that R2 is not defined. Train "
            "on more clips, or choose a head that is not trained by gradient."
        )


def _check_network(head: NetworkHead, module: Any, data: _Tensors) -> None:
    import torch

    module.eval()
    with torch.inference_mode():
        returned = tuple(module(data.x[:2]).shape)
    expected = (min(2, len(data.x)), data.y.shape[1])
    if returned != expected:
        raise PluginError(
            f"The network of the head {head.name!r} returns shape {returned} for inputs of shape "
            f"{tuple(data.x[:2].shape)}; its contract asks for {expected}."
        )
