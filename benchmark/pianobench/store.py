"""Pooled features on disk, found by what they were computed from.

A *namespace* is a folder named by the SHA-256 of its description: everything but the clip that
the values depend on. In it lie safetensors *shards*, each with one tensor per layer, ``layer.0``
to ``layer.n``, of shape (rows, width), and the keys of its rows in the header. There is no other
index, so none can disagree with the values.

A shard is written under a temporary name and renamed, and never changed afterwards. Runs may
therefore share a namespace, and one that is killed leaves whole shards behind. `FeatureStore.merge`
replaces small shards by large ones; a shard is deleted only after all of its rows have been written
elsewhere, and a reader that had listed it lists again.

Beside the shards lie ``namespace.json``, the description, and ``provenance.json``: what the first
run knew of the encoder and no value depends on (`pianobench.namespace`).
"""

from __future__ import annotations

import json
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .errors import StoreError
from .namespace import Namespace, remove_abandoned, replace_file, storing

__all__ = ["SHARD", "FeatureStore", "Row", "ShardHeader", "read_header"]

SHARD_ROWS = 256
SHARD = ".safetensors"
_ATTEMPTS = 10

Floats = NDArray[np.floating[Any]]


class Row(NamedTuple):
    """The features of one clip: its key, and one vector per layer."""

    key: str
    layers: Sequence[Floats]


class _Place(NamedTuple):
    shard: str
    row: int


class ShardHeader(NamedTuple):
    """What a shard says of itself: the keys of its rows, and its number of layers."""

    keys: tuple[str, ...]
    layers: int


def read_header(path: Path) -> ShardHeader:
    """Read the header of a shard.

    Raises
    ------
    StoreError
        If it is damaged, with what is wrong as its message.
    OSError
        If the file cannot be read.
    """
    try:
        with _open(path) as shard:
            return ShardHeader(tuple(json.loads(shard.metadata()["keys"])), len(shard.keys()))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise StoreError(str(error)) from error


