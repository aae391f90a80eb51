"""Whether everything published follows from the predictions: the check that a new row has to pass.

Every row is computed again from its predictions and its dataset; a file that holds something else
than it should is one finding, in one line. Where a dataset is not here its rows are computed from
the published labels as far as those reach, and are counted as unchecked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from ..components import Dataset
from ..config import Choice
from ..errors import PianobenchError, SplitError, StatisticsError
from ..parallel import run_where_it_pays
from ..predictions import file_digest, read_predictions
from ..rescore import Disagreement, disagreements, disagreements_of_scores
from ..result import Result, predictions_name, read_result
from ..split import PROTOCOLS, load_split
from ..values import Corpus
from .assemble import read_board
from .labels import LABELS, Labels, labels_path, labels_text, read_labels
from .publish import leaderboard_files
from .reported import read_reported
from .rerun import RERUN, faults_of_rerun, read_rerun

__all__ = ["Checked", "Finding", "Material", "check_leaderboard", "check_row"]


class Finding(NamedTuple):
    """A file and what is wrong with it."""

    path: Path
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {' '.join(self.text.split())}"


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes
    ----------
    rows : int
        Results that were looked at.
    faults : tuple of Finding
        One per faulty file.
    unchecked : mapping of str to list of str
        Rows whose folds, leaks and noise ceiling could not be checked, by the reason.
    """

    rows: int
    faults: tuple[Finding, ...]
    unchecked: Mapping[str, Sequence[str]]


class Material(NamedTuple):
    """What a row is computed from: its dataset with the corpus, or why it is not here.

    `labels` is the corpus as the leaderboard publishes it, if it does.
    """

    dataset: Dataset | None
    corpus: Corpus | None
    absent: str
    labels: Corpus | None


class _Row(NamedTuple):
    folder: Path
    result: Result


def check_leaderboard(
    folder: Path, load: Callable[[Choice], tuple[Dataset, Corpus]], jobs: int
) -> Checked:
    """Compute everything again that is published in a folder.

    Parameters
    ----------
    folder : Path
        The leaderboard's.
    load : callable
        Makes a dataset with its corpus from the choice in a configuration.
    jobs : int
        Processes.
    """
    faults: list[Finding] = []
    labels = _read_all(folder, faults)
    rows = _read_rows(folder / "results", faults)
    faults += _unused(folder, labels, rows)
    materials = _materials(rows, labels, load)
    for material in materials.values():
        faults += _faults_of_folds(material, rows)
        faults += _faults_of_labels(folder, material, labels)
    faults += _check_rows(rows, materials, jobs)
    faults += _check_files(folder, sound=not faults)
    unchecked: dict[str, list[str]] = {}
    for row in rows:
        material = materials[_key(row.result)]
        if material.corpus is None:
            unchecked.setdefault(material.absent, []).append(row.folder.name)
    return Checked(len(rows), tuple(_one_each(faults)), unchecked)


def check_row(row: tuple[Path, Result], material: Material) -> list[Finding]:
    """Compute a row again; findings, at most one a file.

    Parameters
    ----------
    row : Path, Result
        The folder of a result, and the result.
    material : Material
    """
    folder, result = row
    file = folder / "result.json"
    claims = _claims(folder, result)
    if claims:
        return [Finding(file, "; ".join(claims))]
    found = _faults_of_record(folder, result)
    corpus = material.corpus or material.labels
    if corpus is None:
        return [*found, *_changed_files(folder, result, None)]
    if corpus.digest != result.data.digest:
        text = (
            f"it was computed on other data than is here (digest {result.data.digest[:12]}, here "
            f"{corpus.digest[:12]} of {corpus.name!r} version {corpus.version!r})"
        )
        return [*found, Finding(file, text)]
    changed = _changed_files(folder, result, corpus)
    if found or changed:
        return [*found, *changed]
    try:
        if material.dataset is None or material.corpus is None:
            differing = disagreements_of_scores(folder, result, corpus)
        else:
            differing = disagreements(folder, result, material.dataset, corpus)
    except SplitError:
        # Said once, of the fold file.
        return found
    except PianobenchError as error:
        return [*found, Finding(file, str(error))]
    return [*found, *_summed(differing)]


