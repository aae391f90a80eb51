"""Trains network heads: what enters is the training part of a fold, what leaves is a predictor.

Early stopping looks at an inner validation part of whole groups, about a fifth of the clips, and
never at the fold that is scored. What a clip is, one vector or a sequence of frames, is the
business of its `Inputs`; how the steps are taken, that of `pianobench.descent`. Networks of this
size gain nothing from more threads: one process per core is the best use of cores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .components import NetworkHead
from .descent import Batch, Batches, Epoch, Task, alone, descend, predict
from .errors import DependencyError, PluginError, SplitError, TrainingError

if TYPE_CHECKING:
    import torch

__all__ = [
    "Epoch",
    "Inputs",
    "Standardisation",
    "TrainedNetwork",
    "Vectors",
    "inner_validation",
    "train_network",
]

VALIDATION_SHARE = 0.2


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


@runtime_checkable
class Inputs(Protocol):
    """What a network is trained on and predicts from, clip by clip."""

    def __len__(self) -> int:
        """Count the clips."""
        ...

    def __getitem__(self, chosen: NDArray[Any]) -> Self:
        """Select clips, by indices or by a mask."""
        ...

    def standardisation(self) -> Standardisation:
        """Measure the columns."""
        ...

    def network(self, head: NetworkHead, dimensions: int) -> Any:
        """Make what is trained: a module that is called with the inputs of a batch."""
        ...

    def batches(self, standardisation: Standardisation) -> Batches:
        """Cut the clips, standardised, into batches."""
        ...

    def learned(self, module: Any) -> Mapping[str, Any]:
        """Say what a user should know of a trained module, as JSON holds it."""
        ...


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
        units of given clips are unknown), and what the inputs tell of the module, such as
        ``layer_weights``.
    curve : tuple of Epoch
        Every epoch that was run.
    """

    module: Any
    inputs: Standardisation
    labels: Standardisation
    selected: Mapping[str, Any]
    curve: tuple[Epoch, ...]

    def predict(self, x: NDArray[np.float64] | Inputs) -> NDArray[np.float64]:
        """Predict clips, such as (clips, features), to (clips, dimensions)."""
        with alone(seed=0):
            return self.labels.undo(predict(self.module, _inputs(x).batches(self.inputs)))


def train_network(
    head: NetworkHead,
    x: NDArray[np.float64] | Inputs,
    y: NDArray[np.float64],
    groups: NDArray[np.str_],
    seed: int,
    sample_weight: NDArray[np.float64] | None = None,
    *,
    validation: tuple[NDArray[np.float64] | Inputs, NDArray[np.float64]] | None = None,
) -> TrainedNetwork:
    """Train a head, with a learned pooling before it where `x` brings one; keep the best epoch.

    Parameters
    ----------
    head : NetworkHead
    x : array, shape (clips, features), or Inputs
    y : array, shape (clips, dimensions)
    groups : array of str, shape (clips,)
        Units that the inner split keeps whole.
    seed : int
        Not negative; decides the inner split, the initial weights, dropout and batches.
    sample_weight : array, shape (clips,), optional
        Weight of each clip in the loss; only the ratios matter. Validation is not weighted,
        since the score is not.
    validation : tuple, optional
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
        If a network returns another shape than it promises.
    """
    _require_torch()
    import torch

    weight = np.ones(len(x)) if sample_weight is None else sample_weight
    _check_arrays(head, x, y, weight)
    clips = _inputs(x)
    split_seed, module_seed, order_seed = np.random.SeedSequence(seed).generate_state(3).tolist()
    if validation is None:
        held_out = inner_validation(groups, split_seed)
        chosen = {"validation": "inner", "validation_units": len(np.unique(groups[held_out]))}
        seen, y_seen = clips[held_out], y[held_out]
        clips, y, weight = clips[~held_out], y[~held_out], weight[~held_out]
    else:
        chosen = {"validation": "given", "validation_units": None}
        seen, y_seen = _inputs(validation[0]), validation[1]
    _check_weights(head, weight)
    inputs = clips.standardisation()
    labels = Standardisation.of(y) if head.standardise_labels else Standardisation.none(y.shape[1])
    training = Task(
        clips.batches(inputs),
        labels.apply(y),
        torch.from_numpy((weight / weight.mean()).astype(np.float32)),
    )
    validating = Task(seen.batches(inputs), labels.apply(y_seen), torch.ones(len(y_seen)))
    _check_validation(head, validating.y)
    with alone(module_seed):
        module = clips.network(head, y.shape[1])
        _check_network(head, module, validating)
        curve = descend(head, module, training, validating, order_seed)
    best = max(range(len(curve)), key=lambda epoch: curve[epoch].validation_r2)
    selected = {
        "epochs": best + 1,
        "validation_r2": curve[best].validation_r2,
        "validation_clips": len(y_seen),
        **chosen,
        **clips.learned(module),
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


@dataclass(frozen=True)
class Vectors:
    """One vector per clip.

    Attributes
    ----------
    x : array, shape (clips, features)
    """

    x: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, chosen: NDArray[Any]) -> Self:
        """Select clips, by indices or by a mask."""
        return replace(self, x=self.x[chosen])

    def standardisation(self) -> Standardisation:
        """Measure the columns."""
        return Standardisation.of(self.x)

    def network(self, head: NetworkHead, dimensions: int) -> Any:
        """Make the head's network."""
        return head.network(self.x.shape[1], dimensions)

    def batches(self, standardisation: Standardisation) -> Batches:
        """Cut the clips, standardised, into batches."""
        return _VectorBatches(standardisation.apply(self.x))

    def learned(self, module: Any) -> Mapping[str, Any]:  # noqa: ARG002 - for those with a say
        """Say nothing."""
        return {}


