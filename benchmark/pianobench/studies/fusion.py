"""Is the whole more than its parts: fusing the predictions of several models.

What enters are stored results on the same data and folds; what leaves is a folder with
``study.json`` and the fused predictions. It says how alike the models' errors are, what each way to
fuse them (`pianobench.studies.fusion_rules`) gains over the best single model, with the paired
tests of `pianobench.scopes`, and what no linear fusion could exceed.

**Where weights are learned.** The predictions that are fused in a fold are the stored ones, of
models trained on the other folds. Weights have to be learned from predictions that resemble them,
of clips that the models did not train on, and it is tempting to take the stored predictions of the
*other* folds: they are out of fold, too. But the model that predicted fold B was trained on fold A
as well. What it predicts of B depends on the labels of A, and weights learned from it carry them
into A's own score: the second-level leak. A model that knows nothing, and predicts the mean of its
training labels, shows it in full. With four equal folds, the mean label of a fold is ``4 g - 3 p``,
``g`` the mean of all labels and ``p`` that prediction. A linear rule learns this line from three
folds, and on the fourth it finds the mean of labels that it must not know: pure noise gets an R2
above 0.

Here every base is fitted again inside each fold's training part, on inner folds of whole passages
(`pianobench.studies.inner_predictions`), and a fold's weights are learned from these predictions
alone; no label of the fold has touched them. What the shortcut would have claimed is computed
beside it, as ``leaky_r2``. Within the training part the same leak remains where a penalty, or when
to stop, is chosen among inner predictions: that may cost accuracy, and cannot flatter the score.

References
----------
Wolpert: Stacked generalization. Neural Networks 5(2), 1992.
https://doi.org/10.1016/S0893-6080(05)80023-1
Varma, Simon: Bias in error estimation when using cross-validation for model selection. BMC
Bioinformatics 7:91, 2006. https://doi.org/10.1186/1471-2105-7-91
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ..contenders import Contenders, align
from ..errors import DependencyError, SplitError, TrainingError, UsageError
from ..evaluate import OutOfFold
from ..inner_folds import INNER_FOLDS, inner_splits
from ..metrics import FloatArray, LabelArray, pooled_r2
from ..plan import plan_run
from ..plugins import Registry
from ..predictions import read_predictions, write_predictions
from ..result import predictions_name, read_result, result_folder
from ..run import Workplace, environment, load_scorable
from ..split import load_split
from ..trusted import require_trusted
from ..values import Corpus, Split
from .folder import make_folder, save_study, study_name
from .fusion_findings import Way, find
from .fusion_record import Fusion
from .fusion_rules import FUSIONS, Learner, Rule
from .inner_predictions import Base, InnerPredictions, predict_inside

__all__ = ["Fused", "fuse", "fusion"]

KIND = "fusion"


@dataclass(frozen=True)
class Fused:
    """Fused predictions.

    Attributes
    ----------
    values : np.ndarray [shape=(clip, dimension)]
        NaN for clips that no fold scores.
    rules : mapping of str to Rule
        By the fold that each was applied to.
    """

    values: FloatArray
    rules: Mapping[str, Rule]


def fuse(
    learn: Learner,
    split: Split,
    outside: FloatArray,
    inside: Mapping[str, FloatArray],
    targets: FloatArray,
    groups: LabelArray,
) -> Fused:
    """Learn a rule in every training part, and apply it to the fold outside.

    Parameters
    ----------
    learn : Learner
    split : Split
    outside : np.ndarray [shape=(model, clip, dimension)]
        Of models trained on the training part of the clip's fold.
    inside : mapping of str to np.ndarray [shape=(model, training clip, dimension)]
        By fold: predictions of its training clips from which the rule is learned.
    targets : np.ndarray [shape=(clip, dimension)]
    groups : np.ndarray [shape=(clip,)]
        Passages, which a choice of penalty or of epochs keeps whole.
    """
    values = np.full(targets.shape, np.nan)
    rules = {}
    for fold in split.folds:
        rule = learn(inside[fold.name], targets[fold.train], groups[fold.train])
        values[fold.test] = rule.fuse(outside[:, fold.test])
        rules[fold.name] = rule
    return Fused(values, rules)


def fusion(
    folders: Sequence[Path],
    protocol: str,
    registry: Registry,
    workplace: Workplace,
    inner_folds: int = INNER_FOLDS,
    encoders: Collection[str] = (),
) -> tuple[Fusion, Path]:
    """Carry out the study; models whose inner predictions are stored are not fitted again.

    Parameters
    ----------
    folders : sequence of Path
        Of stored results.
    protocol : str
    registry : Registry
    workplace : Workplace
        Its `results` holds one folder per study.
    inner_folds : int
        Of every training part, two or more.
    encoders : collection of str
        Those of the results that run code and are trusted, such as ``hear:MODULE``.

    Returns
    -------
    study, folder

    Raises
    ------
    UsageError
        For fewer than two results, one of them twice, or one that stopped training on the fold
        that is scored, or would run what the user has not named (`require_trusted`).
    ResultError
        If results are of different data or folds, or of others than here, or were changed.
    PianobenchError
        Whatever the stages refuse. Models that are fitted by then are kept.
    """
    bases = _read_bases(folders, registry, encoders)
    corpus = load_scorable(bases[0].plan, workplace)
    folders = [result_folder(folder) for folder in folders]
    results = [base.result for base in bases]
    given = align(folders, results, protocol, bases[0].plan.dataset, corpus)
    split = load_split(corpus, protocol, bases[0].plan.dataset)
    inner = inner_splits(corpus, split, inner_folds)
    inside = predict_inside(bases, corpus, split, inner, workplace)
    folder = workplace.results / _name(bases, given, inner)
    make_folder(folder)
    limits = [limit for found in inside for limit in found.limits]
    ways = _fuse_all(folder, given, split, inside, limits)
    study = Fusion(
        name=folder.name,
        pianobench=version("pianobench"),
        protocol=protocol,
        split_digest=split.digest,
        inner_folds=inner_folds,
        environment=environment(workplace),
        **find(results, given, inside, ways, limits)._asdict(),
    )
    save_study(study, folder)
    return study, folder


def _read_bases(
    folders: Sequence[Path], registry: Registry, encoders: Collection[str]
) -> list[Base]:
    if len(folders) < 2:
        raise UsageError(
            f"{len(folders)} result given: a fusion needs at least two. Name the folders of two or "
            "more results, such as those below results/."
        )
    results = [read_result(folder) for folder in folders]
    for folder, result in zip(folders, results, strict=True):
        if result.config.selection != "nested":
            raise UsageError(
                f"{folder} stopped training on the fold that is scored (selection "
                f"{result.config.selection!r}), so that no weights can be learned for its "
                "predictions that do not rest on it as well. Run it again without --selection."
            )
        require_trusted(result.config, registry, str(folder), encoders)
    return [Base(result, plan_run(result.config, registry)) for result in results]


def _name(bases: Sequence[Base], given: Contenders, inner: Mapping[str, Split]) -> str:
    """Name a study by what is fused, and the digest of all that it depends on."""
    protocol = given.protocol
    depends = [
        [base.result.config_digest, base.result.protocols[protocol].predictions_sha256]
        for base in bases
    ]
    folds = [inside.digest for inside in inner.values()]
    parts = [given.corpus.name, protocol, *(base.plan.encoder.name for base in bases)]
    return study_name(KIND, parts, [given.corpus.digest, depends, folds])


def _fuse_all(
    folder: Path,
    given: Contenders,
    split: Split,
    inside: Sequence[InnerPredictions],
    limits: list[str],
) -> dict[str, Way]:
    """Fuse in every way that can be had, and write what comes of it."""
    corpus = given.corpus
    outside = np.full((len(inside), *corpus.targets.shape), np.nan)
    outside[:, given.clips] = given.predictions
    learned_from = {
        fold.name: np.stack([found.values[fold.name] for found in inside]) for fold in split.folds
    }
    leaking = {fold.name: outside[:, fold.train] for fold in split.folds}
    labels = corpus.targets, corpus.group("passage")
    ways = {}
    for name, learn in FUSIONS.items():
        try:
            fused = fuse(learn, split, outside, learned_from, *labels)
            leaky = None if name == "mean" else fuse(learn, split, outside, leaking, *labels)
        except (DependencyError, SplitError, TrainingError) as error:
            limits.append(f"{name}: {error}")
            continue
        path = folder / predictions_name(f"{given.protocol}-{name}")
        values = _written(path, corpus, split, fused)
        r2 = None
        if leaky is not None:
            r2 = float(pooled_r2(given.targets, leaky.values[given.clips]).mean())
        learned = {fold: dict(rule.learned) for fold, rule in fused.rules.items()}
        ways[name] = Way(values, learned, r2, path.name)
    return ways


def _written(path: Path, corpus: Corpus, split: Split, fused: Fused) -> FloatArray:
    """Write fused predictions, and read them back: every number is computed from the file."""
    folds = np.full(len(corpus.clips), "", dtype=object)
    for fold in split.folds:
        folds[fold.test] = fold.name
    write_predictions(path, corpus, OutOfFold((0,), fused.values[None], folds.astype(np.str_), ()))
    return read_predictions(path, corpus).mean
