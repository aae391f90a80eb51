"""What a fitted model says of recordings that nobody rated, and how far that can be believed.

What enters is a kept model and clips; what leaves is a folder with ``study.json``,
``predictions.csv``, pictures and ``report.html``. Without labels nothing can be scored. What can be
told is whether predictions are distributed as those of the training clips are when models have not
seen their passages, how far the recordings lie from what the model knows, and which of them it
knows: takes that were among its training clips are named and left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..apply_model import Applied, apply_model
from ..components import Dataset
from ..corpus import load_corpus
from ..errors import DataError, PianobenchError
from ..failures import together
from ..file_clips import unlabelled
from ..model_folder import KeptModel
from ..overlap import Overlap, find_overlap
from ..plugins import Registry
from ..run import Workplace, environment
from ..values import Clip
from .folder import Record

__all__ = ["Recordings", "Spread", "ZeroShot", "zero_shot"]

KIND = "zero-shot"
EXTREMES = 3
"""Clips named at each end of each dimension."""
FAR = 95.0
"""Percentile of novelty from which a clip is called far from what the model knows."""

Floats = NDArray[np.float64]


class Spread(Record):
    """How values are distributed: mean, standard deviation and five quantiles."""

    mean: float
    sd: float
    q05: float
    q25: float
    q50: float
    q75: float
    q95: float

    @classmethod
    def of(cls, values: Floats) -> Spread:
        """Describe values, shape (clips,)."""
        low, lower, middle, upper, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
        return cls(
            mean=float(values.mean()),
            sd=float(values.std()),
            q05=low,
            q25=lower,
            q50=middle,
            q75=upper,
            q95=high,
        )


class Extreme(Record):
    """A clip at one end of a dimension."""

    clip: str
    value: float
    novelty: float


class DimensionRecord(Record):
    """What is predicted in one dimension, and what it is to be read beside."""

    name: str
    low: str
    high: str
    predicted: Spread
    held_out: Spread | None
    """Of the training clips, by models that had not seen their passages."""
    labels: Spread
    """Of the training clips; wider than any predictions of a model that is unsure."""
    outside: float
    """Share of clips predicted beyond 95% of `held_out` on either side; 0.1 if as usual."""
    highest: list[Extreme]
    lowest: list[Extreme]


class ZeroShot(Record):
    """The study as it is stored."""

    schema_version: Literal[1] = 1
    study: Literal["zero-shot"] = "zero-shot"
    ranked: Literal[False] = False
    name: str
    pianobench: str
    model: str
    model_digest: str
    """SHA-256 of its record."""
    model_r2: float | None
    fitted_on: str
    source: str
    clips: int
    """Those that are described: neither known to the model nor unusable."""
    dimensions: list[DimensionRecord]
    novelty: Spread
    """Percentiles of the distance to the training clips."""
    far: float
    """Share of clips above the 95th percentile; 0.05 if they are like the training clips."""
    known: list[tuple[str, str]]
    """Clips that hold, or are held by, a take that the model was fitted on, and that take."""
    unchecked: str
    """Why some or all clips could not be held against the training clips; empty if all were."""
    failures: dict[str, str]
    notes: list[str]
    environment: dict[str, str]


@dataclass(frozen=True)
class Recordings:
    """What a study is about.

    Attributes
    ----------
    source : str
        Where the clips come from.
    clips : tuple of Clip
    failures : mapping of str to PianobenchError
        Files that are no clips.
    left_out : mapping of str to str
        Entries that the dataset was asked to leave out, and why.
    """

    source: str
    clips: tuple[Clip, ...]
    failures: Mapping[str, PianobenchError]
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What a model says of the clips it does not know, beside the study's record.

    Attributes
    ----------
    study : ZeroShot
    applied : Applied
        To all clips, in order.
    new : bool array, shape (clips,)
        False for clips that the model knows.
    """

    study: ZeroShot
    applied: Applied
    new: NDArray[np.bool_]


