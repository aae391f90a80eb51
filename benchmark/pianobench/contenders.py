"""Stored results that may be compared: the same data, the same folds, the same clips.

Folders of results enter, their predictions on common rows leave. Whatever would make a difference
between two results something else than a difference between two models is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .components import Dataset
from .config import RunConfig
from .corpus import load_corpus
from .errors import ResultError, UnknownNameError, UsageError
from .metrics import FloatArray, LabelArray
from .plugins import Registry
from .predictions import Predictions, file_digest, read_predictions
from .result import ProtocolRecord, Result, read_result
from .split import PROTOCOLS, load_split
from .values import Corpus

__all__ = ["Contenders", "align", "read_contenders"]


@dataclass(frozen=True)
class Contenders:
    """Out-of-fold predictions of several models for the same clips of one protocol.

    Attributes
    ----------
    corpus : Corpus
    protocol : str
    names : tuple of str
        What the models are called in tables and sentences; all different.
    folders : tuple of Path
    clips : int array, shape (clips,)
        Indices into the corpus of what was scored.
    by_seed : tuple of float array, shape (seeds, clips, dimensions)
        One array per model.
    flags : tuple of str
        What the results themselves warn of.
    """

    corpus: Corpus
    protocol: str
    names: tuple[str, ...]
    folders: tuple[Path, ...]
    clips: NDArray[np.int64]
    by_seed: tuple[FloatArray, ...]
    flags: tuple[str, ...] = ()

    @property
    def targets(self) -> FloatArray:
        """Labels, shape (clips, dimensions)."""
        return self.corpus.targets[self.clips]

    @cached_property
    def predictions(self) -> FloatArray:
        """Predictions averaged over each model's seeds, shape (models, clips, dimensions)."""
        return np.stack([values.mean(axis=0) for values in self.by_seed])

    @property
    def fixed(self) -> NDArray[np.bool_]:
        """True for machine renditions, whose performer is no draw from a population."""
        return ~self.corpus.human[self.clips]

    def group(self, kind: str) -> LabelArray:
        """Passage or performer of each clip; SplitError where the corpus has no such group."""
        return self.corpus.group(kind)[self.clips]


def read_contenders(
    folders: Sequence[Path], protocol: str, registry: Registry, root: Path | None = None
) -> Contenders:
    """Read stored results, and the dataset that they name.

    Parameters
    ----------
    folders : sequence of Path
    protocol : str
    registry : Registry
    root : Path, optional
        ``--data-root``.

    Raises
    ------
    UsageError
        For fewer than two results, or one of them twice.
    ResultError
        As `align`.
    """
    if len(folders) < 2:
        raise UsageError(
            f"{len(folders)} result given: a comparison needs at least two. Name the folders of "
            "two or more results, such as those below results/."
        )
    results = [read_result(folder) for folder in folders]
    # What reads a result also takes its result.json.
    folders = [folder.parent if folder.name == "result.json" else folder for folder in folders]
    choice = results[0].config.dataset
    dataset = registry.create(Dataset, "dataset", choice.name, choice.options)
    return align(folders, results, protocol, dataset, load_corpus(dataset, root))


