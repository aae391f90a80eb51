"""Stored features held against what encoding a sample of their clips again gives.

The encoder and the pooling are made from what the namespace says of itself. The clips are found by
their keys: rendered ones in the cache of renders, recordings and notes in a dataset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clip_features import forget_loaded
from .components import AudioEncoder, Pooling, ScoreEncoder
from .encode import clip_encoder, describe_features
from .errors import PianobenchError
from .inventory import StoredNamespace
from .places import cache_at
from .plugins import Registry
from .policy import Policy
from .pooling import create_pooling
from .render import find_renders
from .sources import NoteSource, RenderSource, WaveformSource, find_sources
from .store import FeatureStore, Row
from .values import Clip, Corpus

__all__ = ["TOLERANCE", "Reencoded", "reencode"]

TOLERANCE = 1e-4
"""Share of a layer's largest value. Devices and libraries round differently, by far less; other
weights or other code differ by far more."""

Encoder = AudioEncoder | ScoreEncoder


@dataclass(frozen=True, slots=True)
class Reencoded:
    """What encoding clips of a namespace again showed.

    Attributes
    ----------
    clips : int
        Encoded again; 0 where nothing could be.
    difference : float
        The largest between a stored value and its new one, as a share of the largest stored value
        of the layer.
    reason : str
        Why nothing could be encoded again; empty where something was.
    """

    clips: int
    difference: float
    reason: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the difference is within `TOLERANCE`."""
        return self.difference <= TOLERANCE

    def text(self) -> str:
        """Return the outcome as a sentence."""
        if not self.clips:
            return f"not verified. {self.reason}"
        found = "agrees" if self.agrees else "DIFFERS"
        return (
            f"{found}: {self.clips} clips encoded again differ by {self.difference:.1e} of the "
            f"layer's largest value; {TOLERANCE:.0e} is allowed"
        )


class _ImpossibleError(PianobenchError):
    """Why a namespace cannot be encoded again."""


def reencode(
    namespace: StoredNamespace,
    registry: Registry,
    renders: Path,
    corpus: Corpus | None,
    sample: int,
    device: str = "cpu",
) -> Reencoded:
    """Encode a sample of a namespace's clips again.

    Parameters
    ----------
    namespace : StoredNamespace
    registry : Registry
        Must know the encoder and the pooling.
    renders : Path
        The cache of renders.
    corpus : Corpus, optional
        Where recordings and notes are looked for.
    sample : int
        Number of clips at most; which is drawn by the namespace's digest, the same every time.
    device : str
    """
    try:
        return _reencode(namespace, registry, renders, corpus, sample, device)
    except PianobenchError as error:
        return Reencoded(0, np.nan, str(error))
    finally:
        forget_loaded()


def _reencode(
    namespace: StoredNamespace,
    registry: Registry,
    renders: Path,
    corpus: Corpus | None,
    sample: int,
    device: str,
) -> Reencoded:
    encoder, pooling, policy = _made_again(namespace, registry, device)
    described, _ = describe_features(encoder, pooling, policy)
    changed = _changes(namespace.description, described)
    if changed:
        raise _ImpossibleError(
            f"What is installed here would not read these features: {'; '.join(changed)}. Install "
            "the version they were made with, or clear them."
        )
    store = FeatureStore(namespace.folder.parent, described)
    found = _sources(encoder, renders, corpus)
    keys = sorted(set(store.keys) & set(found))
    if not keys:
        raise _ImpossibleError(
            f"None of its {namespace.clips} clips is at hand: neither a render in {renders} nor "
            "a clip of the dataset. Name the dataset that they are of with --dataset."
        )
    random = np.random.default_rng(int(namespace.digest[:16], 16))
    drawn = sorted(random.choice(keys, size=min(sample, len(keys)), replace=False).tolist())
    encode = clip_encoder(encoder, pooling, policy)
    # Encoders of notes keep alignments in the cache that holds the namespace.
    with cache_at(namespace.folder.parent.parent):
        rows = [encode(found[key]) for key in drawn]
    return Reencoded(len(rows), _difference(store.read(drawn), rows))


def _made_again(
    namespace: StoredNamespace, registry: Registry, device: str
) -> tuple[Encoder, Pooling, Policy | None]:
    """Make what the description names; which weights they were stands in the provenance."""
    try:
        encoded, pooled = namespace.description["encoder"], namespace.description["pooling"]
        options = {**encoded["options"], **namespace.provenance.get("weights_options", {})}
        pooling = create_pooling(registry, pooled["name"], pooled["options"])
        found = registry.find("encoder", encoded["name"]).component
        if issubclass(found, ScoreEncoder):
            return registry.create(ScoreEncoder, "encoder", found.name, options), pooling, None
        encoder = registry.create(AudioEncoder, "encoder", encoded["name"], options)
        given = namespace.description["input"]
        made_on = given.get("device", "cpu")
        if given["precision"] != "float32" and device.partition(":")[0] != made_on:
            raise _ImpossibleError(
                f"Its features were made in {given['precision']} on {made_on!r}, and {device!r} "
                f"rounds in another way. Verify it with --device {made_on}."
            )
        policy = Policy(
            given["chunk_samples"], given["overlap_samples"], given["precision"], device
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise _ImpossibleError(
            f"Its description cannot be used: {type(error).__name__}: {error}. Clear it: features "
            "that nothing describes are never read."
        ) from error
    return encoder, pooling, policy


def _changes(stored: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    changed = []
    for part in sorted(set(stored) | set(now)):
        one, other = stored.get(part, {}), now.get(part, {})
        changed += [
            f"{part}.{key} was {one.get(key)!r} and is {other.get(key)!r}"
            for key in sorted(set(one) | set(other))
            if one.get(key) != other.get(key)
        ]
    return changed


def _sources(
    encoder: Encoder, renders: Path, corpus: Corpus | None
) -> dict[str, NoteSource | WaveformSource]:
    found: dict[str, NoteSource | WaveformSource] = {}
    if isinstance(encoder, AudioEncoder):
        rendered = find_renders(renders, encoder.sample_rate)
        found |= {key: RenderSource(Clip(key[:12]), render) for key, render in rendered.items()}
        if corpus is None or not all(clip.audio for clip in corpus.clips):
            return found
    if corpus is not None:
        found |= {source.key: source for source in find_sources(encoder, corpus, None)}
    return found


def _difference(stored: Mapping[int, NDArray[np.float32]], rows: Sequence[Row]) -> float:
    largest = 0.0
    for layer, values in stored.items():
        again = np.stack([np.asarray(row.layers[layer], dtype=np.float32) for row in rows])
        if again.shape != values.shape or not np.isfinite(values).all():
            return np.inf
        scale = float(np.abs(values).max()) or 1.0
        largest = max(largest, float(np.abs(again - values).max()) / scale)
    return largest
