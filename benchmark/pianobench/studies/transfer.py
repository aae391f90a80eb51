"""From one instrument to another: trained on some renders of the clips, tested on each.

What enters is a plan with several renderers; what leaves is a folder: what every model predicted
of every instrument, and ``study.json``. Models are fitted on each instrument alone, on all but
each, and on all (`pianobench.studies.transfer_models`). A model is fitted once for each fold of
`piece` and predicts its test clips on every instrument, so that neither the clips nor their music
were heard in training, whatever instrument is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import UsageError
from ..plan import Plan, spelled
from ..run import Workplace, encode, environment, features_of, load_scorable, load_splits, render
from .folder import OF_A_RUN, Record, make_folder, save_study, study_name
from .transfer_models import Models, Predicted, TrainingSet, fit_models
from .transfer_scores import Group, Score, score_transfer

__all__ = ["PROTOCOL", "Instrument", "Transfer", "TransferRow", "transfer"]

KIND = "transfer"
PROTOCOL = "piece"
"""What keeps music apart."""


class Instrument(Record):
    """A renderer that clips were heard through."""

    name: str
    """As it is typed, such as ``fluidsynth:timgm-grand``."""
    version: str
    card: str
    """What the rendering loses."""


class TransferRow(Record):
    """What models of one training set score on every instrument."""

    trained_on: list[str]
    r2: dict[str, Score]
    """By the instrument that is tested."""
    cpu_s: float
    predictions: str
    """File of ``values``, shape (seeds, instruments, clips, dimensions), clips as in the corpus."""


class Transfer(Record):
    """What the study found."""

    schema_version: Literal[1] = 1
    study: Literal["transfer"] = "transfer"
    ranked: Literal[False] = False
    name: str
    pianobench: str
    config: dict[str, Any]
    dataset: str
    data_version: str
    data_digest: str
    protocol: str
    split_digest: str
    clips: int
    seeds: list[int]
    instruments: list[Instrument]
    rows: list[TransferRow]
    """Trained on each instrument alone, on all but each, and on all."""
    mean_of_all: Score
    """Trained on all instruments, predictions of a clip averaged over all of them."""
    groups: dict[str, Group]
    """Cells of one kind; see `pianobench.studies.transfer_scores`."""
    differences: dict[str, Score]
    """Between such groups."""
    limits: list[str]
    environment: dict[str, str]

    @property
    def label(self) -> str:
        """Encoder and head."""
        return f"{self.config['encoder']['name']}, {self.config['head']['name']}"

    @property
    def names(self) -> list[str]:
        """Names of the instruments, in order."""
        return [instrument.name for instrument in self.instruments]


def transfer(plan: Plan, workplace: Workplace) -> tuple[Transfer, Path]:
    """Carry out the study; training sets whose predictions lie in its folder are not fitted again.

    Parameters
    ----------
    plan : Plan
        Of two renderers or more, by the protocol `piece`.
    workplace : Workplace
        Its `results` holds one folder per study.

    Returns
    -------
    study, folder

    Raises
    ------
    UsageError
        If there is but one renderer, or others are to be tested on.
    PianobenchError
        Whatever the stages refuse. Training sets that are done by then are kept.
    """
    if len(plan.renderers) < 2 or plan.test_renderers != plan.renderers:
        raise UsageError(
            f"From one instrument to another takes two or more, and all of them are tested on: "
            f"{len(plan.renderers)} are named for training and {len(plan.test_renderers)} for "
            "testing. List them with --renderer, separated by commas, such as "
            "fluidsynth:fluid-grand,fluidsynth:timgm-grand."
        )
    heard = plan.by_renderer()
    corpus = load_scorable(plan, workplace)
    split = load_splits(plan, corpus)[PROTOCOL]
    waveforms = [render(alone, corpus, workplace) for alone in heard]
    encoded = [
        encode(alone, corpus, rendered, workplace)
        for alone, rendered in zip(heard, waveforms, strict=True)
    ]
    features = features_of(plan, *encoded)
    config = plan.config.model_dump(mode="json", exclude={*OF_A_RUN})
    made_by = [dict(plan.origins), encoded[0].namespace]
    depends = [config, corpus.digest, split.digest, made_by, features.content]
    parts = [plan.dataset.name, plan.encoder.name, f"{len(heard)}-instruments", plan.head.name]
    folder = workplace.results / study_name(KIND, parts, depends)
    make_folder(folder / "predictions")
    models = Models(plan, corpus, split, features, folder / "predictions")
    predicted = fit_models(models, workplace.jobs)
    scored = np.sort(np.concatenate([fold.test for fold in split.folds]))
    scores = score_transfer(
        corpus.targets[scored],
        {trained_on: found.values[:, :, scored] for trained_on, found in predicted.items()},
        corpus.group("passage")[scored],
    )
    study = Transfer(
        name=folder.name,
        pianobench=version("pianobench"),
        config=config,
        dataset=corpus.name,
        data_version=corpus.version,
        data_digest=corpus.digest,
        protocol=split.protocol,
        split_digest=split.digest,
        clips=len(scored),
        seeds=models.seeds,
        instruments=[
            Instrument(name=spelled(each), version=each.version(), card=each.card)
            for each in plan.renderers
        ],
        rows=_rows(plan, folder, predicted, scores.cells),
        mean_of_all=scores.mean_of_all,
        groups=dict(scores.groups),
        differences=dict(scores.differences),
        limits=scores.limits,
        environment=environment(workplace),
    )
    save_study(study, folder)
    return study, folder


def _rows(
    plan: Plan,
    folder: Path,
    predicted: Mapping[TrainingSet, Predicted],
    cells: Mapping[TrainingSet, list[Score]],
) -> list[TransferRow]:
    names = [spelled(renderer) for renderer in plan.renderers]
    return [
        TransferRow(
            trained_on=[names[number] for number in trained_on],
            r2=dict(zip(names, cells[trained_on], strict=True)),
            cpu_s=found.cpu_s,
            predictions=found.path.relative_to(folder).as_posix(),
        )
        for trained_on, found in predicted.items()
    ]
