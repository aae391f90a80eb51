"""The row no table goes without: plain statistics of the notes with a kernel regressor."""

from __future__ import annotations

from collections.abc import Sequence

from .config import Choice, RunConfig
from .leaderboard import Row
from .plan import Plan, plan_run
from .plugins import Registry
from .values import Corpus

__all__ = ["BASELINE", "missing_baseline"]

BASELINE = ("midi-stats", "kernel-ridge")
"""Encoder and head of the compulsory row."""


def missing_baseline(
    plan: Plan, corpus: Corpus, rows: Sequence[Row], registry: Registry
) -> Plan | None:
    """Plan the baseline beside a run, unless the table holds it or the corpus has no notes.

    Parameters
    ----------
    plan : Plan
        The run whose dataset and protocols the baseline shares.
    corpus : Corpus
    rows : sequence of Row
        What the table holds already.
    registry : Registry
    """
    if any(clip.midi is None for clip in corpus.clips):
        return None
    protocols = set(plan.config.protocols or ())
    for row in rows:
        same = (row.encoder, row.head) == BASELINE and row.data_digest == corpus.digest
        if same and protocols <= set(row.r2):
            return None
    encoder, head = BASELINE
    config = RunConfig(
        dataset=plan.config.dataset,
        encoder=Choice(name=encoder),
        head=Choice(name=head),
        protocols=plan.config.protocols,
    )
    return plan_run(config, registry)
