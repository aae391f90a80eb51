"""What a sweep will do: its cells as plans of runs, and what of them is stored already.

Every cell is checked before anything runs, and a cell whose result lies in the folder of results,
of the same configuration, data and folds, is not run again. So a sweep that was interrupted goes
on, and shards that were run elsewhere are merged by copying their results into one folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .errors import PianobenchError, ResultError, UsageError
from .grid import Cell, Grid
from .plan import Plan, plan_run
from .plugins import Registry
from .result import Result, read_result
from .values import Split

__all__ = ["SweepPlan", "plan_sweep", "shard", "stored_result"]

_NAMED = 4


@dataclass(frozen=True)
class PlannedCell:
    """A run of a sweep, and the settings that tell it from the others, in words."""

    varied: Mapping[str, str]
    plan: Plan


@dataclass(frozen=True)
class SweepPlan:
    """The cells of a sweep, each once.

    Attributes
    ----------
    name : str
        Of the grids, with a digest of all cells.
    about : str
        The questions the grids answer.
    cells : tuple of PlannedCell
        In the order of the grids.
    """

    name: str
    about: str
    cells: tuple[PlannedCell, ...]

    @property
    def protocols(self) -> tuple[str, ...]:
        """What every cell is scored by."""
        return self.cells[0].plan.config.protocols or ()


def plan_sweep(grids: Sequence[Grid], registry: Registry) -> SweepPlan:
    """Make the cells of some grids together, and plan each.

    Raises
    ------
    UsageError
        If a grid is empty, the cells of two grids are scored on other data or folds, or cells
        cannot be run: all of them are named, with what is wrong with each.
    """
    made = [(grid, cell) for grid in grids for cell in grid.cells()]
    planned: dict[str, PlannedCell] = {}
    impossible: dict[str, list[Cell]] = {}
    for grid, cell in made:
        try:
            plan = plan_run(cell.config, registry)
        except PianobenchError as error:
            impossible.setdefault(str(error), []).append(cell)
            continue
        varied = {"grid": grid.name, **cell.varied} if len(grids) > 1 else dict(cell.varied)
        planned.setdefault(plan.config.digest, PlannedCell(varied, plan))
    if impossible:
        raise _refusal(impossible, len(made))
    cells = tuple(planned.values())
    _require_comparable(cells)
    digest = hashlib.sha256(" ".join(planned).encode()).hexdigest()
    return SweepPlan(
        f"{'+'.join(grid.name for grid in grids)}-{digest[:8]}",
        " ".join(grid.about for grid in grids if grid.about),
        cells,
    )


def shard(plan: SweepPlan, index: int, count: int) -> SweepPlan:
    """Take one of several parts of a sweep, of cells side by side, which share encodings.

    Parameters
    ----------
    plan : SweepPlan
    index : int
        From 1 to `count`.
    count : int

    Raises
    ------
    UsageError
        If there is no such part.
    """
    if not 1 <= index <= count:
        raise UsageError(
            f"There is no shard {index} of {count}: they are 1/{count} to {count}/{count}."
        )
    cells = len(plan.cells)
    part = plan.cells[(index - 1) * cells // count : index * cells // count]
    return replace(plan, cells=part)


def stored_result(
    plan: Plan, results: Path, data_digest: str, splits: Mapping[str, Split]
) -> Result | None:
    """Find the result of a plan, on this data and these folds; None where it has to be run."""
    if not (results / plan.name).is_dir():
        return None
    try:
        found = read_result(results / plan.name)
    except ResultError:
        return None
    digests = {protocol: record.split_digest for protocol, record in found.protocols.items()}
    same = (
        found.config == plan.config
        and found.data.digest == data_digest
        and digests == {protocol: split.digest for protocol, split in splits.items()}
    )
    return found if same else None


def _refusal(impossible: Mapping[str, Sequence[Cell]], cells: int) -> UsageError:
    """Name the cells that cannot be run, those of one fault together."""
    named = []
    for fault, of in list(impossible.items())[:_NAMED]:
        more = f" (and {len(of) - 1} more)" if len(of) > 1 else ""
        named.append(f"{of[0]}{more}: {fault}")
    left = len(impossible) - len(named)
    return UsageError(
        f"{sum(map(len, impossible.values()))} of {cells} cells cannot be run, so nothing was. "
        f"{' '.join(named)}{f' And {left} more faults.' if left else ''}"
    )


def _require_comparable(cells: Sequence[PlannedCell]) -> None:
    first = cells[0].plan.config
    for cell in cells:
        config = cell.plan.config
        for setting in ("dataset", "protocols", "selection"):
            if getattr(config, setting) != getattr(first, setting):
                raise UsageError(
                    f"The grids differ in {setting}: {getattr(first, setting)} and "
                    f"{getattr(config, setting)}. Cells are compared on the same clips and folds; "
                    f"give one {setting} for all."
                )
