"""Checkpoints of pretrained models: found, read safely, loaded completely, and known by digest.

A checkpoint is a folder laid out as on the Hugging Face hub: ``config.json`` beside
``model.safetensors``, or beside ``pytorch_model.bin`` where that is all there is. Nothing in it is
ever run: pickles are read by torch's reader of plain tensors, which refuses code. Whatever is
absent, incomplete or of another model raises `CheckpointError`; weights are never left at random.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .errors import CheckpointAbsentError, CheckpointError
from .hub import download

__all__ = [
    "Checkpoint",
    "count_weights",
    "digest_weights",
    "fill_weights",
    "find_checkpoint",
    "name_few",
    "read_configuration",
    "read_json",
]

Configuration = TypeVar("Configuration", bound=BaseModel)

_SAFE, _PICKLE = "model.safetensors", "pytorch_model.bin"
_INDEX = f"{_SAFE}.index.json"
_NAMED_AT_MOST = 3


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose configuration has been read; its weights are read on demand.

    Attributes
    ----------
    name : str
        As the user gave it: a folder, or an id on the hub.
    source : str
        Where it came from, for results: the id with its commit, or ``folder``.
    config : mapping
        Content of ``config.json``.
    file : callable
        Path of one of its files, downloaded if need be; None where it has no such file.
    """

    name: str
    source: str
    config: Mapping[str, Any]
    file: Callable[[str], Path | None]

    def tensors(self) -> dict[str, Any]:
        """Read every tensor, as torch tensors on the CPU.

        Raises
        ------
        CheckpointError
            If there are no weights, or they are truncated or hold code.
        """
        # Offline, the hub's cache cannot tell a file that a model has not from one that was never
        # downloaded: the next name is tried in either case.
        absent: CheckpointAbsentError | None = None
        readers = ((_SAFE, _read_safetensors), (_INDEX, self._read_parts), (_PICKLE, _read_pickle))
        for file, read in readers:
            try:
                path = self.file(file)
            except CheckpointAbsentError as error:
                absent = absent or error
                continue
            if path is not None:
                return read(path)
        raise absent or CheckpointError(
            f"The checkpoint {self.name!r} holds no weights: neither {_SAFE} nor {_PICKLE}. "
            "Download it again, or name another folder."
        )

    def _read_parts(self, index: Path) -> dict[str, Any]:
        tensors: dict[str, Any] = {}
        places = read_json(index).get("weight_map")
        if not isinstance(places, dict):
            raise CheckpointError(
                f"{index} lists no weights (weight_map). Download it again, or name another folder."
            )
        for part in sorted(set(places.values())):
            path = self.file(part)
            if path is None:
                raise CheckpointError(
                    f"The checkpoint {self.name!r} lacks {part}, which {index.name} lists. "
                    "Download it again, or name another folder."
                )
            tensors |= _read_safetensors(path)
        return tensors


