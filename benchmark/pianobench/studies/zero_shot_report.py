"""The study of unrated recordings as files: predictions, pictures, and a page to open."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..components import AudioEncoder
from ..errors import DependencyError
from ..model_folder import KeptModel
from ..picture import picture, quieten
from ..render import render_clips
from ..result import writing
from ..run import Workplace
from ..values import Clip
from .folder import save_study
from .report import Block, Cell, Link, Picture, Sound, Table, Text, write_report
from .zero_shot import FAR, Extreme, Found, Spread, ZeroShot

__all__ = ["keep_zero_shot", "zero_shot_text"]

_COLOURS = {"predicted": "#c44e52", "held out": "#4c72b0", "labels": "#8c8c8c"}


def keep_zero_shot(found: Found, kept: KeptModel, workplace: Workplace) -> Path:
    """Write what a study found into a folder of its own below `workplace.results`.

    Renders of the clips at the ends are copied beside the page, so that they can be heard. Without
    matplotlib there are no pictures, and the page says so.

    Raises
    ------
    ResultError
        If it cannot be written.
    """
    study = found.study
    with writing(workplace.results, study.name) as folder:
        save_study(study, folder)
        _write_predictions(folder / "predictions.csv", found, kept)
        pictures = _draw(folder, found)
        cells = _cells(found, kept, workplace, folder)
        title = f"{study.source}, heard by a model of {study.fitted_on}"
        write_report(folder / "report.html", title, _blocks(study, pictures, cells))
    return workplace.results / study.name


def zero_shot_text(study: ZeroShot) -> str:
    """Lay out what is predicted beside what is usual, for a terminal."""
    from tabulate import tabulate

    heads, rows = _spread_table(study)
    table = tabulate(rows, headers=heads, tablefmt="simple", disable_numparse=True)
    return "\n\n".join([*_paragraphs(study), str(table)])


def _paragraphs(study: ZeroShot) -> list[str]:
    expected = (
        "what it is worth on new music is not known"
        if study.model_r2 is None
        else f"on music it has not seen its R2 is {study.model_r2:.3f}"
    )
    told = [
        f"{study.clips} recordings of {study.source}, predicted by {study.model}, which was fitted "
        f"on {study.fitted_on}; {expected}. Nobody rated these: nothing here is a score.",
        f"{study.far:.0%} of them lie farther from the training clips than {FAR:g}% of the "
        "training clips lie from other music (5% would, were they alike); the median percentile is "
        f"{study.novelty.q50:.0f}. The farther a recording, the less its prediction means.",
    ]
    if study.known:
        known = len({clip for clip, _ in study.known})
        told.append(
            f"Left out, and named with the reason at the end of the page: {known} takes that the "
            "model was fitted on, found by their notes."
        )
    if study.unchecked:
        told.append(f"Whether the model knows them is not sure: {study.unchecked.rstrip('.')}.")
    if study.failures:
        told.append(
            f"Left out, and named with the reason at the end of the page: {len(study.failures)} "
            "recordings that cannot be predicted."
        )
    return [*told, *(note[:1].upper() + note[1:] for note in study.notes)]


def _blocks(
    study: ZeroShot, pictures: tuple[Block, Block], cells: Mapping[str, Cell]
) -> list[Block]:
    heads, rows = _spread_table(study)
    blocks: list[Block] = [
        Text("\n\n".join(_paragraphs(study))),
        Text(
            "Each bar spans 90% of the values, its thick part 50%, the dot is the median. Read the "
            "predictions beside those that models made of training clips whose passages they had "
            "not seen, not beside the labels: a model that is unsure stays near the mean.",
            "Distributions",
        ),
        pictures[0],
        Table(heads, rows, "Medians with 5% and 95% quantiles"),
        Text(
            "The distance of a recording to its nearest training clip, in standardised features, "
            "as a percentile of the distances of training clips to the nearest clip of another "
            "passage (Ramaswamy et al. 2000, doi:10.1145/342009.335437; as a test for outliers "
            "Bates et al. 2023, doi:10.1214/22-AOS2244). Recordings like the training clips would "
            "fill all bars alike.",
            "Novelty",
        ),
        pictures[1],
        Text(
            "An extreme of a recording that is new to the model may be its ignorance: look at the "
            "novelty beside it.",
            "Extremes",
        ),
    ]
    for dimension in study.dimensions:
        sides = zip(dimension.highest, dimension.lowest, strict=True)
        ends = f" ({dimension.low} to {dimension.high})" if dimension.low else ""
        table = [[*_named(high, cells), *_named(low, cells)] for high, low in sides]
        heads = ["highest", "value", "novelty", "lowest", "value", "novelty"]
        blocks.append(Table(heads, table, dimension.name + ends))
    for title, column, pairs in (
        ("Known to the model", "training clip", study.known),
        ("Not predicted", "why", list(study.failures.items())),
    ):
        if pairs:
            blocks += [Text("", title), Table(["recording", column], [list(p) for p in pairs])]
    return blocks


def _named(extreme: Extreme, cells: Mapping[str, Cell]) -> list[Cell]:
    return [cells[extreme.clip], f"{extreme.value:.3f}", f"{extreme.novelty:.0f}"]


def _spread_table(study: ZeroShot) -> tuple[list[str], list[list[str]]]:
    def shown(spread: Spread | None) -> str:
        if spread is None:
            return ""
        return f"{spread.q50:.2f} ({spread.q05:.2f} to {spread.q95:.2f})"

    rows = [
        [
            dimension.name,
            shown(dimension.predicted),
            shown(dimension.held_out),
            shown(dimension.labels),
            f"{dimension.outside:.0%}",
        ]
        for dimension in study.dimensions
    ]
    return ["", "predicted", "held out", "labels", "outside 90%"], rows


def _write_predictions(path: Path, found: Found, kept: KeptModel) -> None:
    applied, training = found.applied, kept.training
    if applied.novelty is None:
        return
    names = [dimension.name for dimension in kept.model.dimensions]
    known = dict(reversed(found.study.known))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["clip", *names, "novelty", "distance", "nearest", "known"])
        for index, clip in enumerate(applied.clips):
            values = [f"{value:.6f}" for value in applied.values[index]]
            novelty = applied.novelty
            far = [f"{novelty.percentile[index]:.2f}", f"{novelty.distance[index]:.4f}"]
            nearest = training.ids[int(novelty.nearest[index])]
            writer.writerow([clip.id, *values, *far, nearest, known.get(clip.id, "")])


def _draw(folder: Path, found: Found) -> tuple[Block, Block]:
    spreads, novelty = folder / "distributions.svg", folder / "novelty.svg"
    try:
        _draw_spreads(spreads, found.study)
        _draw_novelty(novelty, found)
    except DependencyError as error:
        missing = Text(f"There is no picture here. {error}")
        return missing, missing
    return (
        Picture(spreads, "Predictions, held-out predictions and labels"),
        Picture(novelty, "Recordings by percentile of novelty"),
    )


def _draw_spreads(path: Path, study: ZeroShot) -> None:
    count = len(study.dimensions)
    with picture(path, width=7.0, height=1.3 + 0.45 * count) as figure:
        axes = figure.subplots()
        for row, dimension in zip(range(count, 0, -1), study.dimensions, strict=True):
            spreads = (dimension.predicted, dimension.held_out, dimension.labels)
            for place, (what, spread) in enumerate(zip(_COLOURS, spreads, strict=True)):
                if spread is not None:
                    label = what if row == count else None
                    _bar(axes, row + 0.24 - 0.24 * place, spread, _COLOURS[what], label)
        axes.set_yticks(range(count, 0, -1), [dimension.name for dimension in study.dimensions])
        quieten(axes, grid="x", hidden=["top", "right", "left"])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(0.4, count + 0.6)
        figure.legend(loc="outside upper right", ncols=3, frameon=False)


def _bar(axes: Any, height: float, spread: Spread, colour: str, label: str | None) -> None:
    axes.plot([spread.q05, spread.q95], [height] * 2, color=colour, linewidth=1)
    axes.plot([spread.q25, spread.q75], [height] * 2, color=colour, linewidth=4, label=label)
    axes.plot([spread.q50], [height], "o", color="white", markeredgecolor=colour, markersize=4)


def _draw_novelty(path: Path, found: Found) -> None:
    percentiles = [
        percentile
        for percentile, new in zip(found.applied.percentiles, found.new.tolist(), strict=True)
        if new
    ]
    with picture(path, width=7.0, height=2.4) as figure:
        axes = figure.subplots()
        axes.hist(percentiles, bins=20, range=(0, 100), color=_COLOURS["predicted"])
        axes.axhline(len(percentiles) / 20, color=_COLOURS["labels"], linewidth=1)
        axes.set_xlabel("percentile of the distance to the training clips")
        axes.set_ylabel("recordings")
        quieten(axes, grid="y", hidden=["top", "right"])


def _cells(found: Found, kept: KeptModel, workplace: Workplace, folder: Path) -> dict[str, Cell]:
    """Make a cell of every clip that is named: to be played where it sounds, else a link."""
    named = {
        extreme.clip
        for dimension in found.study.dimensions
        for extreme in (*dimension.highest, *dimension.lowest)
    }
    clips = [clip for clip in found.applied.clips if clip.id in named]
    shown = _short([clip.id for clip in clips])
    renders = _copy_renders(clips, kept, workplace, folder)
    final = (workplace.results / found.study.name).resolve()
    cells: dict[str, Cell] = {}
    for clip in clips:
        if clip.id in renders:
            cells[clip.id] = Sound(shown[clip.id], renders[clip.id])
            continue
        file = clip.audio or clip.midi
        target = "" if file is None else quote(os.path.relpath(file.resolve(), final))
        kind = Sound if clip.audio is not None else Link
        cells[clip.id] = kind(shown[clip.id], target)
    return cells


def _copy_renders(
    clips: Sequence[Clip], kept: KeptModel, workplace: Workplace, folder: Path
) -> dict[str, str]:
    """Copy what the model heard of clips that are MIDI; it was rendered before."""
    plan = kept.model.plan
    if not isinstance(plan.encoder, AudioEncoder) or plan.renderer is None:
        return {}
    rendered = render_clips(
        plan.renderer,
        clips,
        plan.encoder.sample_rate,
        workplace.cache / "renders",
        workplace.jobs,
    )
    copied = {}
    for number, (clip, sound) in enumerate(rendered.items(), start=1):
        target = f"audio/{number}.flac"
        (folder / "audio").mkdir(exist_ok=True)
        shutil.copyfile(sound.path, folder / target)
        copied[clip] = target
    return copied


def _short(ids: Sequence[str]) -> dict[str, str]:
    """Name clips by what tells their paths apart."""
    try:
        common = os.path.commonpath([Path(each).parent for each in ids])
    except ValueError:  # some are absolute and some are not
        common = ""
    return {each: os.path.relpath(each, common) if common else each for each in ids}