def _read_all(folder: Path, faults: list[Finding]) -> list[Labels]:
    """Read labels and reported numbers."""
    labels = []
    for path in sorted((folder / LABELS).glob("*.json")):
        try:
            labels.append(read_labels(path))
        except PianobenchError as error:
            faults.append(Finding(path, _without(path, error)))
    try:
        read_reported(folder / "reported.json")
    except PianobenchError as error:
        faults.append(Finding(folder / "reported.json", str(error)))
    return labels


def _read_rows(results: Path, faults: list[Finding]) -> list[_Row]:
    rows = []
    for folder in sorted(path for path in results.glob("[!.]*") if path.is_dir()):
        try:
            rows.append(_Row(folder, read_result(folder)))
        except PianobenchError as error:
            path = folder / "result.json"
            faults.append(Finding(path, _without(path, error)))
    return rows


def _unused(folder: Path, labels: Iterable[Labels], rows: Iterable[_Row]) -> list[Finding]:
    """Find labels that are not what rows of that version were computed on."""
    digests = {row.result.data.digest for row in rows}
    versions = {(row.result.data.dataset, row.result.data.version) for row in rows}
    found = []
    for each in labels:
        corpus = each.corpus
        if (corpus.name, corpus.version) not in versions:
            found.append(Finding(each.path, "it holds the labels of no row"))
        elif corpus.digest not in digests:
            text = "it holds other labels than the rows of this version were computed on"
            found.append(Finding(each.path, f"{text} (digest {corpus.digest[:12]})"))
        elif each.path != labels_path(folder, corpus.name, corpus.version):
            found.append(Finding(each.path, f"it holds {corpus.name!r} {corpus.version!r}"))
    return found


def _materials(
    rows: Iterable[_Row],
    labels: Iterable[Labels],
    load: Callable[[Choice], tuple[Dataset, Corpus]],
) -> dict[str, Material]:
    """Load each dataset that rows name, once."""
    published = {each.corpus.digest: each.corpus for each in labels}
    found: dict[str, Material] = {}
    for row in rows:
        key = _key(row.result)
        if key in found:
            continue
        held = published.get(row.result.data.digest)
        try:
            found[key] = Material(*load(row.result.config.dataset), "", held)
        except PianobenchError as error:
            found[key] = Material(None, None, str(error), held)
    return found


def _key(result: Result) -> str:
    """Rows of one key are computed from the same material."""
    return f"{result.config.dataset.model_dump_json()} {result.data.digest}"


def _faults_of_folds(material: Material, rows: Iterable[_Row]) -> list[Finding]:
    """Try the folds of every protocol that rows use; a committed file that leaks is refused."""
    if material.dataset is None or material.corpus is None:
        return []
    dataset, corpus, found = material.dataset, material.corpus, []
    used = {
        p for row in rows if row.result.data.dataset == corpus.name for p in row.result.protocols
    }
    for protocol in sorted(used & set(PROTOCOLS)):
        try:
            load_split(corpus, protocol, dataset)
        except PianobenchError as error:
            path = dataset.fold_file(protocol) or Path(f"{corpus.name}-{protocol}")
            found.append(Finding(path, _without(path, error)))
    return found


def _faults_of_labels(folder: Path, material: Material, labels: Iterable[Labels]) -> list[Finding]:
    """Compare the published labels with those of the dataset."""
    if material.dataset is None or material.corpus is None:
        return []
    dataset, corpus = material.dataset, material.corpus
    path = labels_path(folder, corpus.name, corpus.version)
    if path not in {each.path for each in labels}:
        return []
    if path.read_text(encoding="utf-8") == labels_text(corpus, dataset.licence, dataset.citation):
        return []
    return [Finding(path, f"it is not what the dataset {corpus.name!r} gives that is here")]


def _check_rows(
    rows: Sequence[_Row], materials: Mapping[str, Material], jobs: int
) -> list[Finding]:
    found: list[Finding] = []
    for key, material in materials.items():
        own = [row for row in rows if _key(row.result) == key]
        for _, outcome in run_where_it_pays(partial(check_row, material=material), own, jobs):
            if isinstance(outcome, Exception):
                raise outcome
            found += outcome
    return found


