"""The labels that rows are scored on, as a file of the leaderboard.

With it, whoever has the leaderboard's folder and nothing else can compute every score, interval
and rank from the predictions. It is checked by itself: the digest of what it holds is the one that
every row carries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import PianobenchError, ResultError
from ..values import Clip, Corpus, Dimension

__all__ = [
    "LABELS",
    "Labels",
    "labels_path",
    "labels_text",
    "read_all_labels",
    "read_labels",
    "write_labels",
]

LABELS = "labels"
"""Folder of the labels, within the leaderboard's."""

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Labels:
    """A corpus without its music: clips, groups and labels.

    Attributes
    ----------
    path : Path
    corpus : Corpus
        Its clips have ids only, and it has no ratings.
    licence, citation : str
        Of the dataset.
    """

    path: Path
    corpus: Corpus
    licence: str
    citation: str


def labels_path(leaderboard: Path, dataset: str, version: str) -> Path:
    """Locate the labels of a version of a dataset."""
    return leaderboard / LABELS / f"{dataset}-{version}.json".replace("/", "_")


def write_labels(leaderboard: Path, corpus: Corpus, licence: str, citation: str) -> Path:
    """Write the labels of a corpus, unless they are there.

    Raises
    ------
    ResultError
        If other labels of this version are there.
    """
    path = labels_path(leaderboard, corpus.name, corpus.version)
    if path.is_file():
        held = read_labels(path).corpus
        if held.digest != corpus.digest:
            raise ResultError(
                f"{path} holds labels with the digest {held.digest[:12]}, and {corpus.name!r} "
                f"version {corpus.version!r} is here with {corpus.digest[:12]}. Rows of both "
                "cannot share a table: give the dataset another version."
            )
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(labels_text(corpus, licence, citation), encoding="utf-8")
    return path


def read_labels(path: Path) -> Labels:
    """Read labels back.

    Raises
    ------
    ResultError
        If the file cannot be read, or holds something else than its digest says.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        version = given.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ResultError(
                f"{path} has schema version {version!r}; this pianobench reads {SCHEMA_VERSION}. "
                "Upgrade pianobench."
            )
        corpus = _corpus(given)
        labels = Labels(path, corpus, str(given["licence"]), str(given["citation"]))
        claimed = str(given["digest"])
    except ResultError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, PianobenchError) as error:
        raise ResultError(
            f"Cannot read the labels {path}: {type(error).__name__}: {error}."
        ) from error
    if corpus.digest != claimed:
        raise ResultError(
            f"{path} was changed after it was written: its content has the digest "
            f"{corpus.digest[:12]}, not {claimed[:12]} as it says. Restore it."
        )
    return labels


def read_all_labels(leaderboard: Path) -> dict[str, Labels]:
    """Read every file of labels, by the digest of its corpus.

    Raises
    ------
    ResultError
        As `read_labels`.
    """
    found = [read_labels(path) for path in sorted((leaderboard / LABELS).glob("*.json"))]
    return {labels.corpus.digest: labels for labels in found}


def labels_text(corpus: Corpus, licence: str, citation: str) -> str:
    """Lay out labels as JSON with a line per clip, so that a change shows as a line."""
    kinds = sorted(corpus.groups)
    head = {
        "schema_version": SCHEMA_VERSION,
        "dataset": corpus.name,
        "version": corpus.version,
        "digest": corpus.digest,
        "licence": licence,
        "citation": citation,
        "dimensions": [
            {"name": d.name, "category": d.category, "low": d.low, "high": d.high}
            for d in corpus.dimensions
        ],
        "groups": kinds,
    }
    clips = [
        json.dumps(
            {
                "id": clip,
                "human": bool(corpus.human[i]),
                "raters": int(corpus.raters[i]),
                "groups": [corpus.groups[kind][i] for kind in kinds],
                "labels": corpus.targets[i].tolist(),
            },
            ensure_ascii=False,
        )
        for i, clip in enumerate(corpus.ids)
    ]
    opening = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f'{opening},\n "clips": [\n' + ",\n".join(clips) + "\n ]\n}\n"


def _corpus(given: Mapping[str, Any]) -> Corpus:
    clips = given["clips"]
    return Corpus(
        name=given["dataset"],
        version=given["version"],
        clips=tuple(Clip(id=clip["id"]) for clip in clips),
        dimensions=tuple(Dimension(**dimension) for dimension in given["dimensions"]),
        targets=np.array([clip["labels"] for clip in clips], dtype=np.float64),
        groups={
            kind: tuple(clip["groups"][i] for clip in clips)
            for i, kind in enumerate(given["groups"])
        },
        human=np.array([clip["human"] for clip in clips], dtype=np.bool_),
        raters=np.array([clip["raters"] for clip in clips], dtype=np.int64),
    )
