"""Whether predictions of how a performance sounds go with how difficult its piece is.

A model is fitted on rated performances and applied to pieces whose difficulty is labelled, or stood
in for by a stated proxy of the written score. Predictions are averaged over the takes of a piece,
and Spearman's correlation is taken over pieces, for every dimension: jackknife intervals by piece,
permutation tests corrected for the number of dimensions (max-T), and the same within composers,
since difficult pieces are by other composers than easy ones.

``overall`` is the plain mean of all dimensions, as published studies have it; where the poles of
dimensions point is a convention, so that its sign and size mean little. The note rate of the
performances stands beside it: what a dimension says of difficulty has to be more than tempo.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, StatisticsError, UsageError
from ..notes import read_notes
from ..run import Workplace, environment
from ..statistics import rank_correlation, rank_correlation_interval, rank_correlation_tests
from ..values import Corpus
from ..written_difficulty import PROXIES, average_by_piece, note_density, written_difficulty
from .applied import Application, AppliedRecord, fit_and_apply, record_of, write_applied
from .folder import Record, make_folder, save_study, study_name

__all__ = ["Association", "Difficulty", "difficulty"]

KIND = "difficulty"
LABEL = "difficulty"
_SEED = 0


class Association(Record):
    """Spearman's correlation with difficulty over pieces."""

    rho: float
    low: float
    """Of the 95% jackknife-t interval."""
    high: float
    p_value: float
    """Two-sided, by permutation of the pieces."""
    max_t: float
    """The same, corrected for the number of dimensions."""
    within_composers: float | None
    """The partial correlation of ranks, the composer held fixed; None where composers are not
    known or have one piece each."""
    within_low: float | None
    within_high: float | None
    within_max_t: float | None
    """By permutation within composers, corrected for the number of dimensions."""


class Difficulty(Record):
    """What the study found."""

    schema_version: Literal[1] = 1
    study: Literal["difficulty"] = "difficulty"
    ranked: Literal[False] = False
    name: str
    pianobench: str
    applied: AppliedRecord
    proxy: str | None
    """What stands in for difficulty; None where it is labelled."""
    pieces: int
    composers: int | None
    dimensions: dict[str, Association]
    overall: Association
    """Of the mean of all dimensions."""
    note_rate: Association | None
    """Of notes per second as performed; None where performances have no MIDI."""
    of_proxies: dict[str, dict[str, float]]
    """Correlation of every dimension with every proxy; empty where difficulty is labelled."""
    proxies: dict[str, dict[str, float]]
    """Correlation of the proxies with each other."""
    environment: dict[str, str]

    @property
    def difficulty(self) -> str:
        """What is called difficulty."""
        return "difficulty as labelled" if self.proxy is None else f"the proxy {self.proxy!r}"


