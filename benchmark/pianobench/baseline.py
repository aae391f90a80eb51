"""The rows no table goes without: statistics of the notes, plain and against the score."""

from __future__ import annotations

from collections.abc import Sequence

from .components import ScoreEncoder
from .config import Choice, RunConfig
from .leaderboard import BASELINES, Row
from .plan import Plan, plan_run
from .plugins import Registry
from .values import Corpus

__all__ = ["missing_baselines"]


def missing_baselines(
    plan: Plan, corpus: Corpus, rows: Sequence[Row], registry: Registry
) -> list[Plan]:
    """Plan the baselines beside a run that the table lacks and whose files every clip has.

    Parameters
    ----------
    plan : Plan
        The run whose dataset and protocols the baselines share.
    corpus : Corpus
    rows : sequence of Row
        What the table holds already.
    registry : Registry
    """
    protocols = set(plan.config.protocols or ())
    held = {
        (row.encoder, row.head)
        for row in rows
        if row.data_digest == corpus.digest and protocols <= set(row.r2)
    }
    planned = []
    for encoder, head in BASELINES:
        config = RunConfig(
            dataset=plan.config.dataset,
            encoder=Choice(name=encoder),
            head=Choice(name=head),
            protocols=plan.config.protocols,
        )
        if (encoder, head) not in held:
            planned.append(plan_run(config, registry))
    return [baseline for baseline in planned if _readable(baseline, corpus)]


def _readable(baseline: Plan, corpus: Corpus) -> bool:
    encoder = baseline.encoder
    return isinstance(encoder, ScoreEncoder) and all(
        getattr(clip, kind) is not None for clip in corpus.clips for kind in encoder.requires
    )