@lru_cache(maxsize=16)
def find_checkpoint(name: str) -> Checkpoint:
    """Find a checkpoint and read its configuration.

    Parameters
    ----------
    name : str
        A folder, or an id on the Hugging Face hub with an optional revision (branch, tag or
        commit): ``org/model@main``. What was downloaded before is used without a network.

    Raises
    ------
    CheckpointAbsentError
        If it cannot be reached: no such folder, model or revision, or no network.
    CheckpointError
        If its configuration is absent or cannot be read.
    DependencyError
        If it lies on the hub and huggingface-hub is not installed.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():

        def in_folder(file: str) -> Path | None:
            return folder / file if (folder / file).is_file() else None

        return Checkpoint(name, "folder", _config(name, in_folder("config.json")), in_folder)
    repository, _, revision = name.partition("@")
    if name.startswith((".", "/", "~")) or repository.count("/") != 1:
        raise CheckpointAbsentError(
            f"There is no checkpoint {name!r}: it is neither a folder nor of the form org/model. "
            "Name a folder that holds config.json and model.safetensors, or a model on the hub."
        )

    config = download(repository, revision or None, "config.json")
    # The hub's cache files a snapshot under its commit. Its other files are taken from the same
    # one, so that a checkpoint that is being replaced is never mixed.
    commit = None if config is None else config.parent.name

    def on_hub(file: str) -> Path | None:
        return download(repository, commit, file)

    return Checkpoint(name, f"{repository}@{commit}", _config(name, config), on_hub)


def read_configuration(
    kind: type[Configuration],
    published: Mapping[str, Any],
    checkpoint: str,
    model: str,
    may_lack: Iterable[str] = (),
) -> Configuration:
    """Read the part of a published configuration that decides what a model computes.

    Parameters
    ----------
    kind : type of pydantic model
        Its fields are the keys that are used; every one must be there.
    published : mapping
        Content of ``config.json``.
    checkpoint, model : str
        Their names, for messages.
    may_lack : iterable of str
        Keys that need not be there.

    Raises
    ------
    CheckpointError
        If a key is missing, or has a value that the model does not compute.
    """
    who = f"config.json of the checkpoint {checkpoint!r}"
    lacking = [key for key in _lacking(kind, published) if key not in set(may_lack)]
    if lacking:
        raise CheckpointError(
            f"{who} lacks {name_few(lacking)}: it is not a {model} configuration. Name a {model} "
            "checkpoint."
        )
    try:
        return kind.model_validate(published)
    except ValidationError as error:
        first = error.errors()[0]
        reason = first["msg"].removeprefix("Value error, ")
        if first["loc"]:
            where = ".".join(str(part) for part in first["loc"])
            reason = f"{where} is {first['input']!r}: {reason}"
        raise CheckpointError(
            f"{who} cannot be used: {reason}. It is not a {model} this encoder knows."
        ) from error


def _lacking(kind: type[BaseModel], published: Mapping[str, Any]) -> list[str]:
    found = []
    for key, field in kind.model_fields.items():
        inner, given = field.annotation, published.get(key)
        if key not in published:
            found.append(key)
        elif (
            isinstance(inner, type) and issubclass(inner, BaseModel) and isinstance(given, Mapping)
        ):
            found += [f"{key}.{lacked}" for lacked in _lacking(inner, given)]
    return found


def fill_weights(
    module: Any, tensors: Mapping[str, Any], name: str, ignore: Iterable[str] = ()
) -> None:
    """Put a checkpoint's tensors into a torch module, in float32: all of them, each in its place.

    Parameters
    ----------
    module : torch.nn.Module
        Its own names are the checkpoint's.
    tensors : mapping of str to torch tensor
    name : str
        Of the checkpoint, for messages.
    ignore : iterable of str
        Beginnings of names that the checkpoint may hold and the module does not use.

    Raises
    ------
    CheckpointError
        If a tensor is missing, unknown, of another shape, or holds a value that is not finite.
    """
    import torch

    expected = module.state_dict()
    beginnings = tuple(ignore)
    used = {key: tensor for key, tensor in tensors.items() if key in expected}
    unknown = [key for key in tensors if not (key in expected or key.startswith(beginnings))]
    broken = [
        f"{key} has shape {tuple(tensor.shape)}, expected {tuple(expected[key].shape)}"
        for key, tensor in used.items()
        if tensor.shape != expected[key].shape
    ]
    faults = {
        "it lacks": [key for key in expected if key not in used],
        "it holds unknown": unknown,
        "of another shape:": broken,
        "not finite:": [
            key
            for key, tensor in used.items()
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
        ],
    }
    found = [f"{fault} {name_few(keys)}" for fault, keys in faults.items() if keys]
    if found:
        raise CheckpointError(
            f"The checkpoint {name!r} does not fit the model {type(module).__name__} of "
            f"{len(expected)} tensors: {'; '.join(found)}. It is incomplete or of another model: "
            "download it again, or name the right one."
        )
    single = {
        key: tensor.float() if tensor.is_floating_point() else tensor
        for key, tensor in used.items()
    }
    module.load_state_dict(single, strict=True, assign=True)


def digest_weights(module: Any, configuration: Mapping[str, Any]) -> str:
    """SHA-256 of a torch module's tensors, by name, and of what else decides on its outputs.

    Parameters
    ----------
    module : torch.nn.Module
    configuration : mapping
        As JSON holds it.
    """
    sha256 = hashlib.sha256(json.dumps(configuration, sort_keys=True).encode())
    for key, tensor in sorted(module.state_dict().items()):
        sha256.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha256.update(tensor.detach().cpu().contiguous().numpy().data)
    return sha256.hexdigest()


def count_weights(module: Any) -> int:
    """Count the numbers that training sets in a torch module."""
    return sum(parameter.numel() for parameter in module.parameters())


def name_few(keys: Sequence[str]) -> str:
    """Name the first few, and count the rest."""
    more = f" and {len(keys) - _NAMED_AT_MOST} more" if len(keys) > _NAMED_AT_MOST else ""
    return ", ".join(keys[:_NAMED_AT_MOST]) + more


def _config(name: str, path: Path | None) -> Mapping[str, Any]:
    if path is None:
        raise CheckpointError(
            f"The checkpoint {name!r} has no config.json, so that its architecture is not known. "
            "Name the folder that holds it, or another checkpoint."
        )
    return read_json(path)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of a checkpoint.

    Raises
    ------
    CheckpointError
        If it cannot be read, or is no object.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"Cannot read {path} of a checkpoint: {error}. Download it again."
        ) from error
    if not isinstance(read, dict):
        raise CheckpointError(
            f"{path} holds a JSON {type(read).__name__}, not an object. Download it again."
        )
    return read


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Any] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"The weights {path} cannot be read: {error}. The file is truncated or damaged: "
            "download it again."
        ) from error
    return tensors


def _read_pickle(path: Path) -> dict[str, Any]:
    import torch

    try:
        # An unusual version of the format is no news once it has been read or refused.
        with warnings.catch_warnings(action="ignore"):
            read = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise CheckpointError(
            f"The weights {path} are a pickle that holds more than tensors, or is damaged, and are "
            f"refused: {first} Name a checkpoint with {_SAFE}."
        ) from error
    if not isinstance(read, dict) or not all(torch.is_tensor(tensor) for tensor in read.values()):
        raise CheckpointError(
            f"The weights {path} are not a plain mapping of names to tensors. Name a checkpoint "
            f"with {_SAFE}."
        )
    return read
