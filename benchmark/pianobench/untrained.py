"""Random weights for a torch module whose architecture is known only as the module itself.

An encoder that has its configuration draws its weights as its authors do before training. A module
of somebody else's is drawn part by part, each by its own ``reset_parameters``: what training has
to beat, if not exactly where training began.
"""

from __future__ import annotations

from typing import Any

from .errors import UsageError

__all__ = ["draw_weights"]

_NAMED_AT_MOST = 3


def draw_weights(model: Any, seed: int, name: str) -> None:
    """Draw every parameter anew, in place.

    Parameters
    ----------
    model : torch.nn.Module
        Anything else is refused.
    seed : int
        The global generator is left as it was.
    name : str
        Of the model, for messages.

    Raises
    ------
    UsageError
        If it is no torch module, or a part of it has parameters and no way to draw them; then
        nothing has been drawn. Also if such a way leaves a parameter out, as that of a convolution
        under the older weight_norm does; then the model has no weights left.
    """
    import torch

    if not isinstance(model, torch.nn.Module):
        raise UsageError(
            f"The model of {name!r} is a {type(model).__name__}, not a torch module, so that its "
            "weights cannot be drawn at random. Leave --weights random out."
        )
    parts = {
        path or "the model": part
        for path, part in model.named_modules()
        if next(part.parameters(recurse=False), None) is not None
    }
    stuck = [f"{path} ({type(part).__name__})" for path, part in parts.items() if not _reset(part)]
    if stuck or not parts:
        what = _some(stuck) if stuck else "it has no parameters"
        raise UsageError(
            f"The weights of {name!r} cannot be drawn at random: parts without reset_parameters: "
            f"{what}. Leave --weights random out, or give them that method."
        )
    with torch.no_grad(), torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        # What is not drawn must not pass for random with its trained values.
        for parameter in model.parameters():
            if parameter.is_floating_point():
                parameter.fill_(torch.nan)
        for part in parts.values():
            _reset(part)()
    left = [path for path, each in model.named_parameters() if not each.isfinite().all()]
    if left:
        raise UsageError(
            f"The weights of {name!r} cannot be drawn at random: reset_parameters of their parts "
            f"leaves out {_some(left)}. Leave --weights random out, or have that method draw them."
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return f"{', '.join(names[:_NAMED_AT_MOST])}{more}"


def _reset(part: Any) -> Any:
    # torch's own attention spells it with an underscore.
    return getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
