"""Rows to tables: for the terminal, for the repository's page, and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ResultError
from .reported import Reported, read_reported
from .rows import BASELINES, RANKING, Bounds, Row, rank_rows, read_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["absent_baselines", "results_frame", "terminal_table", "write_leaderboard"]

_METRICS = {
    "r2_human": "human takes",
    "r2_within_passage": "within passage",
    "accuracy_within_passage": "pairs",
    "spearman": "Spearman",
}
_PROTOCOLS = ("unseen", "work", "performer", "excerpt", "random")

_NOTES = f"""\
R2 is pooled over out-of-fold predictions, its denominator the squared deviation from the grand
mean of the labels, and averaged uniformly over dimensions. Rows are ordered by R2 on `{RANKING}`,
where music that shares notes is kept on one side of every fold. The order says less than the
intervals: `bench compare` tells which rows can be told apart.

- First interval: 95% jackknife-t over passages, for new music by these performers. *New
  performers*: the two-way one over passages and performers.
- *Of ceiling*: share of the R2 that the reliability of the labels allows.
- *Human takes*: without machine renditions. *Within passage*: labels and predictions centred by
  passage, so that knowing the music is worth nothing. *Pairs*: share of pairs of takes of one
  passage put in the right order.
- `unseen`: passage and performer both new. `work`: leave one work out, a stress test on a few
  works, without an interval. Protocols that share music between training and test are shown for
  comparison only, and never rank a row.
"""


def results_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Build the table of one dataset's rows, ranked rows first; numbers are unrounded."""
    import pandas as pd

    ordered = rank_rows(rows)
    protocols = [p for p in _PROTOCOLS if any(p in row.r2 for row in ordered)]
    metrics = {m: label for m, label in _METRICS.items() if any(m in r.metrics for r in ordered)}
    table = []
    for position, row in enumerate(ordered, start=1):
        table.append(
            {
                "#": str(position) if row.ranked else "-",
                "encoder": row.encoder,
                "layers": row.layers,
                "input": row.renderer,
                "pooling": row.pooling,
                "head": row.head,
                "options": "; ".join(row.options),
                RANKING: row.r2.get(RANKING),
                **_ends("", row.interval),
                **_ends("new performers ", row.interval_new_performers),
                "of ceiling": _share(row),
                **{label: row.metrics.get(metric) for metric, label in metrics.items()},
                **{protocol: row.r2.get(protocol) for protocol in protocols},
                "seeds": row.seeds,
                "flags": "; ".join(row.flags),
                "result": row.name,
            }
        )
    return pd.DataFrame(table)


def terminal_table(rows: Sequence[Row]) -> str:
    """Lay out the rows of one dataset for a terminal."""
    return _layout(results_frame(rows).drop(columns=["seeds", "result", "layers"]), "simple")


def write_leaderboard(folder: Path) -> list[Path]:
    """Write ``README.md`` and one CSV per dataset from ``results/`` and ``reported.json``.

    The same inputs give the same bytes.

    Parameters
    ----------
    folder : Path
        The leaderboard's folder.

    Returns
    -------
    list of Path
        The files written.
    """
    if not (folder / "results").is_dir():
        raise ResultError(f"There is no leaderboard at {folder}: it has no folder results/.")
    rows = read_rows(folder / "results")
    reported = read_reported(folder / "reported.json")
    parts = ["# Leaderboard", "", "Written by `bench leaderboard`; do not edit.", "", _NOTES]
    written = []
    for dataset in sorted({row.dataset for row in rows} | {r.dataset for r in reported}):
        parts += [f"## {dataset}", ""]
        for version, own in _by_version([row for row in rows if row.dataset == dataset]).items():
            parts += [f"Version {version}, data {own[0].data_digest[:12]}.", ""]
            frame = results_frame(own)
            path = folder / f"{dataset}-{version}.csv"
            frame.to_csv(path, index=False, float_format="%.6f", lineterminator="\n")
            written.append(path)
            links = frame["result"].map("[files](results/{0})".format)
            parts += [_layout(frame.assign(result=links), "github"), "", *absent_baselines(own)]
        parts += _reported_part([r for r in reported if r.dataset == dataset])
    readme = folder / "README.md"
    readme.write_text("\n".join(parts), encoding="utf-8")
    return [readme, *written]


def absent_baselines(rows: Sequence[Row]) -> list[str]:
    """Say which compulsory rows a table lacks, as lines of its page; none if it holds all."""
    held = {(row.encoder, row.head) for row in rows}
    absent = [
        f"{encoder} with {head}" for encoder, head in BASELINES if (encoder, head) not in held
    ]
    if not absent:
        return []
    return [f"**Baselines that this table lacks: {', '.join(absent)}.**", ""]


def _by_version(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Part a dataset's rows; refuse to rank together what was not measured alike."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.version, []).append(row)
    for version, own in found.items():
        ranked = [row for row in own if row.ranked]
        for what in ("data_digest", "split_digest"):
            strangers = [row for row in ranked if getattr(row, what) != getattr(ranked[0], what)]
            if strangers:
                raise ResultError(
                    f"{ranked[0].name} and {strangers[0].name} cannot be ranked together: both are "
                    f"of version {version}, but their {what} differs. Run one of them again."
                )
    return dict(sorted(found.items()))


def _reported_part(reported: Sequence[Reported]) -> list[str]:
    if not reported:
        return []
    import pandas as pd

    table = pd.DataFrame([r.model_dump() for r in reported]).drop(columns=["dataset", "study"])
    return [
        "### Reported elsewhere",
        "",
        "Copied from their sources. No predictions were published, so nothing here could be "
        "recomputed and nothing is ranked.",
        "",
        _layout(table, "github"),
        "",
    ]


def _ends(scope: str, bounds: Bounds | None) -> dict[str, float | None]:
    low, high = bounds or (None, None)
    return {f"{scope}low": low, f"{scope}high": high}


def _share(row: Row) -> float | None:
    if row.ceiling is None or RANKING not in row.r2:
        return None
    return row.r2[RANKING] / row.ceiling


def _layout(frame: pd.DataFrame, style: str) -> str:
    """Round for reading: R2 and its interval in one column, empty cells where nothing is known."""
    from tabulate import tabulate

    shown = frame.copy()
    point = RANKING if RANKING in shown else "r2"
    values = shown[point].map(_cell)
    if "low" in shown:
        shown[point] = values + _brackets(shown, "")
    if "new performers low" in shown:
        after = list(shown).index(point) + 1
        shown.insert(after, "new performers", _brackets(shown, "new performers "))
    shown = shown.drop(columns=[c for c in shown if str(c).endswith(("low", "high"))])
    shown = shown.map(_cell)
    empty = [column for column in shown if (shown[column] == "").all()]
    return str(
        tabulate(
            shown.drop(columns=empty).to_dict("list"),
            headers="keys",
            tablefmt=style,
            disable_numparse=True,
        )
    )


def _brackets(shown: pd.DataFrame, scope: str) -> list[str]:
    ends = zip(shown[f"{scope}low"].map(_cell), shown[f"{scope}high"].map(_cell), strict=True)
    return [f" [{low}, {high}]" if low else "" for low, high in ends]


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
