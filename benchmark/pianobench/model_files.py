"""Trained networks as files: parameters as safetensors, and what they are as JSON beside them.

``<fold>-seed<seed>.safetensors`` holds the network's state and what inputs and labels were
standardised with; the ``.json`` of the same name the head with its options, what its inputs say of
themselves (a learned pooling, weighted layers) and what was selected. No code is stored: reading
needs the head, and the inputs that are to be predicted.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array_files import read_arrays, write_arrays
from .components import NetworkHead
from .descent import alone
from .errors import ResultError, StoreError
from .inputs import Inputs, inputs_of
from .standardisation import Standardisation
from .training import TrainedNetwork

__all__ = ["read_network", "save_network"]

_STATE = "network."
_SAID = ("head", "inputs", "selected")


def save_network(
    folder: Path,
    fold: str,
    seed: int,
    head: NetworkHead,
    network: TrainedNetwork,
    x: NDArray[np.float64] | Inputs,
) -> Path:
    """Write a network; return the path of its parameters.

    Parameters
    ----------
    folder : Path
        Made if absent.
    fold : str
        The fold it was not trained on.
    seed : int
        Of its training.
    head : NetworkHead
        The head it was made by.
    network : TrainedNetwork
    x : array, shape (clips, features), or Inputs
        What it was trained on; only its form matters here.

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    path = folder / f"{_in_a_file_name(fold)}-seed{seed}.safetensors"
    state = network.module.state_dict()
    arrays = {f"{_STATE}{name}": value.numpy() for name, value in state.items()}
    for what in ("inputs", "labels"):
        measured: Standardisation = getattr(network, what)
        arrays |= {f"{what}.mean": measured.mean, f"{what}.std": measured.std}
    write_arrays(path, arrays)
    said = {
        "head": _words(head),
        "inputs": dict(inputs_of(x).form()),
        "fold": fold,
        "seed": seed,
        "selected": dict(network.selected),
    }
    beside = path.with_suffix(".json")
    try:
        beside.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"Cannot write {beside}, which says what {path.name} is: {error.strerror or error}. "
            "Make space or choose another place for results, and run again."
        ) from error
    return path


def read_network(path: Path, head: NetworkHead, x: NDArray[np.float64] | Inputs) -> TrainedNetwork:
    """Read a network back.

    Parameters
    ----------
    path : Path
        The ``.safetensors`` file.
    head : NetworkHead
        As it was when the network was trained.
    x : array, shape (clips, features), or Inputs
        What is to be predicted; only its form matters here.

    Returns
    -------
    TrainedNetwork
        Without its curve.

    Raises
    ------
    ResultError
        If it cannot be read, was made by another head, or takes other inputs.
    """
    import torch

    said = _read_words(path)
    if said["head"] != _words(head):
        raise ResultError(
            f"{path} was trained by the head {said['head']}, not by {_words(head)}. Read it with "
            "the head and the options that its .json names."
        )
    inputs = inputs_of(x)
    form = dict(inputs.form())
    if said["inputs"] != form:
        raise ResultError(
            f"The network in {path} does not take these inputs: it was trained on "
            f"{said['inputs']}, and is given {form}. Give it features made by the encoder, the "
            "layers and the pooling it was trained on."
        )
    stored = read_arrays(path)
    if stored is None:
        raise ResultError(f"There is no network in {path}, or it is damaged. Train it again.")
    arrays = stored.arrays
    try:
        labels = Standardisation(arrays["labels.mean"], arrays["labels.std"])
        measured = Standardisation(arrays["inputs.mean"], arrays["inputs.std"])
        with alone(seed=0):
            module = inputs.network(head, len(labels.mean))
        module.load_state_dict(
            {
                name.removeprefix(_STATE): torch.from_numpy(value)
                for name, value in arrays.items()
                if name.startswith(_STATE)
            }
        )
    except (KeyError, RuntimeError) as error:
        found = " ".join(str(error).split()).rstrip(".")
        raise ResultError(
            f"The network in {path} does not take these inputs: {found}. Give it features made "
            "by the encoder, the layers and the pooling it was trained on."
        ) from error
    module.eval()
    return TrainedNetwork(module, measured, labels, said["selected"], ())


def _in_a_file_name(fold: str) -> str:
    # Two folds never share a file, whatever their names: a percent sign is escaped as well.
    return re.sub(r'[%/\\:*?"<>|]', lambda found: f"%{ord(found[0]):02X}", fold)


def _words(head: NetworkHead) -> dict[str, Any]:
    return {"name": head.name, "options": head.options}


def _read_words(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".json")
    try:
        said: dict[str, Any] = json.loads(beside.read_text(encoding="utf-8"))
        return {what: said[what] for what in _SAID}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(
            f"Cannot read {beside}, which says what {path.name} is: {error}."
        ) from error
