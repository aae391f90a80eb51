"""What the study of the published protocol found, in a terminal and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .distribution import APART, describe_draws
from .published_split import MEASURES, PublishedSplit, require_same_draws
from .strips import Strip, draw_strips

__all__ = ["draw_published_splits", "published_split_text"]


def published_split_text(study: PublishedSplit, beside: Sequence[PublishedSplit] = ()) -> str:
    """Lay out every draw, how the scores vary over them, and other studies of the same draws.

    Raises
    ------
    UsageError
        If a study beside it is of other draws.
    """
    _require_same_draws(study, beside)
    draws = [
        [
            str(draw.seed),
            str(draw.clips),
            f"{draw.known_music:.0%}",
            *(f"{getattr(draw, measure):.3f}" for measure in MEASURES),
            f"{draw.cpu_s:.0f}",
        ]
        for draw in study.draws
    ]
    heads = ["draw", "test clips", "music in training", *MEASURES.values(), "CPU s"]
    return "\n\n".join(
        [
            f"{study.label} on {study.dataset}: {len(study.draws)} draws of a test set of "
            f"{study.test_share:.0%} of the clips, {study.folds} models each; never ranked",
            _table(draws, heads),
            _table(*_summary(study)),
            *(_beside(study, other) for other in beside),
        ]
    )


def draw_published_splits(path: Path, studies: Sequence[PublishedSplit]) -> None:
    """Draw the first measure of studies, one strip each, and the marks of the first study.

    Raises
    ------
    UsageError
        If the studies are not of the same draws; else as `pianobench.picture.draw_rows`.
    DependencyError
        If matplotlib is not installed.
    """
    _require_same_draws(studies[0], studies[1:])
    measure = next(iter(MEASURES))
    strips = [
        Strip(study.label, [getattr(draw, measure) for draw in study.draws]) for study in studies
    ]
    marks = [mark.value for mark in studies[0].distributions[measure].marks]
    draws = len(studies[0].draws)
    title = f"{studies[0].dataset}, {draws} test sets drawn as published"
    draw_strips(path, strips, marks, f"R2 on the test set, {MEASURES[measure]}", title)


def _summary(study: PublishedSplit) -> tuple[list[list[str]], list[str]]:
    rows = []
    for measure, name in MEASURES.items():
        found = study.distributions[measure]
        rows.append(
            [
                name,
                f"{found.mean:.3f}",
                "" if found.sd is None else f"{found.sd:.3f}",
                f"{found.low:.3f}",
                f"{found.high:.3f}",
                "" if found.share_apart is None else f"{found.share_apart:.0%}",
                *(f"{mark.share_below:.0%}" for mark in found.marks),
            ]
        )
    marks = study.distributions[next(iter(MEASURES))].marks
    below = [f"draws below {mark.value:.3f}" for mark in marks]
    heads = ["", "mean", "sd", "lowest", "highest", f"pairs over {APART} apart", *below]
    return rows, heads


def _beside(study: PublishedSplit, other: PublishedSplit) -> str:
    measure = next(iter(MEASURES))
    pairs = zip(study.draws, other.draws, strict=True)
    higher = [getattr(theirs, measure) - getattr(ours, measure) for ours, theirs in pairs]
    found = describe_draws(higher, [])
    spread = "" if found.sd is None else f" (sd {found.sd:.3f})"
    return (
        f"{other.label}, on the same draws: {found.mean:+.3f} on average{spread}, higher in "
        f"{sum(each > 0 for each in higher)} of {len(higher)}"
    )


def _require_same_draws(study: PublishedSplit, others: Sequence[PublishedSplit]) -> None:
    seeds = [draw.seed for draw in study.draws]
    require_same_draws(study.dataset, study.data_digest, seeds, others)


def _table(rows: list[list[str]], heads: list[str]) -> str:
    from tabulate import tabulate

    return str(tabulate(rows, headers=heads, tablefmt="simple", disable_numparse=True))