class _Pieces(NamedTuple):
    """Means by piece: predictions [piece, dimension], difficulty [piece], composer [piece].

    `of_clip` is the piece of each clip.
    """

    names: NDArray[np.str_]
    of_clip: NDArray[np.int64]
    predicted: NDArray[np.float64]
    difficulty: NDArray[np.float64]
    composers: NDArray[np.str_] | None

    def mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average values [clip, ...] over the takes of each piece."""
        return average_by_piece(values, self.of_clip)


def difficulty(
    asked: Application, workplace: Workplace, proxy: str | None = None
) -> tuple[Difficulty, Path]:
    """Carry out the study.

    Parameters
    ----------
    asked : Application
    workplace : Workplace
        Its `results` holds one folder per study.
    proxy : str, optional
        A key of `PROXIES`, for a corpus without labels of difficulty; the first by default.

    Returns
    -------
    study, folder

    Raises
    ------
    UsageError
        If a proxy is asked for where difficulty is labelled.
    DataError
        If there are neither labels nor scores.
    StatisticsError
        If difficulty does not vary, or there are too few pieces.
    PianobenchError
        Whatever the stages refuse.
    """
    applied = fit_and_apply(asked, workplace)
    proxy = _stand_in(applied.corpus, proxy)
    pieces = _pieces(applied.corpus, applied.predicted, proxy)
    dimensions = [dimension.name for dimension in applied.training.dimensions]
    columns = _associate(pieces, pieces.predicted)
    (overall,) = _associate(pieces, pieces.predicted.mean(axis=1, keepdims=True))
    record = record_of(asked, applied)
    depends = [
        record.model_dump(mode="json", exclude={"timings_s"}),
        applied.namespace,
        applied.features_digest,
        proxy,
    ]
    parts = [asked.dataset.name, *(record.config[p]["name"] for p in ("encoder", "head"))]
    of_proxies, proxies = _other_proxies(applied.corpus, pieces, dimensions, proxy)
    study = Difficulty(
        name=study_name(KIND, parts, depends),
        pianobench=version("pianobench"),
        applied=record,
        proxy=proxy,
        pieces=len(pieces.names),
        composers=None if pieces.composers is None else len(set(pieces.composers.tolist())),
        dimensions=dict(zip(dimensions, columns, strict=True)),
        overall=overall,
        note_rate=_note_rate(applied.corpus, pieces),
        of_proxies=of_proxies,
        proxies=proxies,
        environment=environment(workplace),
    )
    folder = workplace.results / study.name
    make_folder(folder)
    write_applied(folder / "predictions.csv", applied)
    save_study(study, folder)
    return study, folder


def _stand_in(corpus: Corpus, proxy: str | None) -> str | None:
    """Choose what stands in for difficulty; None where it is labelled."""
    if LABEL not in [dimension.name for dimension in corpus.dimensions]:
        return proxy or next(iter(PROXIES))
    if proxy is not None:
        raise UsageError(
            f"--proxy {proxy} stands in for labels of difficulty, and {corpus.name!r} has "
            "them. Leave it out."
        )
    return None


def _difficulty(
    corpus: Corpus, of_clip: NDArray[np.int64], proxy: str | None
) -> NDArray[np.float64]:
    """Find the difficulty of every piece, labelled or by proxy."""
    if proxy is not None:
        return written_difficulty(_scores(corpus), proxy, of_clip)
    names = [dimension.name for dimension in corpus.dimensions]
    return average_by_piece(corpus.targets[:, names.index(LABEL)], of_clip)


def _scores(corpus: Corpus) -> list[Path]:
    scores = [clip.score_midi for clip in corpus.clips if clip.score_midi is not None]
    if len(scores) < len(corpus.clips):
        raise DataError(
            f"{corpus.name!r} has neither labels of difficulty nor scores for "
            f"{len(corpus.clips) - len(scores)} of its {len(corpus.clips)} clips, from which a "
            "proxy could be worked out. Choose another dataset, such as psyllabus or asap."
        )
    return scores


def _pieces(corpus: Corpus, predicted: NDArray[np.float64], proxy: str | None) -> _Pieces:
    names, first, index = np.unique(corpus.group("excerpt"), return_index=True, return_inverse=True)
    composers = corpus.group("composer")[first] if "composer" in corpus.groups else None
    if composers is not None and len(set(composers.tolist())) == len(names):
        composers = None
    return _Pieces(
        names,
        index,
        average_by_piece(predicted, index),
        _difficulty(corpus, index, proxy),
        composers,
    )


def _associate(pieces: _Pieces, columns: NDArray[np.float64]) -> list[Association]:
    """Correlate columns [piece, column] with difficulty, and within composers."""
    label = pieces.difficulty
    interval = rank_correlation_interval(columns, label, seed=_SEED)
    tests = rank_correlation_tests(columns, label, seed=_SEED)
    within: dict[str, Any] = dict.fromkeys(
        ("within_composers", "within_low", "within_high", "within_max_t")
    )
    found = []
    controlled = _within(pieces, columns)
    for i in range(columns.shape[1]):
        if controlled is not None:
            within = {name: float(values[i]) for name, values in controlled.items()}
        found.append(
            Association(
                rho=float(interval.estimate[i]),
                low=float(interval.low[i]),
                high=float(interval.high[i]),
                p_value=float(tests.p_value[i]),
                max_t=float(tests.max_t[i]),
                **within,
            )
        )
    return found


def _within(pieces: _Pieces, columns: NDArray[np.float64]) -> dict[str, NDArray[np.float64]] | None:
    if pieces.composers is None:
        return None
    try:
        interval = rank_correlation_interval(
            columns, pieces.difficulty, pieces.composers, seed=_SEED
        )
        tests = rank_correlation_tests(columns, pieces.difficulty, pieces.composers, seed=_SEED)
    except StatisticsError:
        # Every composer's pieces are equally difficult: there is nothing to correlate with.
        return None
    return {
        "within_composers": interval.estimate,
        "within_low": interval.low,
        "within_high": interval.high,
        "within_max_t": tests.max_t,
    }


def _note_rate(corpus: Corpus, pieces: _Pieces) -> Association | None:
    performances = [clip.midi for clip in corpus.clips if clip.midi is not None]
    if len(performances) < len(corpus.clips):
        return None
    rates = np.array([[note_density(read_notes(midi))] for midi in performances])
    return _associate(pieces, pieces.mean(rates))[0]


def _other_proxies(
    corpus: Corpus, pieces: _Pieces, dimensions: list[str], proxy: str | None
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Correlate every dimension with every proxy, and the proxies with each other."""
    if proxy is None:
        return {}, {}
    scores = _scores(corpus)
    values = {name: written_difficulty(scores, name, pieces.of_clip) for name in PROXIES}
    table = np.column_stack(list(values.values()))

    def correlations(columns: NDArray[np.float64], names: list[str]) -> dict[str, dict[str, float]]:
        by_proxy = [rank_correlation(columns, of).tolist() for of in values.values()]
        return {
            name: dict(zip(values, row, strict=True))
            for name, row in zip(names, zip(*by_proxy, strict=True), strict=True)
        }

    return correlations(pieces.predicted, dimensions), correlations(table, list(values))
