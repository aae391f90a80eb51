"""What the study of consistency found: in a terminal, as a picture and as a report."""

from __future__ import annotations

from pathlib import Path

from ..picture import draw_rows
from .consistency import Consistency, Estimated, Reading
from .report import Block, Picture, Table, Text, write_report

__all__ = ["consistency_text", "draw_consistency", "report_consistency"]

_READING = (
    "Spread within: standard deviation over the performances of a piece; between: over pieces; "
    "share within: of the variance, what is within pieces. Follows: of a difference between the "
    "labels of two takes of one excerpt, the share that the model repeats in clips it was not "
    "fitted on; 1 is all of it, and where the interval reaches 0 the model may be blind to the "
    "player, so that a small spread within pieces says nothing of consistency. Where labels of "
    "takes differ by no more than the raters' noise, they cannot tell. Labels: their spread within "
    "an excerpt, that noise taken off. Intervals are 95%, pieces and passages "
    "being the independent units."
)


def consistency_text(study: Consistency) -> str:
    """Lay out the spread of every dimension, and what it is worth."""
    from tabulate import tabulate

    table = tabulate(_rows(study), headers=_heads(study), tablefmt="simple", disable_numparse=True)
    return "\n\n".join([_title(study), str(table), *_summary(study), _READING])


def draw_consistency(path: Path, study: Consistency) -> None:
    """Draw the spread within pieces of every dimension, beside that of the labels.

    Raises
    ------
    UsageError, DependencyError
        As `pianobench.picture.draw_rows`.
    """
    names = list(study.spread)
    title = f"{study.applied.label}: spread over performances of the same music"
    axis = "standard deviation within a piece, 95% interval"
    training = study.applied.config["dataset"]["name"]
    with draw_rows(path, names, axis, title) as axes:
        for place, name in zip(range(len(names), 0, -1), names, strict=True):
            within = study.spread[name].within_sd
            axes.plot([within.low, within.high], [place, place], color="#4c72b0", linewidth=2)
            _dot(axes, study, place, within.value, "o", "#1f3b6f", study.applied.dataset["name"])
            predicted = study.training_spread[name].within_sd.value
            _dot(axes, study, place, predicted, "d", "#dd8452", f"{training}, predicted")
            _dot(axes, study, place, study.label_within_sd(name), "|", "#c44e52", "labels")
        axes.set_xlim(left=0)
        axes.legend(loc="lower right", frameon=False, fontsize=8)


def _dot(
    axes: object,
    study: Consistency,
    place: int,
    value: float | None,
    mark: str,
    color: str,
    of: str,
) -> None:
    label = of if place == len(study.spread) else None
    axes.plot([value], [place], mark, color=color, markersize=7, label=label)  # type: ignore[attr-defined] # matplotlib's


def report_consistency(folder: Path, study: Consistency) -> None:
    """Write ``report.html`` into a study's folder, with ``spread.svg`` where that was drawn.

    Raises
    ------
    ResultError
        If it cannot be written.
    """
    blocks: list[Block] = [Text("\n\n".join([*_summary(study), *study.applied.sentences()]))]
    if (folder / "spread.svg").is_file():
        blocks.append(Picture(folder / "spread.svg", "Spread over performances of the same music"))
    blocks.append(Table(_heads(study), _rows(study), "Every dimension"))
    blocks.append(Text(_READING, "How to read it"))
    write_report(folder / "report.html", _title(study), blocks)


def _title(study: Consistency) -> str:
    applied = study.applied
    return (
        f"{applied.label}, fitted on {applied.config['dataset']['name']}, on "
        f"{study.performances:,} performances of {study.pieces} pieces of {applied.dataset['name']}"
    )


def _heads(study: Consistency) -> list[str]:
    training = study.applied.config["dataset"]["name"]
    return [
        "dimension",
        "within",
        "between",
        "share within",
        f"within, {training}",
        "within, labels",
        "follows",
        "",
    ]


def _rows(study: Consistency) -> list[list[str]]:
    return [
        [
            name,
            _interval(spread.within_sd),
            _number(spread.between_sd),
            _interval(spread.share_within, 2),
            _number(study.training_spread[name].within_sd),
            f"{study.label_within_sd(name):.3f}",
            _interval(study.follows[name], 2),
            study.reading(name),
        ]
        for name, spread in study.spread.items()
    ]


def _summary(study: Consistency) -> list[str]:
    names = list(study.spread)
    spreads = [study.spread[name].within_sd.value or 0.0 for name in names]
    mean = sum(study.mean_sd.values()) / len(names)
    singles = len(study.single_takes)
    kept = "tell of the spread between pieces only" if study.single_takes_kept else "are left out"
    said = (
        f"Within a piece predictions spread by {min(spreads):.3f} to {max(spreads):.3f} (mean of "
        f"the pieces' standard deviations, as published studies have it: {mean:.3f}). {singles} "
        f"pieces have one take and {kept}."
    )
    readings = [study.reading(name) for name in names]
    verdict = (
        f"In {readings.count('follows')} of {len(names)} dimensions the model is shown to follow "
        "what differs between takes of one excerpt (95% intervals, uncorrected for the number of "
        "dimensions)"
    )
    others: tuple[tuple[Reading, str], ...] = (
        ("may be blind", "it may be blind to the player in"),
        ("labels cannot tell", "labels differ by no more than noise, and cannot tell, in"),
    )
    for reading, words in others:
        of = [name for name in names if study.reading(name) == reading]
        verdict += f"; {words} {', '.join(of)}" if of else ""
    verdict += "."
    return [said, verdict]


def _interval(found: Estimated, digits: int = 3) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "not known"
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def _number(found: Estimated) -> str:
    return "not known" if found.value is None else f"{found.value:.3f}"
