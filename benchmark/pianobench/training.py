"""Trains network heads: what enters is the training part of a fold, what leaves is a predictor.

Early stopping looks at an inner validation part of whole groups, about a fifth of the clips, and
never at the fold that is scored. What a clip is, one vector or a sequence of frames, is the
business of its `Inputs`; how the steps are taken, that of `pianobench.descent`. Networks of this
size gain nothing from more threads: one process per core is the best use of cores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .components import NetworkHead
from .descent import Epoch, Task, alone, descend, descend_for, predict
from .errors import DependencyError, PluginError, SplitError, TrainingError
from .inputs import Inputs, inputs_of
from .standardisation import Standardisation

if TYPE_CHECKING:
    import torch

__all__ = [
    "Epoch",
    "Inputs",
    "Standardisation",
    "TrainedNetwork",
    "inner_validation",
    "train_network",
]

VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class TrainedNetwork:
    """A fitted network head.

    Attributes
    ----------
    module : torch.nn.Module
        As it was after the best epoch, or after as many on all clips.
    inputs, labels : Standardisation
        Measured on the clips it was trained on.
    selected : mapping
        ``epochs`` that were kept, their ``validation_r2``, ``validation`` (``inner`` or
        ``given``) and the ``validation_clips`` and ``validation_units`` behind it (None where the
        units of given clips are unknown), and what the inputs tell of the module, such as
        ``layer_weights``; ``refit_clips``, where it was trained anew on all.
    curve : tuple of Epoch
        Every epoch that was run to choose their number.
    """

    module: Any
    inputs: Standardisation
    labels: Standardisation
    selected: Mapping[str, Any]
    curve: tuple[Epoch, ...]

    def predict(self, x: NDArray[np.float64] | Inputs) -> NDArray[np.float64]:
        """Predict clips, such as (clips, features), to (clips, dimensions)."""
        with alone(seed=0):
            return self.labels.undo(predict(self.module, inputs_of(x).batches(self.inputs)))


def train_network(
    head: NetworkHead,
    x: NDArray[np.float64] | Inputs,
    y: NDArray[np.float64],
    groups: NDArray[np.str_],
    seed: int,
    sample_weight: NDArray[np.float64] | None = None,
    *,
    passages: NDArray[np.str_] | None = None,
    validation: tuple[NDArray[np.float64] | Inputs, NDArray[np.float64]] | None = None,
    renders: int = 1,
    validated: int = 1,
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
    passages : array of str, shape (clips,), optional
        Which clips play the same music, for the loss ``rank``; `groups` where it is not given.
    validation : tuple, optional
        Inputs and targets that early stopping looks at, instead of an inner split. Nothing is
        held out then, and nothing fitted again. Where there are several times as many inputs as
        targets, they are renders of the same clips, one after the other; predictions of a clip are
        averaged.
    renders : int
        How many renders of the same clips, one after the other, all arrays hold.
    validated : int
        How many of them, the first ones, an inner split validates on, averaged in the same way.

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
    weight = np.ones(len(x)) if sample_weight is None else sample_weight
    _check_arrays(head, x, y, weight)
    whole = _Part(inputs_of(x), y, weight, groups if passages is None else passages)
    split_seed, *seeds = np.random.SeedSequence(seed).generate_state(3).tolist()
    if validation is not None:
        part, seen = whole, _Part.of(*validation)
        chosen: dict[str, Any] = {"validation": "given", "validation_units": None}
    else:
        held_out = inner_validation(groups, split_seed)
        clips = int(held_out.sum()) // renders
        rows = np.flatnonzero(held_out)[: validated * clips]
        part, seen = whole.where(~held_out), _Part.of(whole.inputs[rows], y[rows[:clips]])
        chosen = {"validation": "inner", "validation_units": len(np.unique(groups[held_out]))}
    trained, curve = _stop_early(head, part, seen, seeds)
    best = max(range(len(curve)), key=lambda epoch: curve[epoch].validation_r2)
    selected = {
        "epochs": best + 1,
        "validation_r2": curve[best].validation_r2,
        "validation_clips": len(seen.y),
        **chosen,
    }
    if head.refit and part is not whole:
        trained = _train_for(head, whole, best + 1, seeds)
        selected["refit_clips"] = len(y) // renders
    selected |= part.inputs.learned(trained.module)
    return TrainedNetwork(*trained, selected, tuple(curve))


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


class _Part(NamedTuple):
    """Clips to train or to validate on."""

    inputs: Inputs
    y: NDArray[np.float64]
    weight: NDArray[np.float64]
    passages: NDArray[np.str_]

    @classmethod
    def of(cls, x: NDArray[np.float64] | Inputs, y: NDArray[np.float64]) -> _Part:
        """Clips that are validated on only: without weights, and of no known passage."""
        return cls(inputs_of(x), y, np.ones(len(y)), np.zeros(len(y), dtype=np.str_))

    def where(self, chosen: NDArray[np.bool_]) -> _Part:
        """Select clips."""
        return _Part(
            self.inputs[chosen], self.y[chosen], self.weight[chosen], self.passages[chosen]
        )

    def task(self, inputs: Standardisation, labels: Standardisation) -> Task:
        """Standardise the clips and cut them into batches; weights get a mean of 1."""
        import torch

        _, passages = np.unique(self.passages, return_inverse=True)
        return Task(
            self.inputs.batches(inputs),
            labels.apply(self.y),
            torch.from_numpy((self.weight / self.weight.mean()).astype(np.float32)),
            torch.from_numpy(passages.astype(np.int64)),
        )


class _Trained(NamedTuple):
    module: Any
    inputs: Standardisation
    labels: Standardisation


def _stop_early(
    head: NetworkHead, part: _Part, seen: _Part, seeds: list[int]
) -> tuple[_Trained, list[Epoch]]:
    """Train on a part as long as it helps on what is seen."""
    inputs, labels = _measure(head, part)
    training, validation = part.task(inputs, labels), seen.task(inputs, labels)
    _check_validation(head, validation.y)
    module_seed, order_seed = seeds
    with alone(module_seed):
        module = _network(head, part, validation)
        curve = descend(head, module, training, validation, order_seed)
    return _Trained(module, inputs, labels), curve


def _train_for(head: NetworkHead, part: _Part, epochs: int, seeds: list[int]) -> _Trained:
    """Train on a part for a number of epochs."""
    inputs, labels = _measure(head, part)
    training = part.task(inputs, labels)
    module_seed, order_seed = seeds
    with alone(module_seed):
        module = _network(head, part, training)
        descend_for(head, module, training, epochs, order_seed)
    return _Trained(module, inputs, labels)


def _measure(head: NetworkHead, part: _Part) -> tuple[Standardisation, Standardisation]:
    """Measure inputs and labels on what is trained on."""
    _check_weights(head, part.weight)
    labels = Standardisation.of(part.y)
    none = Standardisation.none(part.y.shape[1])
    return part.inputs.standardisation(), labels if head.standardise_labels else none


def _network(head: NetworkHead, part: _Part, tried_on: Task) -> Any:
    """Make the network, and see that it returns what it promises."""
    module = part.inputs.network(head, part.y.shape[1])
    _check_network(head, module, tried_on)
    return module


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
