"""A comparison in words and tables, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from .comparison import (
    Comparison,
    Difference,
    DimensionDifference,
    ModelRecord,
    PairRecord,
    PublishedRecord,
    ScopeTest,
    Span,
)
from .forest import Estimate, draw_forest
from .statistics import Verdict

__all__ = ["comparison_text", "draw_comparison", "estimates_of", "sentence"]

_READING = """\
C: new passages, by these performers; jackknife-t over passages, p by sign flips of passages.
G: new passages and new performers; two-way jackknife-t and its p. Machine renditions are fixed.
p is adjusted for what is shown together: Holm, over dimensions in C max-T. "Not distinguished" says
that these clips cannot tell, not that the models are equal; "equivalent" says that they differ by
less than {margin:g} of R2. BH: Benjamini-Hochberg over dimensions in C, for exploration."""


def sentence(first: str, second: str, overall: Difference, pairs: int) -> str:
    """Say in plain words what the overall difference shows.

    Parameters
    ----------
    first, second : str
        What the models are called.
    overall : Difference
    pairs : int
        Number of comparisons shown together, for which p-values are corrected.
    """
    lead = f"{_explains(first, second, overall.difference)}"
    if overall.scope_c is None:
        return f"{lead} on these clips; whether it would on others is not tested."
    c = f"on new passages by these performers ({_evidence(overall.scope_c, pairs)})"
    said = f"{lead} {c}: {_finding(overall.scope_c)}."
    if overall.scope_g is None:
        return f"{said} For new performers there is no test."
    evidence = _evidence(overall.scope_g, pairs)
    return f"{said} For new performers as well ({evidence}): {_finding(overall.scope_g)}."


def comparison_text(comparison: Comparison) -> str:
    """Lay out a comparison for a terminal."""
    counts = f"{comparison.clips} clips, {comparison.passages} passages"
    if comparison.performers is not None:
        counts += f", {comparison.performers} performers"
    parts = [
        f"{comparison.dataset}, protocol {comparison.protocol}: {counts}",
        _models_table(comparison.models),
    ]
    for pair in comparison.pairs:
        parts += _pair_parts(pair, comparison.margin)
    if any(pair.overall.scope_c for pair in comparison.pairs):
        parts.append(_READING.format(margin=comparison.margin))
    if comparison.limits:
        parts.append("\n".join(f"note: {limit}" for limit in comparison.limits))
    return "\n\n".join(parts)


def draw_comparison(path: Path, comparison: Comparison) -> None:
    """Draw the differences overall and by dimension as SVG, PNG or PDF.

    Raises
    ------
    UsageError
        For another ending of the file's name.
    DependencyError
        If matplotlib is not installed.
    """
    tested = any(pair.overall.scope_c is not None for pair in comparison.pairs)
    axis = f"difference in R2 on {comparison.protocol}" + (
        ", 95% jackknife-t interval over passages" if tested else ""
    )
    first, *others = (model.name for model in comparison.models)
    title = f"{first} less {others[0] if len(others) == 1 else 'each of the others'}"
    draw_forest(path, estimates_of(comparison), axis, title)


def estimates_of(comparison: Comparison) -> list[Estimate]:
    """Take the differences overall and by dimension, with their intervals of scope C."""
    several = len(comparison.pairs) > 1
    found = []
    for pair in comparison.pairs:
        rows: Iterable[Difference] = (pair.overall, *pair.dimensions)
        for row in rows:
            label = f"{row.name}, less {pair.second}" if several else row.name
            low, high = (row.scope_c.low, row.scope_c.high) if row.scope_c else (None, None)
            found.append(Estimate(label, row.difference, low, high))
    return found


def _explains(first: str, second: str, difference: float) -> str:
    if difference == 0:
        return f"{first} explains exactly as much of the variance as {second}"
    more = "more" if difference > 0 else "less"
    return f"{first} explains {abs(difference):.3f} {more} of the variance than {second}"


def _evidence(test: ScopeTest, pairs: int) -> str:
    corrected = f", corrected for {pairs} comparisons" if pairs > 1 else ""
    return f"95% interval {test.low:+.3f} to {test.high:+.3f}; p = {_p(test.p_adjusted)}{corrected}"


def _finding(test: ScopeTest) -> str:
    if test.verdict is Verdict.NOT_DISTINGUISHED:
        return (
            f"{test.verdict}, which does not make them equal; to be found four times in five, a "
            f"difference would have to be {test.detectable:.3f}"
        )
    return str(test.verdict)


def _pair_parts(pair: PairRecord, margin: float) -> list[str]:
    rows: Sequence[Difference] = (pair.overall, *pair.categories, *pair.dimensions)
    parts = [pair.sentence, _differences_table(rows), _facts(pair, margin)]
    if pair.published is not None:
        parts.append(_published_text(pair.published))
    if pair.limits:
        parts.append("\n".join(f"note: {limit}" for limit in pair.limits))
    return parts


def _models_table(models: Sequence[ModelRecord]) -> str:
    return _table(
        {
            "model": model.name,
            "R2": f"{model.r2:.3f}",
            "C": _span(model.scope_c),
            "G": _span(model.scope_g),
            "rank": "" if model.best_rank is None else f"{model.best_rank}-{model.worst_rank}",
            "p of best": "" if model.p_best is None else _p(model.p_best),
            "may be the best": {True: "yes", False: "no", None: ""}[model.tied_with_best],
        }
        for model in models
    )


def _differences_table(rows: Sequence[Difference]) -> str:
    def cells(row: Difference) -> dict[str, str]:
        return {
            "": row.name,
            "first": f"{row.first:.3f}",
            "second": f"{row.second:.3f}",
            "difference": f"{row.difference:+.3f}",
            **_scope_cells("C", row.scope_c),
            **_scope_cells("G", row.scope_g),
            "BH": (
                _p(row.p_benjamini_hochberg)
                if isinstance(row, DimensionDifference) and row.p_benjamini_hochberg is not None
                else ""
            ),
        }

    return _table(map(cells, rows))


def _scope_cells(scope: str, test: ScopeTest | None) -> dict[str, str]:
    return {
        scope: "" if test is None else f"[{test.low:+.3f}, {test.high:+.3f}]",
        f"p ({scope})": "" if test is None else _p(test.p_adjusted),
        f"verdict ({scope})": "" if test is None else str(test.verdict),
    }


def _facts(pair: PairRecord, margin: float) -> str:
    lines = []
    for scope, test in (("C", pair.overall.scope_c), ("G", pair.overall.scope_g)):
        if test is not None:
            lines.append(
                f"{scope}: standard error {test.standard_error:.4f} on {test.df} degrees of "
                f"freedom; smallest difference detectable at 80% power {test.detectable:.3f}; "
                f"p of a difference of {margin:g} or more {_p(test.p_equivalent)}"
            )
    if pair.probability_within_margin is not None:
        share = pair.probability_within_margin
        lines.append(f"share of resamples with a difference below {margin:g}: {share:.3f}")
    if pair.effects is not None:
        sizes = (
            f"{name} {effect.value:+.2f} [{effect.low:+.2f}, {effect.high:+.2f}]"
            for name, effect in pair.effects.items()
        )
        lines.append(f"effect sizes on passages: {', '.join(sizes)}")
    alike = pair.error_correlation
    corrected = "" if alike.corrected is None else f", {alike.corrected:.3f} without label noise"
    if alike.raw is not None:
        lines.append(f"correlation of errors: {alike.raw:.3f}{corrected}")
    lines.append(f"no linear fusion of the two can exceed R2 {pair.fusion_bound:.3f} here")
    return "\n".join(lines)


def _published_text(found: PublishedRecord) -> str:
    lines = [
        f"{name}: statistic {test.statistic:.2f}, p = {_p(test.p_value)}; at a nominal 5% it "
        f"rejects a true hypothesis in {test.error_rate_c:.0%} (C) and {test.error_rate_g:.0%} (G)"
        for name, test in (("paired t", found.paired_t), ("Wilcoxon", found.wilcoxon))
    ]
    span = found.intervals["difference"]
    lines.append(
        f"bootstrap of clips: difference {span.low:+.3f} to {span.high:+.3f}; such a 95% interval "
        f"of a model misses in {found.interval_miss_rate_c:.0%} (C) and "
        f"{found.interval_miss_rate_g:.0%} (G)"
    )
    lines.append(f"d_av on clips: {found.d_av:+.2f}")
    heading = "As published, on clips taken as independent (error rates measured on PercePiano):"
    return "\n".join([heading, *lines])


def _table(rows: Iterable[dict[str, str]]) -> str:
    """Lay out rows without the columns in which none has anything to say."""
    from tabulate import tabulate

    listed = list(rows)
    kept = [name for name in listed[0] if name == "" or any(row[name] for row in listed)]
    body = [[row[name] for name in kept] for row in listed]
    return str(tabulate(body, headers=kept, tablefmt="simple", disable_numparse=True))


def _span(span: Span | None) -> str:
    return "" if span is None else f"[{span.low:.3f}, {span.high:.3f}]"


def _p(value: float) -> str:
    return f"{value:.4f}" if 0.00005 <= value < 0.1 else f"{value:.2g}"
