"""PercePiano: 1,202 rated performances of excerpts from four works for piano."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import numpy as np

from pianobench import Clip, Corpus, DataError, Dataset, Remote, hookimpl

from .excerpts import MACHINES, groups, parse
from .labels import (
    DIMENSIONS,
    means,
    once_per_rater,
    raters_per_clip,
    read_labels,
    read_ratings,
)

__all__ = ["PercePiano"]

_LABELS = "label_2round_mean_reg_19_with0_rm_highstd0.json"
_RATINGS = "labels/total_2rounds.csv"
_TAKES = "virtuoso/data/all_2rounds"
_SCORE_MIDI = "virtuoso/data/score_midi"
_SCORE_XML = "virtuoso/data/score_xml"

_RAW = "https://raw.githubusercontent.com/JonghoKimSNU/PercePiano"
_SUMS = Path(__file__).with_name("SHA256SUMS")
# The commit that added each part.
_REVISIONS = {
    "LICENSE": "7f559553557c055350918f3e1815980d162677c5",
    _LABELS: "3f6a0d964d9e6346a9a4962dfd8fdcd3f45c3b33",
    "labels": "3f6a0d964d9e6346a9a4962dfd8fdcd3f45c3b33",
    _TAKES: "3f6a0d964d9e6346a9a4962dfd8fdcd3f45c3b33",
    _SCORE_MIDI: "e672299b8661f63802cd5cd73bb3c76218a13029",
    _SCORE_XML: "e672299b8661f63802cd5cd73bb3c76218a13029",
}


def _remotes() -> Iterator[Remote]:
    """List the files that `load` reads, each at the commit that added it."""
    for line in _SUMS.read_text(encoding="utf-8").splitlines():
        sha256, path = line.split("  ", maxsplit=1)
        revision = _REVISIONS.get(path) or _REVISIONS[path.rpartition("/")[0]]
        yield Remote(url=f"{_RAW}/{revision}/{quote(path)}", sha256=sha256, path=path)


class PercePiano(Dataset):
    """PercePiano, 19 perceptual dimensions of piano performance (Park et al., 2024).

    Its folder is laid out as its repository is. Passages, the music that no fold may share, are
    computed from the notes of the scores.
    """

    name = "percepiano"
    licence = "MIT"
    citation = (
        "J. Park, J. Kim, J. M. Park, A. Choi, W.-S. Li, J. Park, S.-w. Hwang: Piano performance "
        "evaluation dataset with multilevel perceptual features. Scientific Reports 14, 23002 "
        "(2024), https://doi.org/10.1038/s41598-024-73810-0. "
        "Data: https://doi.org/10.5281/zenodo.13269612"
    )
    notice = (
        "PercePiano (c) 2024 Jongho Kim SNU, MIT licence: keep its LICENSE file with copies. "
        "Performances, scores and crowd ratings: 1,403 files, 12 MB."
    )

    remotes = tuple(_remotes())

    labels: Literal["published", "deduplicated"] = "published"
    """`published` are the dataset's means over rows of ratings, in which 3,041 pairs of rater and
    clip occur more than once; `deduplicated` averages each pair first, so that every rater of a
    clip counts once."""

    def load(self, root: Path) -> Corpus:
        """Read the corpus; see `Dataset.load`."""
        if not root.is_dir():
            raise DataError(
                f"PercePiano is not at {root}. Fetch it with `bench fetch percepiano`, or set "
                "PIANOBENCH_DATA to the folder that holds the folder percepiano."
            )
        ids, targets = read_labels(root / _LABELS)
        ratings = read_ratings(root / _RATINGS, ids)
        if self.labels == "deduplicated":
            ratings = once_per_rater(ratings)
            targets = means(ratings, len(ids))
        names = [parse(clip) for clip in ids]
        takes = _files(root / _TAKES, ".mid", ids)
        scores = [name.score for name in names]
        score_midi = _files(root / _SCORE_MIDI, ".mid", scores)
        score_xml = _files(root / _SCORE_XML, ".musicxml", scores)
        return Corpus(
            name=self.name,
            version=f"2rounds-{self.labels}",
            clips=tuple(
                Clip(id=clip, midi=takes[clip], score_midi=score_midi[s], score_xml=score_xml[s])
                for clip, s in zip(ids, scores, strict=True)
            ),
            dimensions=DIMENSIONS,
            targets=targets,
            groups=groups(names, {name.excerpt: score_midi[name.score] for name in names}),
            human=np.array([name.performer not in MACHINES for name in names]),
            raters=raters_per_clip(ratings, len(ids)),
            ratings=ratings,
        )

    def fold_file(self, protocol: str) -> Path | None:
        """Find the committed folds of a protocol; see `Dataset.fold_file`."""
        path = Path(__file__).with_name("folds") / f"{protocol}.json"
        return path if path.is_file() else None


def _files(folder: Path, suffix: str, stems: Iterable[str]) -> dict[str, Path]:
    """Find the file of each stem; one of the repository's names begins with a space."""
    try:
        there = {path.stem.strip(): path for path in folder.iterdir() if path.suffix == suffix}
    except OSError as error:
        raise DataError(
            f"PercePiano is incomplete: cannot list {folder} ({error.strerror}). "
            "Fetch it with `bench fetch percepiano`."
        ) from error
    missing = sorted(set(stems).difference(there))
    if missing:
        raise DataError(
            f"PercePiano is incomplete: {len(missing)} files are missing in {folder}, first "
            f"{missing[0] + suffix!r}. Fetch them with `bench fetch percepiano`."
        )
    return there


@hookimpl
def bench_components() -> list[type[Dataset]]:
    """Register the dataset."""
    return [PercePiano]