def align(
    folders: Sequence[Path],
    results: Sequence[Result],
    protocol: str,
    dataset: Dataset,
    corpus: Corpus,
) -> Contenders:
    """Put the predictions of stored results on common rows.

    Parameters
    ----------
    folders : sequence of Path
        Where the results and their predictions lie.
    results : sequence of Result
    protocol : str
    dataset : Dataset
        As the results' configuration names it.
    corpus : Corpus
        As it is now.

    Raises
    ------
    UnknownNameError
        If there is no such protocol.
    UsageError
        If a result is given twice.
    ResultError
        If results are of different data or folds, of other data or folds than here, lack the
        protocol or clips, or were changed after they were written.
    """
    if protocol not in PROTOCOLS:
        raise UnknownNameError("protocol", protocol, PROTOCOLS)
    for folder, result in zip(folders, results, strict=True):
        _require_same_data(folders[0], results[0], folder, result)
    if results[0].data.digest != corpus.digest:
        raise ResultError(
            f"{folders[0]} was computed on other data than is here (digest "
            f"{results[0].data.digest[:12]}, here {corpus.digest[:12]} of {corpus.name!r} version "
            f"{corpus.version!r}). Fetch that version of the dataset, or run it again on this one."
        )
    records = [
        _record_of(folder, result, protocol)
        for folder, result in zip(folders, results, strict=True)
    ]
    _refuse_twins(folders, results, records)
    split = load_split(corpus, protocol, dataset)
    scored = np.sort(np.concatenate([fold.test for fold in split.folds]))
    found = []
    for folder, record in zip(folders, records, strict=True):
        if record.split_digest != split.digest:
            raise ResultError(
                f"{folder} was scored on other folds of {protocol!r} (digest "
                f"{record.split_digest[:12]}) than this version's ({split.digest[:12]}). Run it "
                "again."
            )
        found.append(_predictions_of(folder, record, scored, corpus))
    names = _names(folders, results)
    return Contenders(
        corpus=corpus,
        protocol=protocol,
        names=names,
        folders=tuple(folders),
        clips=scored,
        by_seed=tuple(predictions.values for predictions in found),
        flags=tuple(
            f"{name}: {flag}"
            for name, record in zip(names, records, strict=True)
            for flag in record.flags
        ),
    )


def _require_same_data(first: Path, one: Result, folder: Path, result: Result) -> None:
    if result.data.dataset != one.data.dataset:
        raise ResultError(
            f"{first} is a result on dataset {one.data.dataset!r}, {folder} on "
            f"{result.data.dataset!r}. Compare results on one dataset."
        )
    if result.data.digest != one.data.digest:
        raise ResultError(
            f"{first} and {folder} are results on different data: version {one.data.version!r} "
            f"(digest {one.data.digest[:12]}) and {result.data.version!r} (digest "
            f"{result.data.digest[:12]}) of {one.data.dataset!r}. Run one of them again on the "
            "other's data."
        )


def _record_of(folder: Path, result: Result, protocol: str) -> ProtocolRecord:
    if protocol not in result.protocols:
        raise ResultError(
            f"{folder} holds no predictions of the protocol {protocol!r}, only of "
            f"{', '.join(result.protocols)}. Name one of these with --protocol, or run it with "
            f"--protocols {protocol}."
        )
    return result.protocols[protocol]


def _refuse_twins(
    folders: Sequence[Path], results: Sequence[Result], records: Sequence[ProtocolRecord]
) -> None:
    """Refuse one result given twice; equal predictions of different models are let pass."""
    seen: dict[tuple[str, str], Path] = {}
    for folder, result, record in zip(folders, results, records, strict=True):
        key = (result.config_digest, record.predictions_sha256)
        if key in seen:
            raise UsageError(
                f"{seen[key]} and {folder} are the same result (configuration "
                f"{result.config_digest[:8]}, identical predictions). Name two different ones."
            )
        seen[key] = folder


def _predictions_of(
    folder: Path, record: ProtocolRecord, scored: NDArray[np.int64], corpus: Corpus
) -> Predictions:
    path = folder / record.predictions
    if path.is_file() and file_digest(path) != record.predictions_sha256:
        raise ResultError(
            f"{path} was changed after it was written (SHA-256 differs), so what it holds is not "
            "what was run. Restore it, or run the configuration again."
        )
    predictions = read_predictions(path, corpus)
    missing = np.setdiff1d(scored, predictions.clips)
    if len(missing) or len(predictions.clips) != len(scored):
        example = f", such as {corpus.ids[int(missing[0])]!r}" if len(missing) else ""
        raise ResultError(
            f"{path} predicts {len(predictions.clips)} of the {len(scored)} clips that the "
            f"protocol scores; {len(missing)} are missing{example}. A comparison needs every clip "
            "of both models: run it again."
        )
    return predictions


def _names(folders: Sequence[Path], results: Sequence[Result]) -> tuple[str, ...]:
    """Name models by encoder and head, by the result's folder too where that is not enough."""
    short = [_short_name(result.config) for result in results]
    return tuple(
        name if short.count(name) == 1 else f"{name} ({folder})"
        for name, folder in zip(short, folders, strict=True)
    )


def _short_name(config: RunConfig) -> str:
    parts = (config.encoder, config.head)
    return " with ".join(part.name for part in parts if part is not None)