class FeatureStore:
    """The features of one namespace.

    Parameters
    ----------
    root : Path
        Folder of all namespaces; nothing is created before the first `write`.
    description : mapping
        What the values depend on besides the clip, as JSON holds it.

    Attributes
    ----------
    namespace : Namespace
    digest : str
        Of the description; the name of the folder.
    """

    def __init__(self, root: Path, description: Mapping[str, Any]) -> None:
        self.namespace = Namespace(root, description)
        self.digest = self.namespace.digest
        self._folder = self.namespace.folder
        self._headers: dict[str, tuple[str, ...]] = {}
        self._damaged: dict[str, str] = {}

    @property
    def keys(self) -> list[str]:
        """Keys of all clips that are stored."""
        return list(self._index())

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Keys that are not stored, each once, in the order given."""
        index = self._index()
        return [key for key in dict.fromkeys(keys) if key not in index]

    def write(self, rows: Sequence[Row]) -> None:
        """Store rows in new shards.

        Parameters
        ----------
        rows : sequence of Row
            All with the same number of layers, and with the same width in each.

        Raises
        ------
        StoreError
            If the folder cannot be written: no space, no permission. What was stored stays.
        """
        for start in range(0, len(rows), SHARD_ROWS):
            self._write_shard(rows[start : start + SHARD_ROWS])

    def read(
        self, keys: Sequence[str], layers: Sequence[int] | None = None
    ) -> dict[int, NDArray[np.float32]]:
        """Read some layers of some clips.

        Parameters
        ----------
        keys : sequence of str
            A key may occur more than once.
        layers : sequence of int, optional
            All of them when not given.

        Returns
        -------
        dict of int to array, shape (clips, width)
            Rows in the order of the keys.

        Raises
        ------
        StoreError
            If a key or a layer is not stored.
        """
        for attempt in range(_ATTEMPTS):
            try:
                return self._read(keys, layers)
            except FileNotFoundError:
                # Another run merged the shards after they were listed.
                time.sleep(0.01 * attempt)
        raise StoreError(
            f"The features in {self._folder} vanish while they are read. Is something deleting "
            "the cache? Run again when it has ended."
        )

    def merge(self) -> None:
        """Replace small shards by large ones, and remove what killed runs left behind.

        Raises
        ------
        StoreError
            If the folder cannot be written. What was stored stays.
        """
        remove_abandoned(self._folder)
        index = self._index()
        small = {name for name, keys in self._headers.items() if len(keys) < SHARD_ROWS}
        replaced = small if len(small) > 1 else set()
        keys = [key for key, place in index.items() if place.shard in replaced]
        for start in range(0, len(keys), SHARD_ROWS):
            part = keys[start : start + SHARD_ROWS]
            layers = self.read(part)
            self._write_shard(
                [Row(key, [layers[k][row] for k in sorted(layers)]) for row, key in enumerate(part)]
            )
        with storing(self._folder):
            for name in replaced | set(self._damaged):
                (self._folder / name).unlink(missing_ok=True)

    def _read(
        self, keys: Sequence[str], layers: Sequence[int] | None
    ) -> dict[int, NDArray[np.float32]]:
        index = self._index()
        rows_of: dict[str, list[tuple[int, int]]] = {}
        for position, key in enumerate(keys):
            if key not in index:
                raise StoreError(
                    f"The features of the clip with key {key[:12]}... are not in {self._folder}. "
                    "Encode the corpus again."
                )
            place = index[key]
            rows_of.setdefault(place.shard, []).append((position, place.row))
        values: dict[int, NDArray[np.float32]] = {}
        for name, places in rows_of.items():
            positions, rows = (list(of) for of in zip(*places, strict=True))
            with _open(self._folder / name) as shard:
                for layer in range(len(shard.keys())) if layers is None else layers:
                    block = self._layer(shard, name, layer)[rows]
                    if layer not in values:
                        values[layer] = np.empty((len(keys), block.shape[1]), dtype=np.float32)
                    values[layer][positions] = block
        return values

    def _layer(self, shard: Any, name: str, layer: int) -> NDArray[np.float32]:
        tensor = f"layer.{layer}"
        if tensor not in shard.keys():  # noqa: SIM118 - a shard is no mapping
            raise StoreError(
                f"{self._folder / name} has no layer {layer}; it holds layers 0 to "
                f"{len(shard.keys()) - 1}."
            )
        values: NDArray[np.float32] = shard.get_tensor(tensor)
        return values

    def _index(self) -> dict[str, _Place]:
        """List the shards now there; a header is read once, since shards never change."""
        try:
            names = sorted(p.name for p in self._folder.iterdir() if p.suffix == SHARD)
        except FileNotFoundError:
            names = []
        except OSError as error:
            raise StoreError(f"Cannot list the features in {self._folder}: {error}.") from error
        for gone in set(self._headers) - set(names):
            del self._headers[gone]
        for name in names:
            if name not in self._headers and name not in self._damaged:
                self._read_header(name)
        return {
            key: _Place(name, row)
            for name in names
            for row, key in enumerate(self._headers.get(name, ()))
        }

    def _read_header(self, name: str) -> None:
        path = self._folder / name
        try:
            self._headers[name] = read_header(path).keys
        except FileNotFoundError:
            return
        except StoreError as error:
            self._damaged[name] = str(error)
            warnings.warn(
                f"The feature file {path} is damaged ({error}) and is ignored; its clips are "
                "encoded again and the file is removed after that.",
                stacklevel=4,
            )
        except OSError as error:
            raise StoreError(f"Cannot read the feature file {path}: {error}.") from error

    def _write_shard(self, rows: Sequence[Row]) -> None:
        tensors = {
            f"layer.{k}": np.stack([np.asarray(row.layers[k], dtype=np.float32) for row in rows])
            for k in range(len(rows[0].layers))
        }
        keys = [row.key for row in rows]
        name = f"{uuid.uuid4().hex}{SHARD}"
        with storing(self._folder):
            self.namespace.describe()
            replace_file(self._folder / name, save(tensors, {"keys": json.dumps(keys)}))
        self._headers[name] = tuple(keys)


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    with safe_open(path, framework="np") as shard:
        yield shard
