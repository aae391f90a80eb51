"""What a study of fusion found, in a terminal: the tables that its report shows as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..comparison import Difference, ScopeTest, Span
from .fusion_record import Fusion, FusionRecord

__all__ = [
    "READING",
    "Grid",
    "bounds_text",
    "correlations_grid",
    "dimensions_grid",
    "fusion_text",
    "gains_grid",
    "introduction",
    "models_grid",
    "weights_grid",
]

READING = """\
C: new passages, by these performers; jackknife-t over passages, p by sign flips of passages.
G: new passages and new performers; two-way jackknife-t and its p. p is corrected over the fusions
(Holm). "Not distinguished" says that these clips cannot tell, not that the two are equal. "If
leaky": what weights learned from the stored predictions of the other folds would have claimed; the
models behind those were trained on the fold that is scored."""


class Grid(NamedTuple):
    """A table: its heads, and rows of as many cells."""

    heads: list[str]
    rows: list[list[str]]


def fusion_text(study: Fusion) -> str:
    """Lay out a study for a terminal."""
    parts = [introduction(study), _table(models_grid(study)), _table(gains_grid(study)), READING]
    weights = weights_grid(study)
    parts += [_table(weights)] if weights.rows else []
    parts += [_table(correlations_grid(study)), bounds_text(study), _table(dimensions_grid(study))]
    if study.limits:
        parts.append("\n".join(f"note: {limit}" for limit in study.limits))
    return "\n\n".join(parts)


def introduction(study: Fusion) -> str:
    """Say what was fused, on what."""
    counts = f"{study.clips} clips, {study.passages} passages"
    if study.performers is not None:
        counts += f", {study.performers} performers"
    return (
        f"Fusion of {len(study.bases)} models on {study.dataset}, protocol {study.protocol}: "
        f"{counts}. Weights are learned on {study.inner_folds} inner folds of every training part. "
        "Never ranked."
    )


def models_grid(study: Fusion) -> Grid:
    """List the models alone, and what fitting them inside training parts took."""
    return Grid(
        ["model", "R2", "C", "G", "seeds", "fitted inside", "CPU s"],
        [
            [
                base.name,
                f"{base.model.r2:.3f}",
                _span(base.model.scope_c),
                _span(base.model.scope_g),
                str(base.model.seeds),
                str(base.inner_models),
                f"{base.inner_cpu_s:.0f}",
            ]
            for base in study.bases
        ],
    )


def gains_grid(study: Fusion) -> Grid:
    """List the fusions, and what they gain over the best single model."""
    heads = ["fusion", "R2", f"gain over {study.best}", "C", "p (C)", "verdict (C)"]
    return Grid(
        [*heads, "G", "p (G)", "verdict (G)", "R2 if leaky"],
        [
            [
                fused.name,
                f"{fused.r2:.3f}",
                f"{fused.gain.difference:+.3f}",
                *_test_cells(fused.gain.scope_c),
                *_test_cells(fused.gain.scope_g),
                "" if fused.leaky_r2 is None else f"{fused.leaky_r2:.3f}",
            ]
            for fused in study.fusions
        ],
    )


def weights_grid(study: Fusion) -> Grid:
    """Mean weights of the models, and between which values they lie over the folds."""
    names = [base.name for base in study.bases]
    return Grid(
        ["weights (range over folds)", *names],
        [
            [fused.name, *(_weight(fused, name, place) for place, name in enumerate(names))]
            for fused in study.fusions
            if fused.weights is not None
        ],
    )


def correlations_grid(study: Fusion) -> Grid:
    """How alike the errors of every two models are."""
    return Grid(
        ["correlation of errors", "and", "raw", "without label noise"],
        [
            [pair.first, pair.second, _number(pair.errors.raw), _number(pair.errors.corrected)]
            for pair in study.correlations
        ],
    )


def bounds_text(study: Fusion) -> str:
    """Say what no linear fusion could exceed."""
    return (
        f"No fusion can exceed R2 {study.bound:.3f} on these clips in which every dimension is a "
        "weighted sum of the models' predictions of it, with weights that are the same for all "
        f"clips; where it may draw on all dimensions' predictions, as 'stacked' does, "
        f"{study.bound_across:.3f}. These weights have seen the labels: the bounds are no "
        "estimates of what fusion reaches, and 'gated' is not linear."
    )


def dimensions_grid(study: Fusion) -> Grid:
    """R2 by dimension, of models and fusions; gains that are established in C are marked."""

    def cell(difference: Difference) -> str:
        test = difference.scope_c
        established = test is not None and test.p_adjusted <= 0.05
        return f"{difference.first:.3f}{'*' if established else ''}"

    return Grid(
        [
            "R2 (* differs from the best single, C)",
            *(base.name for base in study.bases),
            *(fused.name for fused in study.fusions),
            "bound",
        ],
        [
            [
                name,
                *(f"{base.dimensions[name]:.3f}" for base in study.bases),
                *(cell(fused.gains[place]) for fused in study.fusions),
                f"{bound:.3f}",
            ]
            for place, (name, bound) in enumerate(study.bound_dimensions.items())
        ],
    )


def _weight(fused: FusionRecord, name: str, place: int) -> str:
    if fused.weights is None:
        return ""
    by_fold = [learned["weights"][place] for learned in fused.learned.values()]
    low, high = f"{min(by_fold):.2f}", f"{max(by_fold):.2f}"
    return f"{fused.weights[name]:.2f}" + ("" if low == high else f" ({low}-{high})")


def _test_cells(test: ScopeTest | None) -> Sequence[str]:
    if test is None:
        return ["", "", ""]
    p = test.p_adjusted
    shown = f"{p:.4f}" if 0.00005 <= p < 0.1 else f"{p:.2g}"
    return [f"[{test.low:+.3f}, {test.high:+.3f}]", shown, str(test.verdict)]


def _span(span: Span | None) -> str:
    return "" if span is None else f"[{span.low:.3f}, {span.high:.3f}]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _table(grid: Grid) -> str:
    from tabulate import tabulate

    return str(tabulate(grid.rows, headers=grid.heads, tablefmt="simple", disable_numparse=True))