@dataclass(frozen=True)
class _VectorBatches:
    x: torch.Tensor

    def __len__(self) -> int:
        return len(self.x)

    def shuffled(self, size: int, order: torch.Generator) -> Iterator[Batch]:
        import torch

        shuffled = torch.randperm(len(self.x), generator=order)
        for start in range(0, len(shuffled), size):
            clips = shuffled[start : start + size]
            yield Batch(clips, (self.x[clips],))

    def in_order(self) -> Iterator[Batch]:
        import torch

        yield Batch(torch.arange(len(self.x)), (self.x,))


def _inputs(x: NDArray[np.float64] | Inputs) -> Inputs:
    return Vectors(x) if isinstance(x, np.ndarray) else x


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
    x: NDArray[np.float64] | Inputs,
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> None:
    where = f"The head {head.name!r} cannot be trained"
    shape = x.shape if isinstance(x, np.ndarray) else (len(x), 1)
    if len(shape) != 2 or y.ndim != 2 or len(x) != len(y) or weight.shape != (len(x),):
        raise TrainingError(
            f"{where} on inputs of shape {shape}, targets of shape {y.shape} and weights of "
            f"shape {weight.shape}; expected (clips, features), (clips, dimensions) and (clips,)."
        )
    arrays = {"inputs": x, "targets": y, "weights": weight}
    for what, values in arrays.items():
        if isinstance(values, np.ndarray) and not np.isfinite(values).all():
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


def _check_validation(head: NetworkHead, y: torch.Tensor) -> None:
    if not len(y) or not bool((y.amax(0) > y.amin(0)).any()):
        raise TrainingError(
            f"Early stopping of the head {head.name!r} has {len(y)} clips to validate "
            "on, and no label that varies there and in training, so that R2 is not defined. Train "
            "on more clips, or choose a head that is not trained by gradient."
        )


def _check_network(head: NetworkHead, module: Any, task: Task) -> None:
    import torch

    module.eval()
    batch = next(task.batches.in_order())
    with torch.inference_mode():
        returned = tuple(module(*batch.inputs).shape)
    expected = (len(batch.clips), task.y.shape[1])
    if returned != expected:
        raise PluginError(
            f"The network of the head {head.name!r} returns shape {returned} for {expected[0]} "
            f"clips; its contract asks for {expected}."
        )
