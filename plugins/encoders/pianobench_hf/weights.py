"""A model of transformers with its weights, all of them, or with weights drawn at random."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pianobench import CheckpointError
from pianobench.checkpoints import name_few

from .family import Family
from .library import import_transformers, quiet
from .published import Published

__all__ = ["draw_model", "load_model"]


def load_model(published: Published) -> Any:
    """Build the model and put the weights in, in float32: all of them, each in its place.

    A checkpoint saved with a head keeps the model's tensors under a prefix; the others are the
    head's, and are left out.

    Raises
    ------
    CheckpointError
        If a tensor is missing, unknown, of another shape, or holds a value that is not finite.
    """
    import torch

    family, name = published.family, published.checkpoint.name
    model_class = _model_class(family)
    prefix = f"{model_class.base_model_prefix}."
    tensors = {
        key: tensor.float() if tensor.is_floating_point() else tensor
        for key, tensor in published.checkpoint.tensors().items()
    }
    if any(key.startswith(prefix) for key in tensors):
        tensors = {
            key.removeprefix(prefix): tensor
            for key, tensor in tensors.items()
            if key.startswith(prefix)
        }
    try:
        with quiet():
            # No path: transformers renames what older versions called otherwise, and reads no file.
            model, report = model_class.from_pretrained(
                None, config=family.config, state_dict=tensors, output_loading_info=True
            )
    except Exception as error:
        raise CheckpointError(
            f"The weights of the checkpoint {name!r} do not fit {model_class.__name__}: "
            f"{str(error).strip() or type(error).__name__}. The checkpoint is incomplete or of "
            "another model: download it again, or name the right one."
        ) from error
    needed = _prepared(model, family)
    faults = {
        "it lacks": _used(report["missing_keys"], family),
        "it holds unknown": _used(report["unexpected_keys"], family),
        "of another shape:": _used([str(key) for key in report["mismatched_keys"]], family),
        "not finite:": [
            key
            for key, tensor in needed.state_dict().items()
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
        ],
    }
    found = [f"{fault} {name_few(keys)}" for fault, keys in faults.items() if keys]
    if found:
        raise CheckpointError(
            f"The checkpoint {name!r} does not fit {model_class.__name__}: {'; '.join(found)}. It "
            "is incomplete or of another model: download it again, or name the right one."
        )
    return needed


def draw_model(published: Published, seed: int) -> Any:
    """Build the model with weights drawn as transformers draws them before training."""
    import torch

    with quiet(), torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = _model_class(published.family)(published.family.config)
    return _prepared(model, published.family)


def _model_class(family: Family) -> Any:
    return getattr(import_transformers(), family.models[family.config.model_type])


def _prepared(model: Any, family: Family) -> Any:
    """Drop the parts that play no role, and what serves training."""
    for part in dict(model.named_children()):
        if part in family.unused:
            delattr(model, part)
    return model.eval().requires_grad_(False)


def _used(keys: Iterable[str], family: Family) -> list[str]:
    return sorted(key for key in keys if not key.startswith(family.unused or ("\0",)))
