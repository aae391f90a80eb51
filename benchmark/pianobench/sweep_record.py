"""The answer of a sweep: its ablation table, and the nested choice where one was asked for.

Both are computed from stored results alone, and written to ``sweeps/<name>/`` below them as
``sweep.json`` and ``table.csv``: the same results give the same bytes, in whatever order and on
however many machines they were made.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from .ablation import Ablation, contenders_of, tabulate_cells
from .nested import NestedChoice, choose
from .predictions import read_predictions
from .result import predictions_name, writing
from .sweep import Ground
from .sweep_plan import PlannedCell, SweepPlan, stored_result

__all__ = ["SweepRecord", "conclude"]

_SWEEPS = "sweeps"


class SweepRecord(BaseModel):
    """What a sweep found."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    schema_version: int = 1
    name: str
    about: str
    dataset: str
    version: str
    data_digest: str
    missing: list[str]
    """Names of results that are not there: the table is about the others."""
    table: Ablation | None
    choice: NestedChoice | None
    """None where it was not asked for, or cells are missing."""


def conclude(plan: SweepPlan, ground: Ground, results: Path, protocol: str) -> SweepRecord:
    """Tabulate the cells that are stored, choose among them, and write both if none is missing.

    Parameters
    ----------
    plan : SweepPlan
    ground : Ground
    results : Path
    protocol : str
        By which cells are compared.

    Raises
    ------
    ResultError
        If a result was changed after it was written, or the answer cannot be written.
    StatisticsError
        If R2 is not defined.
    """
    evaluated = ground.evaluated
    found = [
        (cell, stored_result(cell.plan, results, evaluated.data.digest, evaluated.splits))
        for cell in plan.cells
    ]
    stored = [(cell, result) for cell, result in found if result is not None]
    missing = [cell.plan.name for cell, result in found if result is None]
    table = None
    if stored:
        kept = [result for _, result in stored]
        plans = [cell.plan for cell, _ in stored]
        contenders = contenders_of(results, plans, kept, protocol, evaluated.corpus)
        table = tabulate_cells(contenders, [cell.varied for cell, _ in stored], kept)
    answer = SweepRecord(
        name=plan.name,
        about=plan.about,
        dataset=evaluated.corpus.name,
        version=evaluated.corpus.version,
        data_digest=evaluated.corpus.digest,
        missing=missing,
        table=table,
        choice=None,
    )
    if missing:
        return answer
    kind = protocol if ground.inner is None else f"{protocol}-nested"
    with writing(results / _SWEEPS, f"{plan.name}-{kind}") as folder:
        if ground.inner is not None:
            answer = answer.model_copy(
                update={"choice": _choose(plan.cells, ground, results, folder)}
            )
        if answer.table is not None:
            _write_csv(folder / "table.csv", answer.table)
        text = json.dumps(answer.model_dump(mode="json"), indent=1, ensure_ascii=False)
        (folder / "sweep.json").write_text(text + "\n", encoding="utf-8")
    return answer


def _choose(
    cells: Sequence[PlannedCell], ground: Ground, results: Path, folder: Path
) -> NestedChoice | None:
    place = ground.inner
    if place is None or not all(place.holds(cell.plan.config) for cell in cells):
        return None
    name = predictions_name(place.protocol)
    outside = [read_predictions(results / c.plan.name / name, place.corpus) for c in cells]
    return choose(place, [cell.plan.config for cell in cells], outside, folder)


def _write_csv(path: Path, table: Ablation) -> None:
    settings = list(dict.fromkeys(name for row in table.rows for name in row.varied))
    numbers = [name for name in type(table.rows[0]).model_fields if name != "varied"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*settings, *numbers])
        for row in table.rows:
            values = (getattr(row, name) for name in numbers)
            shown = [f"{v:.6f}" if isinstance(v, float) else v for v in values]
            writer.writerow([*(row.varied.get(name, "") for name in settings), *shown])
