"""A model fitted on rated performances, applied to a corpus that nobody rated.

What enters: a plan of the training data, and the dataset it is applied to. What leaves: predictions
of the clips that the model cannot know. Takes that the training data hold as well are found by
their notes and left out; clips that are one performance under two names are named, and left out
where that is asked for.
"""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ..components import Dataset
from ..config import Choice, RunConfig
from ..corpus import load_corpus
from ..errors import DataError
from ..fitted_model import encode_clips, fit_model
from ..overlap import Overlap, find_overlap
from ..plan import Plan, plan_run
from ..plugins import Registry
from ..run import Workplace, load_scorable
from ..values import Corpus, LeftOut
from .folder import OF_A_RUN

__all__ = [
    "Application",
    "AppliedModel",
    "AppliedRecord",
    "fit_and_apply",
    "plan_application",
    "record_of",
    "subset",
    "write_applied",
]


@dataclass(frozen=True)
class Application:
    """What is fitted, and what it is applied to.

    Attributes
    ----------
    plan : Plan
        Its dataset is the labelled one.
    dataset : Dataset
        The other.
    keep_known : bool
        Keep the takes that the training data hold.
    skip_repeated : bool
        Of clips that are the same performance, keep the first.
    """

    plan: Plan
    dataset: Dataset
    keep_known: bool = False
    skip_repeated: bool = False


@dataclass(frozen=True)
class AppliedModel:
    """Predictions of a corpus.

    Attributes
    ----------
    training : Corpus
    training_features : StoredFeatures or Sequences
        Of its clips.
    corpus : Corpus
        Without the clips that are left out; `left_out` says which.
    predicted : float array, shape (clips, dimensions)
        Of the training data's dimensions.
    overlap : Overlap
    repeated : tuple of str
        Clips that are the same performance as an earlier one.
    namespace : str
        Digest of all that features depend on besides the clips.
    features_digest : str
        Of the features that were predicted from.
    timings_s : mapping of str to float
    """

    training: Corpus
    training_features: Any
    corpus: Corpus
    predicted: NDArray[np.float64]
    overlap: Overlap
    repeated: tuple[str, ...]
    namespace: str
    features_digest: str
    timings_s: Mapping[str, float]


