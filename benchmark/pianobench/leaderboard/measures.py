"""What the ranking needs of each row: its errors, summed and resampled, a chunk of rows at once.

Predictions enter, files that are checked by their digest; per-quantity intervals and a few hundred
numbers a row leave. Rows are taken in chunks, in several processes where that pays, so that memory
is bounded; all share one set of resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import statistics
from ..errors import ResultError, SplitError, StatisticsError
from ..metrics import FloatArray, pooled_r2
from ..parallel import run_where_it_pays, usable_cores
from ..predictions import file_digest, read_predictions
from ..statistics import Interval, Jackknife
from ..statistics.significance import passage_losses
from ..values import Corpus

__all__ = ["RESAMPLES", "SEED", "Measures", "Source", "measure"]

RESAMPLES = 10_000
SEED = 0
# Of 1,202 clips and 19 dimensions: 12 MB of predictions, 200 MB while groups are left out.
_CHUNK = 64


class Source(NamedTuple):
    """The predictions of a row: where they lie, and what they have to be."""

    path: Path
    sha256: str
    r2: float


@dataclass(frozen=True)
class Measures:
    """What was measured of rows, in their order.

    Attributes
    ----------
    c, g : Interval or None
        Of every quantity, arrays [row, quantity]; `g` is None without performers enough.
    left_out : Jackknife
        Mean R2 with groups left out, arrays [group, row, 1].
    losses : np.ndarray [shape=(passage, row)]
        What each passage takes from R2.
    distribution : np.ndarray [shape=(resample, row)]
        Mean R2 in every resample.
    noise : np.ndarray [shape=(row,)]
        Variance that averaging over seeds leaves in the mean R2.
    """

    c: Interval
    g: Interval | None
    left_out: Jackknife
    losses: FloatArray
    distribution: FloatArray
    noise: FloatArray


def measure(
    corpus: Corpus, sources: Sequence[Source], weights: FloatArray, jobs: int | None = None
) -> Measures:
    """Measure rows of one protocol.

    Parameters
    ----------
    corpus : Corpus
    sources : sequence of Source
        At least one.
    weights : np.ndarray [shape=(quantity, dimension)]
        Each quantity as a mean of dimensions.
    jobs : int, optional
        Processes; all cores if None.

    Raises
    ------
    ResultError
        If predictions cannot be read, were changed, lack clips or do not give the R2 that the
        result says.
    StatisticsError
        For fewer than 5 passages, or labels that are constant without one of them.
    """
    chunks = [sources[start : start + _CHUNK] for start in range(0, len(sources), _CHUNK)]
    found: dict[int, Measures] = {}
    work = partial(_measure_chunk, corpus, weights)
    for index, outcome in run_where_it_pays(work, chunks, jobs or usable_cores()):
        if isinstance(outcome, Exception):
            raise outcome
        found[index] = outcome
    return _joined([found[index] for index in range(len(chunks))])


def _measure_chunk(corpus: Corpus, weights: FloatArray, sources: Sequence[Source]) -> Measures:
    by_seed = [_read(source, corpus) for source in sources]
    predictions = np.stack([values.mean(axis=0) for values in by_seed])
    targets, passages = corpus.targets, corpus.group("passage")
    noise = _seed_noise(targets, by_seed, weights)
    one_way, two_way = _jackknives(corpus, predictions)
    c = _widened(one_way.interval(lambda r2: r2 @ weights.T), noise)
    for source, r2 in zip(sources, one_way.estimate.mean(axis=1), strict=True):
        if abs(r2 - source.r2) > 1e-9:
            raise ResultError(
                f"{source.path} gives R2 {r2:.9f}, and its result says {source.r2:.9f}: one of "
                "them was changed. `bench rescore` lists what disagrees."
            )
    counts = statistics.counts_of(
        statistics.resample_indices(len(one_way.passage), RESAMPLES, SEED),
        len(one_way.passage),
        # Single precision would let the linear algebra of a machine decide close ranks.
        np.float64,
    )
    return Measures(
        c=c,
        g=None if two_way is None else _widened(two_way.interval(lambda r2: r2 @ weights.T), noise),
        left_out=_averaged(two_way or one_way),
        losses=passage_losses(targets, predictions, passages).mean(axis=2),
        distribution=statistics.bootstrap_r2(targets, predictions, passages, counts),
        noise=noise[:, 0],
    )


def _read(source: Source, corpus: Corpus) -> FloatArray:
    """Read predictions of every clip, shape (seeds, clips, dimensions)."""
    predictions = read_predictions(source.path, corpus)
    if file_digest(source.path) != source.sha256:
        raise ResultError(
            f"{source.path} was changed after it was written (SHA-256 differs), so what it holds "
            "is not what was run. Restore it, or run the configuration again."
        )
    if len(predictions.clips) != len(corpus.clips):
        raise ResultError(
            f"{source.path} predicts {len(predictions.clips)} of {len(corpus.clips)} clips. Run "
            "the configuration again."
        )
    return predictions.values


def _jackknives(corpus: Corpus, predictions: FloatArray) -> tuple[Jackknife, Jackknife | None]:
    """Leave out passages, and performers too where they are known and enough."""
    targets, passages = corpus.targets, corpus.group("passage")
    try:
        two_way = statistics.two_way_jackknife(
            targets, predictions, passages, corpus.group("performer"), ~corpus.human
        )
    except (SplitError, StatisticsError):
        return statistics.passage_jackknife(targets, predictions, passages), None
    return Jackknife(two_way.estimate, two_way.passage), two_way


def _averaged(found: Jackknife) -> Jackknife:
    """Keep the mean over dimensions, as a single one."""

    def mean(r2: FloatArray) -> FloatArray:
        average: FloatArray = r2.mean(axis=-1, keepdims=True)
        return average

    return Jackknife(
        mean(found.estimate),
        mean(found.passage),
        None if found.performer is None else mean(found.performer),
        None if found.cell is None else mean(found.cell),
    )


def _seed_noise(
    targets: FloatArray, by_seed: Sequence[FloatArray], weights: FloatArray
) -> FloatArray:
    """Variance that averaging over seeds leaves [row, quantity]; 0 for one seed."""
    noise = np.zeros((len(by_seed), len(weights)))
    for row, values in zip(noise, by_seed, strict=True):
        if len(values) > 1:
            row[:] = (pooled_r2(targets, values) @ weights.T).var(axis=0, ddof=1) / len(values)
    return noise


def _widened(interval: Interval, variance: FloatArray) -> Interval:
    error = np.sqrt(interval.standard_error**2 + variance)
    return statistics.t_interval(interval.estimate, error, interval.df, interval.level)


def _joined(parts: Sequence[Measures]) -> Measures:
    return Measures(
        c=_joined_intervals([part.c for part in parts]),
        g=None if parts[0].g is None else _joined_intervals([p.g for p in parts if p.g]),
        left_out=Jackknife(
            np.concatenate([part.left_out.estimate for part in parts]),
            np.concatenate([part.left_out.passage for part in parts], axis=1),
            _joined_rows([part.left_out.performer for part in parts]),
            _joined_rows([part.left_out.cell for part in parts]),
        ),
        losses=np.concatenate([part.losses for part in parts], axis=1),
        distribution=np.concatenate([part.distribution for part in parts], axis=1),
        noise=np.concatenate([part.noise for part in parts]),
    )


def _joined_intervals(parts: Sequence[Interval]) -> Interval:
    return Interval(
        estimate=np.concatenate([part.estimate for part in parts]),
        standard_error=np.concatenate([part.standard_error for part in parts]),
        low=np.concatenate([part.low for part in parts]),
        high=np.concatenate([part.high for part in parts]),
        p_value=np.concatenate([part.p_value for part in parts]),
        df=parts[0].df,
        level=parts[0].level,
    )


def _joined_rows(parts: Sequence[FloatArray | None]) -> FloatArray | None:
    held = [part for part in parts if part is not None]
    return np.concatenate(held, axis=1) if held else None