def zero_shot(
    kept: KeptModel,
    recordings: Recordings,
    registry: Registry,
    workplace: Workplace,
    *,
    skip: bool = False,
) -> Found:
    """Apply a model to recordings and describe what it says.

    Parameters
    ----------
    kept : KeptModel
    recordings : Recordings
    registry : Registry
        Of the dataset that the model was fitted on: its takes are looked for where it is there.
    workplace : Workplace
    skip : bool
        Leave out what cannot be predicted, and count it.

    Raises
    ------
    DataError
        If clips cannot be predicted and are not to be skipped, or none is left.
    PianobenchError
        Whatever applying the model refuses.
    """
    applied = apply_model(kept, recordings.clips, workplace)
    failures = {**recordings.failures, **applied.failures}
    count = len(failures) + len(applied.clips)
    if failures and not skip:
        what = (
            f"{len(failures)} of {count} recordings cannot be predicted; the others are encoded. "
            "Remove what is named, or leave it out with --skip."
        )
        raise together(failures, what, named_as="Recording")
    if not applied.clips:
        raise DataError(f"None of the {count} recordings of {recordings.source} can be predicted.")
    overlap = _known(kept, applied, registry, workplace)
    new = np.array([clip.id not in set(overlap.clips) for clip in applied.clips])
    if not new.any():
        raise DataError(
            f"All {count} recordings of {recordings.source} are takes that the model was fitted "
            "on, so that nothing can be learned from what it says of them. Give others."
        )
    return Found(
        _record(kept, recordings, applied, new, overlap, failures, workplace), applied, new
    )


def _known(kept: KeptModel, applied: Applied, registry: Registry, workplace: Workplace) -> Overlap:
    choice = kept.record.config.dataset
    try:
        dataset = registry.create(Dataset, "dataset", choice.name, choice.options)
        training = load_corpus(dataset, workplace.data_root, workplace.cache)
    except PianobenchError as error:
        return Overlap((), f"the training clips are not here: {error}")
    overlap = find_overlap(unlabelled("the recordings", applied.clips), training)
    if training.digest == kept.record.data.digest:
        return overlap
    why = "the training data here are not those it was fitted on"
    return replace(overlap, unchecked="; ".join(filter(None, [why, overlap.unchecked])))


def _record(
    kept: KeptModel,
    recordings: Recordings,
    applied: Applied,
    new: NDArray[np.bool_],
    overlap: Overlap,
    failures: Mapping[str, PianobenchError],
    workplace: Workplace,
) -> ZeroShot:
    record = kept.record
    text = json.dumps(record.model_dump(mode="json"), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    percentiles = np.array(applied.percentiles)
    of = [digest, recordings.source, [clip.id for clip in applied.clips], applied.values.tolist()]
    identity = hashlib.sha256(json.dumps(of).encode()).hexdigest()
    return ZeroShot(
        name=f"{KIND}-{record.name}-{identity[:8]}",
        pianobench=version("pianobench"),
        model=record.name,
        model_digest=digest,
        model_r2=record.r2,
        fitted_on=record.data.dataset,
        source=recordings.source,
        clips=int(new.sum()),
        dimensions=_dimensions(kept, applied, new, percentiles),
        novelty=Spread.of(percentiles[new]),
        far=float((percentiles[new] > FAR).mean()),
        known=list(overlap.pairs),
        unchecked=overlap.unchecked,
        failures={
            **recordings.left_out,
            **{name: str(error) for name, error in failures.items()},
        },
        notes=list(applied.notes),
        environment=environment(workplace),
    )


def _dimensions(
    kept: KeptModel, applied: Applied, new: NDArray[np.bool_], percentiles: Floats
) -> list[DimensionRecord]:
    training = kept.training
    usual = training.targets if training.held_out is None else training.held_out
    records = []
    for index, dimension in enumerate(kept.model.dimensions):
        values = applied.values[:, index]
        low, high = np.quantile(usual[:, index], [0.05, 0.95])
        order = np.flatnonzero(new)[np.argsort(values[new], kind="stable")]

        def named(clips: Sequence[int], values: Floats = values) -> list[Extreme]:
            return [
                Extreme(
                    clip=applied.clips[clip].id,
                    value=float(values[clip]),
                    novelty=float(percentiles[clip]),
                )
                for clip in clips
            ]

        held_out = None if training.held_out is None else Spread.of(training.held_out[:, index])
        records.append(
            DimensionRecord(
                name=dimension.name,
                low=dimension.low,
                high=dimension.high,
                predicted=Spread.of(values[new]),
                held_out=held_out,
                labels=Spread.of(training.targets[:, index]),
                outside=float(((values[new] < low) | (values[new] > high)).mean()),
                highest=named(order[::-1][:EXTREMES].tolist()),
                lowest=named(order[:EXTREMES].tolist()),
            )
        )
    return records