class AppliedRecord(BaseModel):
    """What a study says of the model it applied and of the data; part of every `study.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    config: dict[str, Any]
    """Of the model, its training data included."""
    dataset: dict[str, Any]
    """What it is applied to, with its options."""
    data_version: str
    data_digest: str
    training_digest: str
    clips: int
    known: list[str]
    """Clips that the training data hold, found by their notes."""
    known_kept: bool
    overlap_unchecked: str
    """Why some or all clips could not be compared; empty where all were."""
    repeated: list[str]
    """Clips that are the same performance as an earlier one."""
    repeated_kept: bool
    left_out: dict[str, list[str]]
    """Entries of the dataset that are not used, by the reason."""
    timings_s: dict[str, float]

    @property
    def label(self) -> str:
        """Encoder and head."""
        return f"{self.config['encoder']['name']}, {self.config['head']['name']}"

    def sentences(self) -> list[str]:
        """Say what was left out, and what could not be checked."""
        name, training = self.dataset["name"], self.config["dataset"]["name"]
        said = []
        if self.overlap_unchecked:
            said.append(
                f"The overlap of {name} with {training} could not be checked: "
                f"{self.overlap_unchecked}."
            )
        for clips, kept, what in (
            (self.known, self.known_kept, f"takes that {training} holds as well, note for note"),
            (self.repeated, self.repeated_kept, "the same performance as an earlier one"),
        ):
            if clips:
                verb = "kept" if kept else "left out"
                said.append(f"Clips that are {what}, {verb}: {len(clips)} ({_some(clips)}).")
        said += [
            f"Entries that are left out because {why}: {len(entries)} ({_some(entries)})."
            for why, entries in self.left_out.items()
            if why not in (_KNOWN, _REPEATED)
        ]
        return said


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


_NAMED = 6
_KNOWN = "the training data hold the take"
_REPEATED = "the performance is that of another clip"


def plan_application(
    config: RunConfig,
    training: str,
    registry: Registry,
    *,
    keep_known: bool = False,
    skip_repeated: bool = False,
) -> Application:
    """Plan to fit on one dataset what is to be applied to that of a configuration.

    Parameters
    ----------
    config : RunConfig
        Its dataset is what the model is applied to.
    training : str
        Name of the labelled dataset.
    registry : Registry
    keep_known, skip_repeated : bool
        See `Application`.

    Raises
    ------
    PianobenchError
        As `pianobench.plan.plan_run`.
    """
    dataset = registry.create(Dataset, "dataset", config.dataset.name, config.dataset.options)
    fitted = config.model_copy(update={"dataset": Choice(name=training)})
    return Application(plan_run(fitted, registry), dataset, keep_known, skip_repeated)


def fit_and_apply(asked: Application, workplace: Workplace) -> AppliedModel:
    """Fit on all of the training data, and predict what the model cannot know.

    Raises
    ------
    DataError
        If nothing is left to predict.
    PianobenchError
        Whatever loading, encoding and fitting refuse. What was encoded by then is kept.
    """
    started = time.perf_counter()
    training = load_scorable(asked.plan, workplace)
    corpus = load_corpus(asked.dataset, workplace.data_root, workplace.cache)
    overlap = find_overlap(corpus, training)
    left_out = [*corpus.left_out]
    if overlap.clips and not asked.keep_known:
        left_out.append(LeftOut(_KNOWN, overlap.clips))
        corpus = subset(corpus, ~np.isin(corpus.ids, overlap.clips))
    loaded = time.perf_counter()
    known = encode_clips(asked.plan, training, workplace)
    new = encode_clips(asked.plan, corpus, workplace)
    encoded = time.perf_counter()
    predicted = fit_model(asked.plan, training, known.features).predict(new.features)
    keys = new.features.content
    places = {key: place for place, key in reversed(list(enumerate(keys)))}
    first = np.array([places[key] == place for place, key in enumerate(keys)])
    repeated = tuple(np.array(corpus.ids)[~first].tolist())
    if repeated and asked.skip_repeated:
        left_out.append(LeftOut(_REPEATED, repeated))
        corpus, predicted = subset(corpus, first), predicted[first]
    return AppliedModel(
        training=training,
        training_features=known.features,
        corpus=replace(corpus, left_out=tuple(left_out)),
        predicted=predicted,
        overlap=overlap,
        repeated=repeated,
        namespace=new.encoded.namespace,
        features_digest=hashlib.sha256(json.dumps(keys).encode()).hexdigest(),
        timings_s={
            "load": round(loaded - started, 3),
            "encode": round(encoded - loaded, 3),
            "fit": round(time.perf_counter() - encoded, 3),
        },
    )


def subset(corpus: Corpus, keep: NDArray[np.bool_]) -> Corpus:
    """Keep some clips of a corpus; raw ratings are not kept.

    Raises
    ------
    DataError
        If none is left.
    """
    if not keep.any():
        raise DataError(
            f"None of the {len(keep)} clips of {corpus.name!r} is left: the training data hold "
            "them all. Choose another dataset, or keep them with --keep-known."
        )
    chosen = np.flatnonzero(keep).tolist()
    return replace(
        corpus,
        clips=tuple(corpus.clips[i] for i in chosen),
        targets=corpus.targets[keep],
        groups={kind: tuple(of[i] for i in chosen) for kind, of in corpus.groups.items()},
        human=corpus.human[keep],
        raters=corpus.raters[keep],
        ratings=None,
    )


def record_of(asked: Application, applied: AppliedModel) -> AppliedRecord:
    """Say what was fitted and applied."""
    config = asked.plan.config.model_dump(mode="json", exclude={*OF_A_RUN})
    return AppliedRecord(
        config=config,
        dataset={"name": asked.dataset.name, "options": asked.dataset.options},
        data_version=applied.corpus.version,
        data_digest=applied.corpus.digest,
        training_digest=applied.training.digest,
        clips=len(applied.corpus.clips),
        known=list(applied.overlap.clips),
        known_kept=asked.keep_known,
        overlap_unchecked=applied.overlap.unchecked,
        repeated=list(applied.repeated),
        repeated_kept=not asked.skip_repeated,
        left_out={left.why: list(left.entries) for left in applied.corpus.left_out},
        timings_s=dict(applied.timings_s),
    )


def write_applied(path: Path, applied: AppliedModel) -> None:
    """Write what was predicted: a row per clip, six decimals."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["clip", *(dimension.name for dimension in applied.training.dimensions)])
        for clip, values in zip(applied.corpus.ids, applied.predicted.tolist(), strict=True):
            table.writerow([clip, *(f"{value:.6f}" for value in values)])
