"""The protocol that PercePiano's own figures come from, over many draws of its test set.

What enters is a plan and the seeds of draws; what leaves is a folder: the predictions of every
draw, written as soon as it is done, and ``study.json``. A draw holds a test set, and four models
that each stop early on a fold of their own (`pianobench.studies.draws`). Heads that are not trained
by gradient are fitted four times on the same clips. What depends on the draw is drawn: the one test
set behind a published figure is one such draw.

Two things are called the score of four models, so both are kept. The released code prints the mean
of their R2; the R2 of their mean prediction is higher, by what averaging takes from the error.

References
----------
Park, Kim, Park, Choi, Li, Park, Hwang: Piano performance evaluation dataset with multilevel
perceptual features. Scientific Reports 14, 23002, 2024. https://doi.org/10.1038/s41598-024-73810-0
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..array_files import ArrayFile, read_arrays, write_arrays
from ..errors import ResultError, UsageError
from ..fitting import Material, Member, fit_and_predict
from ..metrics import pooled_r2
from ..parallel import run_all
from ..plan import Plan
from ..progress import track
from ..run import Workplace, encode_plan, environment, load_scorable
from ..sequences import Sequences
from ..stored_features import StoredFeatures
from ..values import Corpus
from .distribution import Distribution, describe_draws
from .draws import FOLDS, TEST_SHARE, Draw, draw_test_set
from .folder import OF_A_RUN, Record, make_folder, read_study, save_study

__all__ = [
    "MEASURES",
    "DrawRecord",
    "PublishedSplit",
    "published_split",
    "read_published_split",
    "require_same_draws",
]

KIND = "published-split"
MEASURES: Mapping[str, str] = {
    "r2_mean_of_models": "mean of the four R2",
    "r2_of_mean": "R2 of the mean prediction",
    "r2_of_mean_flat": "the same, all labels as one",
}
"""What is described over draws; the first is what the released code prints."""


class DrawRecord(Record):
    """One draw."""

    seed: int
    """Of the draw, and of the initial weights and batches of its models."""
    excerpts: list[str]
    """Excerpts that make the test set."""
    clips: int
    known_music: float
    """Share of the test clips whose passage the folds hold as well."""
    r2_models: list[float]
    """R2 of each model on the test set, the uniform mean over dimensions."""
    r2_mean_of_models: float
    r2_of_mean: float
    """R2 of the models' mean prediction, the uniform mean over dimensions."""
    r2_of_mean_flat: float
    """R2 of the mean prediction, the labels of all dimensions about one common mean."""
    selected: list[dict[str, Any]]
    """What each model chose: epochs, penalty, ..."""
    cpu_s: float
    predictions: str
    """File of ``clips`` (indices) and ``values``, shape (models, clips, dimensions)."""


class PublishedSplit(Record):
    """What the study found.

    `config` is what a `pianobench.config.RunConfig` is made from: with the seeds of the draws, the
    same data, plugins and version, its plan repeats the study. `bench study` reads no such file; on
    the command line the same options are given again.
    """

    schema_version: Literal[1] = 1
    study: Literal["published-split"] = "published-split"
    ranked: Literal[False] = False
    """Music is shared between training and test."""
    name: str
    pianobench: str
    config: dict[str, Any]
    dataset: str
    data_version: str
    data_digest: str
    test_share: float
    folds: int
    draws: list[DrawRecord]
    distributions: dict[str, Distribution]
    """By `MEASURES`."""
    environment: dict[str, str]

    @property
    def label(self) -> str:
        """Encoder and head."""
        return f"{self.config['encoder']['name']}, {self.config['head']['name']}"


class _Predicted(NamedTuple):
    """What the models of a draw leave; `values` is of shape (models, test clips, dimensions)."""

    values: NDArray[np.float64]
    selected: list[dict[str, Any]]
    cpu_s: float


def published_split(
    plan: Plan,
    workplace: Workplace,
    seeds: Sequence[int],
    marks: Sequence[float] = (),
    beside: Sequence[PublishedSplit] = (),
) -> tuple[PublishedSplit, Path]:
    """Carry out the study; draws whose predictions lie in its folder are not fitted again.

    Parameters
    ----------
    plan : Plan
        Its protocols, seeds and selection do not matter.
    workplace : Workplace
        Its `results` holds one folder per study.
    seeds : sequence of int
        One draw each.
    marks : sequence of float
        Reported numbers to place among the draws.
    beside : sequence of PublishedSplit
        Studies that this one is to be compared with.

    Returns
    -------
    study, folder

    Raises
    ------
    UsageError
        If a study beside it is of other draws, before anything is encoded.
    PianobenchError
        Whatever the stages refuse. Draws that are done by then are kept.
    """
    corpus = load_scorable(plan, workplace)
    require_same_draws(corpus.name, corpus.digest, seeds, beside)
    draws = [draw_test_set(corpus, seed) for seed in seeds]
    encoded, features = encode_plan(plan, corpus, workplace)
    material = Material.of(plan.head, features, corpus, weighting=plan.config.weighting)
    config = plan.config.model_dump(mode="json", exclude={*OF_A_RUN, "seeds"})
    name = _name(config, corpus, encoded.namespace, _content(features))
    folder = workplace.results / name
    make_folder(folder)
    _fit_missing(folder, material, corpus, draws, workplace.jobs)
    records = [_record(folder, corpus, draw) for draw in draws]
    study = PublishedSplit(
        name=name,
        pianobench=version("pianobench"),
        config=config,
        dataset=corpus.name,
        data_version=corpus.version,
        data_digest=corpus.digest,
        test_share=TEST_SHARE,
        folds=FOLDS,
        draws=records,
        distributions={
            measure: describe_draws([getattr(record, measure) for record in records], marks)
            for measure in MEASURES
        },
        environment=environment(workplace),
    )
    save_study(study, folder)
    return study, folder


