"""What the cache holds: namespaces of features or frames, folders of renders, and their sizes.

A listing reads and never changes anything; what it cannot read it names and goes on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import StoreError, UsageError
from .namespace import DESCRIPTION, PROVENANCE
from .store import SHARD, read_header

__all__ = [
    "StoredNamespace",
    "find_namespaces",
    "inventory_text",
    "list_namespaces",
    "remove",
    "size_bytes",
    "size_text",
]

_WIDTH = 40


@dataclass(frozen=True, slots=True)
class StoredNamespace:
    """One folder of pooled features, or of frames.

    Attributes
    ----------
    folder : Path
    description : mapping
        All that its values depend on besides the clips; empty where it cannot be read.
    provenance : mapping
        What the first run knew of the encoder; empty where nothing is kept.
    clips, layers, shards : int
        A clip's frames are a shard.
    size_bytes : int
    faults : tuple of str
        What cannot be read.
    """

    folder: Path
    description: Mapping[str, Any]
    provenance: Mapping[str, Any]
    clips: int
    layers: int
    shards: int
    size_bytes: int
    faults: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the description; the name of the folder."""
        return self.folder.name

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return {
            "digest": self.digest,
            "description": dict(self.description),
            "provenance": dict(self.provenance),
            "clips": self.clips,
            "layers": self.layers,
            "shards": self.shards,
            "size_bytes": self.size_bytes,
            "faults": list(self.faults),
        }


def inventory_text(namespaces: Sequence[StoredNamespace]) -> str:
    """Tabulate namespaces, a line each, and name what cannot be read below."""
    from tabulate import tabulate

    rows = [
        (
            namespace.digest[:12],
            *_summary(namespace),
            namespace.clips,
            namespace.layers,
            size_text(namespace.size_bytes),
        )
        for namespace in namespaces
    ]
    heads = ("digest", "encoder", "pooling", "input", "clips", "layers", "size")
    table = tabulate(rows, heads, tablefmt="plain", colalign=("left",) * 4 + ("right",) * 3)
    faults = [f"{n.digest[:12]}: cannot read {fault}" for n in namespaces for fault in n.faults]
    return "\n".join([table, *faults])


def size_text(size: int) -> str:
    """Write a number of bytes.

    Examples
    --------
    >>> size_text(999), size_text(1_234_567), size_text(25 * 10**9)
    ('999 B', '1.2 MB', '25.0 GB')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"


def list_namespaces(root: Path) -> list[StoredNamespace]:
    """List the namespaces under a root, of features or of frames; none where it does not exist."""
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"Cannot list the features in {root}: {error.strerror}.") from error
    return [_read(folder) for folder in folders]


def find_namespaces(namespaces: Sequence[StoredNamespace], prefix: str) -> list[StoredNamespace]:
    """Find those whose digest begins so.

    Raises
    ------
    UsageError
        If there are none.
    """
    found = [namespace for namespace in namespaces if namespace.digest.startswith(prefix)]
    if not found:
        raise UsageError(
            f"None of the {len(namespaces)} namespaces to choose from has a digest that begins "
            f"with {prefix!r}. `bench store` lists them."
        )
    return found


def size_bytes(folder: Path) -> int:
    """Size of all files in a folder; 0 where it does not exist."""
    return sum(_sizes(folder.rglob("*")))


def remove(folder: Path) -> None:
    """Delete a folder of the cache.

    Raises
    ------
    StoreError
        If it cannot be deleted.
    """
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"Cannot delete {folder}: {error.strerror}. Delete it by hand.") from error


def _read(folder: Path) -> StoredNamespace:
    faults: list[str] = []
    description = _read_json(folder / DESCRIPTION, faults)
    provenance = {}
    if (folder / PROVENANCE).exists():
        provenance = _read_json(folder / PROVENANCE, faults)
    shards = sorted(folder.glob(f"*{SHARD}"))
    clips, layers = _count(shards, description, faults)
    return StoredNamespace(
        folder, description, provenance, clips, layers, len(shards), size_bytes(folder),
        tuple(faults),
    )  # fmt: skip


def _count(
    shards: Sequence[Path], description: Mapping[str, Any], faults: list[str]
) -> tuple[int, int]:
    """Count clips and layers; frames are a file a clip, too many to open each."""
    if _is_frames(description):
        return sum(size > 0 for size in _sizes(shards)), len(description["layers"])
    keys: set[str] = set()
    layers = 0
    for shard in shards:
        try:
            header = read_header(shard)
        except (StoreError, OSError) as error:
            faults.append(f"{shard.name}: {error}")
        else:
            keys.update(header.keys)
            layers = max(layers, header.layers)
    return len(keys), layers


def _is_frames(description: Mapping[str, Any]) -> bool:
    """Whether frames are kept, of the layers named; of pooled features, all layers are."""
    return isinstance(description.get("layers"), list)


def _summary(namespace: StoredNamespace) -> tuple[str, str, str]:
    """Put encoder, pooling and input in words; a description may hold anything."""
    encoder = _with_options(namespace.description.get("encoder"))
    source = namespace.provenance.get("source")
    given = namespace.description.get("input")
    return (
        f"{encoder} ({source})" if source else encoder,
        "(frames)"
        if _is_frames(namespace.description)
        else _with_options(namespace.description.get("pooling")),
        _input_text(given) if isinstance(given, dict) else "",
    )


def _with_options(part: Any) -> str:
    if not isinstance(part, dict):
        return "?"
    options = part.get("options")
    if not isinstance(options, dict):
        return str(part.get("name", "?"))
    text = " ".join([str(part.get("name", "?")), *(f"{k}={v}" for k, v in options.items())])
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _input_text(given: Mapping[str, Any]) -> str:
    rate, chunk = given.get("sample_rate"), given.get("chunk_samples")
    text = f"{rate} Hz"
    if isinstance(rate, int) and isinstance(chunk, int):
        text += f", {chunk / rate:.3g} s"
        if given.get("overlap_samples"):
            text += f" overlapping {given['overlap_samples'] / rate:.3g} s"
    precision = given.get("precision", "float32")
    return text if precision == "float32" else f"{text}, {precision}"


def _read_json(path: Path, faults: list[str]) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        faults.append(f"{path.name}: {error}")
        return {}
    if not isinstance(read, dict):
        faults.append(f"{path.name}: a JSON {type(read).__name__}, not an object")
        return {}
    return read


def _sizes(paths: Iterable[Path]) -> Iterator[int]:
    for path in paths:
        try:
            if path.is_file():
                yield path.stat().st_size
        except OSError:
            # Another run renamed or deleted it.
            continue
