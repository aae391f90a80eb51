"""A fitted model as a folder: what it is as JSON, what it learned as arrays, and nothing that runs.

``model.json`` holds the configuration, the encoder's fingerprint, versions, what the model was
fitted on and the digests of the other files: a ``.safetensors`` per seed (for networks with JSON
beside it; see `pianobench.model_files`), and ``training.safetensors`` (`TrainingClips`). Such
folders are shared: reading one runs nothing that lies in it, and loads no encoder whose option
names code before the user has named it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from .array_files import read_arrays, write_arrays
from .components import Dataset, Head, NetworkHead
from .config import Choice, RunConfig
from .corpus import load_corpus
from .errors import ResultError, UsageError
from .fitted_model import FittedModel, encode_clips, fit_model
from .fitting import Features
from .model_files import read_network, save_network
from .plan import Plan, plan_run
from .plugins import Registry
from .predictions import file_digest
from .predictor_arrays import predictor_from_arrays, predictor_to_arrays
from .predictors import Predictor
from .record import data_record
from .result import ComponentRecord, DataRecord, writing
from .run import Workplace, component_records, environment
from .stored_features import StoredFeatures
from .training import TrainedNetwork
from .training_clips import TrainingClips, predict_held_out
from .trusted import require_trusted
from .values import Dimension

__all__ = ["KeptModel", "ModelRecord", "keep_model", "open_model"]

SCHEMA_VERSION = 1
_RECORD, _TRAINING, _PREFIX = "model.json", "training.safetensors", "all"


class ModelRecord(BaseModel):
    """What a fitted model is."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    schema_version: Literal[1] = 1
    name: str
    pianobench: str
    config: RunConfig
    """Its protocols play no part: nothing is held out."""
    data: DataRecord
    """What it was fitted on."""
    dimensions: list[Dimension]
    components: dict[str, ComponentRecord]
    seeds: list[int]
    selected: list[dict[str, Any]]
    """What was chosen inside the corpus, by seed."""
    r2: float | None
    """Of the corpus's clips, predicted by models that had not seen their passages."""
    environment: dict[str, str]
    files: dict[str, str]
    """SHA-256 of each file beside this one."""


@dataclass(frozen=True)
class KeptModel:
    """A model with its record, and the clips it was fitted on."""

    record: ModelRecord
    model: FittedModel
    training: TrainingClips


def keep_model(plan: Plan, workplace: Workplace) -> tuple[KeptModel, Path]:
    """Fit a plan's head on the whole of its dataset, and keep it.

    Besides the model, the models of the protocol `piece` are fitted where the corpus allows, to
    tell what is to be expected of this one on new music.

    Parameters
    ----------
    plan : Plan
    workplace : Workplace
        Its `results` holds one folder per model.

    Returns
    -------
    kept, folder

    Raises
    ------
    UsageError
        If the head cannot be kept in files that hold no code, before anything is encoded.
    PianobenchError
        Whatever the stages refuse. What was rendered and encoded by then stays in the cache.
    """
    _require_keepable(plan.head)
    with writing(workplace.results, plan.name) as folder:
        corpus = load_corpus(plan.dataset, workplace.data_root, workplace.cache)
        clips = encode_clips(plan, corpus, workplace)
        model = fit_model(plan, corpus, clips.features)
        held_out = predict_held_out(model, corpus, clips.features, plan.dataset, workplace.jobs)
        training = TrainingClips.of(corpus, clips.features, held_out)
        training.write(folder / _TRAINING)
        _write_models(folder, model, clips.features)
        record = ModelRecord(
            name=plan.name,
            pianobench=version("pianobench"),
            config=plan.config,
            data=data_record(corpus),
            dimensions=list(corpus.dimensions),
            components=component_records(plan, clips.encoded),
            seeds=list(model.seeds),
            selected=[dict(chosen) for chosen in model.selected],
            r2=training.r2,
            environment=environment(workplace),
            files={path.name: file_digest(path) for path in sorted(folder.iterdir())},
        )
        text = json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False)
        (folder / _RECORD).write_text(text + "\n", encoding="utf-8")
    return KeptModel(record, model, training), workplace.results / plan.name


def open_model(folder: Path, registry: Registry, encoder: str | None = None) -> KeptModel:
    """Read a model.

    Parameters
    ----------
    folder : Path
        As `bench fit` made it, or its ``model.json``.
    registry : Registry
    encoder : str, optional
        The encoder with its argument, such as ``mert:FOLDER``, where the weights lie elsewhere
        than they did, or where the argument is code that is to be trusted.

    Raises
    ------
    ResultError
        If there is none, a file is damaged, or what is installed here cannot read it.
    UsageError
        If the encoder's argument is code and was not named, another encoder was named, or the
        configuration sets an option that none holds, such as a program.
    UnknownNameError
        If a component is not installed.
    """
    folder = folder.parent if folder.name == _RECORD else folder
    record = _read_record(folder / _RECORD)
    if not record.seeds or len(record.selected) != len(record.seeds):
        raise ResultError(
            f"{folder / _RECORD} names {len(record.seeds)} seeds and says what was selected for "
            f"{len(record.selected)}: a model has one or more, and as many of both. Copy the whole "
            "folder again, or fit the model again."
        )
    plan = _plan(record, registry, encoder)
    names = {seed: f"{_PREFIX}-seed{seed}.safetensors" for seed in record.seeds}
    _require_whole(folder, record, [_TRAINING, *names.values()])
    models = tuple(
        _read_model(folder / names[seed], plan.head, chosen)
        for seed, chosen in zip(record.seeds, record.selected, strict=True)
    )
    model = FittedModel(plan, tuple(record.dimensions), tuple(record.seeds), models)
    return KeptModel(record, model, TrainingClips.read(folder / _TRAINING))