def read_published_split(folder: Path) -> PublishedSplit:
    """Read a stored study.

    Raises
    ------
    ResultError
        If there is none, or it is not of this kind and schema.
    """
    return read_study(folder, PublishedSplit, KIND)


def require_same_draws(
    dataset: str, data_digest: str, seeds: Sequence[int], others: Sequence[PublishedSplit]
) -> None:
    """Refuse studies that cannot be compared draw by draw with one of these data and seeds.

    Raises
    ------
    UsageError
        If a study is of other data or other seeds.
    """
    for other in others:
        drawn = [draw.seed for draw in other.draws]
        if drawn != list(seeds):
            raise UsageError(
                f"The study {other.name} has {len(drawn)} draws from seed {drawn[0]}, and this one "
                f"{len(seeds)} from seed {seeds[0]}: they cannot be compared draw by draw. Carry "
                "out one of them with the --draws and --seed of the other."
            )
        if other.data_digest != data_digest:
            raise UsageError(
                f"The study {other.name} is of {other.dataset} with data digest "
                f"{other.data_digest[:8]}, and this one of {dataset} with {data_digest[:8]}: they "
                "cannot be compared draw by draw. Carry out the other one again on these data."
            )


def _content(features: StoredFeatures | Sequences) -> str:
    """Digest what was encoded, in the order of the clips; a corpus knows nothing of its files."""
    sha256 = hashlib.sha256()
    if isinstance(features, Sequences):
        # A file of frames is named by the content that it was made from.
        sha256.update(json.dumps([path.name for path in features.paths]).encode())
        return sha256.hexdigest()
    read = features.read()
    vectors = np.ascontiguousarray(read if isinstance(read, np.ndarray) else read.x, dtype="<f8")
    sha256.update(f"{vectors.shape}".encode())
    sha256.update(vectors.tobytes())
    return sha256.hexdigest()


def _name(config: Mapping[str, Any], corpus: Corpus, namespace: str, content: str) -> str:
    """Name a study by what is fitted, and the digest of all that its draws depend on."""
    depends = [corpus.digest, namespace, content, TEST_SHARE, FOLDS]
    identity = [KIND, version("pianobench"), config, *depends]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    chosen = (config[part] for part in ("dataset", "encoder", "renderer", "head"))
    names = [choice["name"].replace("/", "_") for choice in chosen if choice is not None]
    return "-".join([KIND, *names, digest[:8]])


def _path(folder: Path, seed: int) -> Path:
    return folder / "draws" / f"{seed}.safetensors"


def _stored(folder: Path, draw: Draw) -> ArrayFile | None:
    """Read what was predicted for a draw; None if there is nothing, or it is of other clips."""
    stored = read_arrays(_path(folder, draw.seed))
    if stored is None or not np.array_equal(stored.arrays.get("clips", ()), draw.test):
        return None
    return stored


def _fit_missing(
    folder: Path, material: Material, corpus: Corpus, draws: Sequence[Draw], jobs: int
) -> None:
    """Fit the models of every draw that is not stored, and store it when it is done."""
    missing = [draw for draw in draws if _stored(folder, draw) is None]
    failed: list[Exception] = []
    fit = partial(_predict, material, corpus.group("excerpt"))
    outcomes = run_all(fit, missing, jobs)
    for index, outcome in track(outcomes, len(missing), "fit", "draw"):
        if isinstance(outcome, Exception):
            failed.append(outcome)
            continue
        draw = missing[index]
        write_arrays(
            _path(folder, draw.seed),
            {"clips": draw.test, "values": outcome.values},
            {"selected": json.dumps(outcome.selected), "cpu_s": f"{outcome.cpu_s:.3f}"},
        )
    if failed:
        raise failed[0]


def _predict(material: Material, groups: NDArray[np.str_], draw: Draw) -> _Predicted:
    started = time.process_time()
    values, selected = [], []
    for model in draw.models():
        predicted, chosen, _ = fit_and_predict(
            material, Member(split=0, fold=model, groups=groups, seed=draw.seed)
        )
        values.append(predicted)
        selected.append({"fold": model.name, **chosen})
    return _Predicted(np.array(values), selected, time.process_time() - started)


def _record(folder: Path, corpus: Corpus, draw: Draw) -> DrawRecord:
    path = _path(folder, draw.seed)
    stored = _stored(folder, draw)
    if stored is None:
        raise ResultError(
            f"The draw {path} is gone since it was written, or is now of other clips than the "
            f"{len(draw.test)} that seed {draw.seed} draws. Carry out the study again."
        )
    return DrawRecord(
        seed=draw.seed,
        excerpts=sorted(set(corpus.group("excerpt")[draw.test].tolist())),
        clips=len(draw.test),
        known_music=draw.share_of_known_music(corpus),
        **_scores(corpus.targets[draw.test], stored),
        selected=json.loads(stored.words["selected"]),
        cpu_s=float(stored.words["cpu_s"]),
        predictions=str(path.relative_to(folder)),
    )


def _scores(targets: NDArray[np.float64], stored: ArrayFile) -> dict[str, Any]:
    values = stored.arrays["values"]
    models = pooled_r2(targets, values).mean(axis=-1)
    mean = values.mean(axis=0)
    return {
        "r2_models": models.tolist(),
        "r2_mean_of_models": float(models.mean()),
        "r2_of_mean": float(pooled_r2(targets, mean).mean()),
        "r2_of_mean_flat": float(pooled_r2(targets.reshape(-1, 1), mean.reshape(-1, 1))[0]),
    }