def _claims(folder: Path, result: Result) -> list[str]:
    """Find what a result says of itself that cannot be."""
    found = []
    if folder.name != result.name:
        found.append(f"it is the result {result.name!r}, and lies in a folder of another name")
    unknown = sorted(set(result.protocols) - set(PROTOCOLS))
    if unknown:
        found.append(f"there is no protocol {unknown[0]!r}")
    ranked = [name for name, record in result.protocols.items() if record.ranked]
    if ranked and result.config.selection != "nested":
        found.append(
            f"it claims a rank on {ranked[0]!r}, and training stopped on the fold that is scored"
        )
    for name, record in result.protocols.items():
        if record.predictions != predictions_name(name):
            found.append(f"its predictions of {name!r} are {record.predictions!r}")
    return found


def _changed_files(folder: Path, result: Result, corpus: Corpus | None) -> list[Finding]:
    """Find predictions that are not those that were scored."""
    found = []
    for protocol, record in result.protocols.items():
        expected = {predictions_name(protocol): record.predictions_sha256}
        if record.optimism is not None:
            name = predictions_name(protocol, "test-fold")
            expected[name] = record.optimism.predictions_sha256
        for name, sha256 in expected.items():
            path = folder / name
            text = _changed(path, sha256, corpus)
            if text:
                found.append(Finding(path, text))
    return found


def _changed(path: Path, sha256: str, corpus: Corpus | None) -> str:
    if not path.is_file():
        return "it is missing"
    if corpus is not None:
        try:
            predictions = read_predictions(path, corpus)
        except PianobenchError as error:
            return _without(path, error)
        held = set(predictions.clips.tolist())
        missing = [clip for index, clip in enumerate(corpus.ids) if index not in held]
        if missing:
            return f"{len(missing)} clips are missing, such as {missing[0]!r}"
    if file_digest(path) != sha256:
        return "it was changed after it was written: its SHA-256 is not the one in result.json"
    return ""


def _faults_of_record(folder: Path, result: Result) -> list[Finding]:
    path = folder / RERUN
    try:
        record = read_rerun(folder)
    except PianobenchError as error:
        return [Finding(path, _without(path, error))]
    if record is None:
        return []
    faults = faults_of_rerun(record, result)
    if not faults:
        return []
    return [Finding(path, f"it does not show that the row was reproduced: {'; '.join(faults)}")]


def _summed(differing: Sequence[Disagreement]) -> list[Finding]:
    """Join what disagrees to one finding a file."""
    by_file: dict[Path, list[str]] = {}
    for each in differing:
        by_file.setdefault(each.path, []).append(each.text)
    return [
        Finding(path, texts[0] + (f" (and {len(texts) - 1} more)" if texts[1:] else ""))
        for path, texts in by_file.items()
    ]


def _check_files(folder: Path, *, sound: bool) -> list[Finding]:
    """Compare what is written with what the rows say; of unsound rows, only the badges."""
    found = _unearned(folder)
    if not sound or found:
        return found
    try:
        expected = leaderboard_files(read_board(folder))
    except (PianobenchError, StatisticsError) as error:
        return [Finding(folder, str(error))]
    for name, text in expected.items():
        path = folder / name
        if not path.is_file():
            found.append(Finding(path, "it is missing: run `bench leaderboard`"))
            continue
        written, due = path.read_bytes().split(b"\n"), text.encode().split(b"\n")
        if written != due:
            lines = enumerate(zip_longest(written, due), start=1)
            line = next(number for number, (ours, theirs) in lines if ours != theirs)
            found.append(
                Finding(path, f"line {line} is not what the results say: run `bench leaderboard`")
            )
    return found


def _unearned(folder: Path) -> list[Finding]:
    """Find badges of a rerun in the published board that no record stands for."""
    path = folder / "board.json"
    try:
        datasets = json.loads(path.read_text(encoding="utf-8"))["datasets"]
        rows = [row for dataset in datasets for row in dataset["rows"]]
        claimed = [str(row["name"]) for row in rows if "rerun" in row["badges"]]
    except OSError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        return [Finding(path, f"it is damaged: {type(error).__name__}: {error}")]
    return [
        Finding(path, f"{name!r} has the badge rerun, and there is no results/{name}/{RERUN}")
        for name in claimed
        if not (folder / "results" / name / RERUN).is_file()
    ]


def _one_each(faults: Iterable[Finding]) -> list[Finding]:
    """Keep the first finding of each file."""
    first: dict[Path, Finding] = {}
    for finding in faults:
        first.setdefault(finding.path, finding)
    return list(first.values())


def _without(path: Path, error: Exception) -> str:
    """Say an error without the path that it begins with: a finding names it already."""
    return str(error).removeprefix(f"{path} ").strip()
