"""What the study of difficulty found: in a terminal, as a picture and as a report."""

from __future__ import annotations

from pathlib import Path

from ..forest import Estimate, draw_forest
from ..written_difficulty import PROXIES
from .difficulty import Association, Difficulty
from .report import Block, Picture, Table, Text, write_report

__all__ = ["difficulty_text", "draw_difficulty", "report_difficulty"]

_HEADS = ["", "rho", "p", "p, max-T", "within composers", "p, max-T, within"]
_READING = (
    "rho: Spearman's correlation over pieces of what is predicted, averaged over the takes of a "
    "piece, with difficulty; the interval is a 95% jackknife-t over pieces. max-T: permutation "
    "p-values corrected for the number of dimensions, and not for overall and note rate, each a "
    "family of one. Within composers: the partial correlation of "
    "ranks with the composer held fixed, permuted within composers. Overall is the mean of all "
    "dimensions; where their poles point is a convention, and so is its sign. Note rate is notes "
    "per second as performed: what a dimension says of difficulty has to be more than tempo."
)


def difficulty_text(study: Difficulty) -> str:
    """Lay out the correlation of every dimension with difficulty."""
    from tabulate import tabulate

    table = tabulate(_rows(study), headers=_HEADS, tablefmt="simple", disable_numparse=True)
    return "\n\n".join([_title(study), str(table), _summary(study), _READING])


def draw_difficulty(path: Path, study: Difficulty) -> None:
    """Draw every correlation with its interval.

    Raises
    ------
    UsageError, DependencyError
        As `pianobench.forest.draw_forest`.
    """
    estimates = [Estimate(name, a.rho, a.low, a.high) for name, a in _associations(study)]
    axis = "Spearman's rho over pieces, 95% interval"
    draw_forest(path, estimates, axis, f"{study.applied.label}: with {study.difficulty}")


def report_difficulty(folder: Path, study: Difficulty) -> None:
    """Write ``report.html`` into a study's folder, with ``rho.svg`` where that was drawn.

    Raises
    ------
    ResultError
        If it cannot be written.
    """
    blocks: list[Block] = [Text("\n\n".join([_summary(study), *study.applied.sentences()]))]
    if (folder / "rho.svg").is_file():
        blocks.append(Picture(folder / "rho.svg", f"Correlation with {study.difficulty}"))
    blocks.append(Table(_HEADS, _rows(study), "Every dimension"))
    blocks.append(Text(_READING, "How to read it"))
    if study.of_proxies:
        blocks.append(Text(_about_proxies(), "What stands in for difficulty"))
        for caption, table in (
            ("Correlation with every proxy", study.of_proxies),
            ("Correlation of the proxies with each other", study.proxies),
        ):
            rows = [[name, *(f"{v:+.2f}" for v in row.values())] for name, row in table.items()]
            blocks.append(Table(["", *PROXIES], rows, caption))
    write_report(folder / "report.html", _title(study), blocks)


def _about_proxies() -> str:
    listed = "; ".join(f"{name}: {what}" for name, what in PROXIES.items())
    return (
        f"{listed}. None measures difficulty. note-rate is nearly a statistic of tempo, which "
        "performances share by construction; the others take nothing but written pitches and note "
        "values."
    )


def _title(study: Difficulty) -> str:
    applied = study.applied
    return (
        f"{applied.label}, fitted on {applied.config['dataset']['name']}, against "
        f"{study.difficulty} of {study.pieces} pieces of {applied.dataset['name']}"
    )


def _associations(study: Difficulty) -> list[tuple[str, Association]]:
    rate = [] if study.note_rate is None else [("note rate", study.note_rate)]
    return [*study.dimensions.items(), ("overall", study.overall), *rate]


def _rows(study: Difficulty) -> list[list[str]]:
    return [
        [
            name,
            f"{a.rho:+.3f} [{a.low:+.3f}, {a.high:+.3f}]",
            f"{a.p_value:.4f}",
            f"{a.max_t:.4f}",
            _within(a),
            "" if a.within_max_t is None else f"{a.within_max_t:.4f}",
        ]
        for name, a in _associations(study)
    ]


def _within(found: Association) -> str:
    if found.within_composers is None:
        return "not known"
    return f"{found.within_composers:+.3f} [{found.within_low:+.3f}, {found.within_high:+.3f}]"


def _summary(study: Difficulty) -> str:
    strongest = max(study.dimensions.items(), key=lambda item: abs(item[1].rho))
    holds = [name for name, a in study.dimensions.items() if a.max_t <= 0.05]
    if study.overall.within_composers is not None:
        within = [name for name in holds if (study.dimensions[name].within_max_t or 1) <= 0.05]
        held = f"{len(within)} of these do"
    else:
        held = "how many of these do is not known"
    return (
        f"{len(holds)} of {len(study.dimensions)} dimensions go with {study.difficulty} (5%, "
        f"corrected for their number); with the composer held fixed, {held}. The strongest is "
        f"{strongest[0]}, rho "
        f"{strongest[1].rho:+.3f}; the note rate of the performances alone reaches "
        + ("what is not known." if study.note_rate is None else f"{study.note_rate.rho:+.3f}.")
    )