@dataclass(frozen=True)
class KeptNetwork:
    """A network that is read when it is known what it is to predict."""

    path: Path
    head: NetworkHead
    selected: dict[str, Any]

    def predict(self, x: Any) -> Any:
        """Predict clips, such as (clips, features), to (clips, dimensions)."""
        return read_network(self.path, self.head, x).predict(x)


class _Rendered(Dataset):
    """Stands for the dataset that a model was fitted on, which need not be installed."""

    name: ClassVar[str] = "that of the model"


class _Recorded(_Rendered):
    recorded: ClassVar[bool] = True


def _require_keepable(head: Head) -> None:
    if not isinstance(head, NetworkHead) and head.predictor is None:
        raise UsageError(
            f"The head {head.name!r} cannot be kept: models are shared, so that they are stored as "
            "arrays and never as code, and its class does not name a `predictor` that is made of "
            "arrays. Choose ridge, kernel-ridge, extra-trees or a network head, or name one in "
            "the head's class."
        )


def _write_models(folder: Path, model: FittedModel, features: Features) -> None:
    x = features.read() if isinstance(features, StoredFeatures) else features
    head = model.plan.head
    for seed, fitted in zip(model.seeds, model.models, strict=True):
        if isinstance(fitted, TrainedNetwork) and isinstance(head, NetworkHead):
            save_network(folder, _PREFIX, seed, head, fitted, x)
        else:
            arrays, words = predictor_to_arrays(fitted)
            write_arrays(folder / f"{_PREFIX}-seed{seed}.safetensors", arrays, words)


def _read_model(path: Path, head: Head, selected: dict[str, Any]) -> Predictor:
    if isinstance(head, NetworkHead):
        return KeptNetwork(path, head, selected)
    _require_keepable(head)
    kept = read_arrays(path)
    if kept is None or head.predictor is None:
        raise ResultError(f"There is no model in {path}, or it is damaged. Fit it again.")
    return predictor_from_arrays(head.predictor, kept)


def _read_record(path: Path) -> ModelRecord:
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        found = given.get("schema_version")
    except OSError as error:
        raise ResultError(
            f"There is no model at {path}: {error.strerror}. `bench fit` makes one; a result of "
            "`bench run` is none, since each of its models has seen but a part of the clips."
        ) from error
    except (ValueError, AttributeError) as error:
        raise ResultError(f"{path} is not the record of a model: {error}.") from error
    if found != SCHEMA_VERSION:
        raise ResultError(
            f"{path} has schema version {found!r}; this pianobench reads {SCHEMA_VERSION}. Upgrade "
            "pianobench, or fit the model again."
        )
    try:
        return ModelRecord.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ResultError(
            f"{path} is not the record of a model (at {where}: {first['msg']})."
        ) from error


def _plan(record: ModelRecord, registry: Registry, encoder: str | None) -> Plan:
    config = record.config
    name = config.encoder.name
    if encoder is not None:
        if encoder.partition(":")[0] != name:
            raise UsageError(
                f"The model {record.name} was fitted on the encoder {name!r}, not on {encoder!r}. "
                f"Name {name} with its argument, or leave --encoder out."
            )
        chosen = Choice(name=encoder, options=config.encoder.options)
        config = config.model_copy(update={"encoder": chosen})
    named = () if encoder is None else (encoder,)
    require_trusted(config, registry, f"the model {record.name}", named)
    dataset = _Recorded() if config.renderer is None else _Rendered()
    # Protocols are of a run.
    config = config.model_copy(update={"protocols": None, "optimism": False})
    plan = plan_run(config, registry, dataset)
    return replace(plan, config=plan.config.model_copy(update={"dataset": record.config.dataset}))


def _require_whole(folder: Path, record: ModelRecord, names: list[str]) -> None:
    for name in dict.fromkeys([*record.files, *names]):
        if Path(name).name != name:
            raise ResultError(f"{folder / _RECORD} names {name!r}, which is no file beside it.")
        try:
            digest = file_digest(folder / name)
        except OSError as error:
            raise ResultError(
                f"The model {folder} lacks {name}: {error.strerror}. Copy the whole folder again, "
                "or fit the model again."
            ) from error
        if digest != record.files.get(name):
            raise ResultError(
                f"{folder / name} is not the file that {_RECORD} names: its SHA-256 begins with "
                f"{digest[:8]}, not {record.files.get(name, 'anything known')[:8]}. Copy the whole "
                "folder again, or fit the model again."
            )
