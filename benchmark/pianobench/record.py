"""What a result says of its data and protocols, made the same way by a run and by rescoring.

Both make their records from the predictions as they lie on disk, so that comparing two records
compares everything a table shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .audit import Audit, audit
from .ceiling import ceiling_of
from .errors import SplitError, StatisticsError
from .predictions import file_digest, read_predictions
from .result import DataRecord, OptimismRecord, ProtocolRecord, predictions_name
from .score import claimed_r2, score
from .split import PROTOCOLS
from .values import Corpus, Split

__all__ = ["data_record", "protocol_record"]


def data_record(corpus: Corpus) -> DataRecord:
    """Describe the corpus that the numbers are about."""
    try:
        ceiling, limit = ceiling_of(corpus), ""
    except (SplitError, StatisticsError) as error:
        ceiling, limit = None, f"no noise ceiling: {error}"
    return DataRecord(
        dataset=corpus.name,
        version=corpus.version,
        digest=corpus.digest,
        clips=len(corpus.clips),
        dimensions=[dimension.name for dimension in corpus.dimensions],
        ceiling=ceiling,
        ceiling_limit=limit,
    )


def protocol_record(
    folder: Path,
    corpus: Corpus,
    split: Split,
    selection: str,
    selected: Sequence[Mapping[str, Any]],
    *,
    optimism: bool,
) -> ProtocolRecord:
    """Score the predictions of one protocol that lie in a folder.

    Parameters
    ----------
    folder : Path
    corpus : Corpus
    split : Split
    selection : {"nested", "test-fold"}
        How training was stopped.
    selected : sequence of mapping
        What every model chose; it cannot be recomputed and is carried along.
    optimism : bool
        Whether predictions of models that stopped on the scored fold lie there too.

    Raises
    ------
    ResultError
        If a predictions file cannot be read or does not fit the corpus.
    StatisticsError
        If a metric is not defined.
    """
    path = folder / predictions_name(split.protocol)
    predictions = read_predictions(path, corpus)
    report = audit(corpus, split)
    ranked, flags = _standing(split.protocol, report, selection)
    return ProtocolRecord(
        unit=list(split.unit),
        folds=len(split.folds),
        split_digest=split.digest,
        ranked=ranked,
        flags=flags,
        audit=report.as_json(),
        predictions=path.name,
        predictions_sha256=file_digest(path),
        seeds=list(predictions.seeds),
        selected=[dict(choice) for choice in selected],
        scores=score(corpus, predictions, split.protocol),
        optimism=_optimism(folder, corpus, split.protocol) if optimism else None,
    )


def _standing(protocol: str, report: Audit, selection: str) -> tuple[bool, list[str]]:
    """Whether a row may be ranked by the protocol, and what a reader must know."""
    flags = list(report.flags)
    nested = selection == "nested"
    if not nested:
        flags.append("training stopped on the fold that is scored")
    return PROTOCOLS[protocol].ranked and report.ok and nested, flags


def _optimism(folder: Path, corpus: Corpus, protocol: str) -> OptimismRecord:
    path = folder / predictions_name(protocol, "test-fold")
    return OptimismRecord(
        predictions=path.name,
        predictions_sha256=file_digest(path),
        r2=claimed_r2(corpus, read_predictions(path, corpus)),
    )
