"""The files of a parity fixture, written alike by every maker."""

import importlib.metadata
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["list_keys", "save_all_states", "save_sampled_states", "save_versions"]

VALUES_PER_STATE = 300
PROBE_VALUES = 8
PACKAGES = ["huggingface_hub", "numpy", "safetensors", "torch", "transformers"]


def save_all_states(
    states: Sequence[npt.NDArray[Any]], inputs: Mapping[str, npt.NDArray[Any]], out: Path
) -> None:
    """Write states.safetensors: the inputs by name, and ``state.0`` to the last."""
    from safetensors.numpy import save_file

    tensors = {f"state.{index}": np.ascontiguousarray(state) for index, state in enumerate(states)}
    save_file(tensors | inputs, out / "states.safetensors")
    (out / "states.safetensors").chmod(0o644)


def save_sampled_states(
    states: Sequence[npt.NDArray[Any]],
    inputs: Mapping[str, npt.NDArray[Any]],
    probed_weight: npt.NDArray[Any],
    out: Path,
) -> None:
    """Write states.safetensors with a seeded subset of every state, and the scale of each.

    ``indices`` [state, value] index a flattened state, ``values`` [state, value] are what stands
    there; ``max_abs``, ``norm`` [state] and ``shape`` describe the whole. ``probe`` is the
    beginning of one weight tensor, to tell another numpy's random stream from a wrong model.
    """
    from safetensors.numpy import save_file

    random = np.random.default_rng(0)
    size = states[0].size
    indices = [np.sort(random.choice(size, VALUES_PER_STATE, replace=False)) for _ in states]
    chosen = [state.reshape(-1)[index] for state, index in zip(states, indices, strict=True)]
    # A sum of squares, since numpy's own norm calls a library whose last bits follow its threads.
    squares = [np.square(state, dtype=np.float64).sum() for state in states]
    tensors = {
        "indices": np.stack(indices).astype(np.int32),
        "values": np.stack(chosen),
        "shape": np.array(states[0].shape),
        "max_abs": np.array([np.abs(state).max() for state in states]),
        "norm": np.sqrt(squares),
        "probe": probed_weight.reshape(-1)[:PROBE_VALUES].copy(),
    }
    save_file(tensors | inputs, out / "states.safetensors")
    (out / "states.safetensors").chmod(0o644)


def save_versions(out: Path, packages: Iterable[str], **facts: Any) -> None:
    """Write versions.json: Python, the packages named and the common ones, and further facts."""
    versions: dict[str, Any] = {"python": platform.python_version()}
    names = [*packages, *PACKAGES]
    versions |= {name: importlib.metadata.version(name) for name in names}
    (out / "versions.json").write_text(json.dumps(versions | facts, indent=2) + "\n")


def list_keys(state: Mapping[str, Any]) -> str:
    """List the tensors of a state dict: name, shape and type, tab-separated, one a line."""
    rows = [
        f"{name}\t{','.join(map(str, tensor.shape))}\t{str(tensor.dtype).removeprefix('torch.')}"
        for name, tensor in state.items()
    ]
    return "\n".join(rows) + "\n"
