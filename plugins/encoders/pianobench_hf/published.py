"""What a checkpoint says of itself, before its weights are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pianobench import CheckpointError
from pianobench.checkpoints import Checkpoint, find_checkpoint, read_json
from pianobench.errors import CheckpointAbsentError

from .codecs import Dac, Encodec, Mimi
from .family import Family
from .library import import_transformers, quiet
from .spectrograms import Clap, LogMelFrames, Patches, Whisper
from .waveforms import SqueezedWaveforms, Waveforms

__all__ = ["Published", "read"]

_FAMILIES: dict[str, type[Family]] = {
    model_type: family
    for family in (
        *(Waveforms, SqueezedWaveforms, LogMelFrames, Whisper, Patches, Clap),
        *(Encodec, Dac, Mimi),
    )
    for model_type in family.models
}


@dataclass(frozen=True)
class Published:
    """A checkpoint whose configuration is understood.

    Attributes
    ----------
    checkpoint : Checkpoint
    family : Family
    configuration : mapping
        What decides on the outputs besides the weights, as JSON holds it.
    """

    checkpoint: Checkpoint
    family: Family
    configuration: Mapping[str, Any]


@lru_cache(maxsize=16)
def read(name: str) -> Published:
    """Find a checkpoint and read its configuration, never its weights.

    Raises
    ------
    CheckpointError
        If it is absent, of a type that is not known, asks for code of its own, or its
        configuration cannot be used.
    DependencyError
        If torch or transformers is not installed.
    """
    if not name:
        raise CheckpointAbsentError(
            "The encoder hf has no checkpoint of its own. Name one after a colon: a model on the "
            "hub, such as hf:org/model, or hf: and a folder."
        )
    checkpoint = find_checkpoint(name)
    config = _without_precision(checkpoint.config)
    _refuse_code(name, config)
    family = _FAMILIES.get(str(config.get("model_type")))
    if family is None:
        raise CheckpointError(
            f"The checkpoint {name!r} is of type {config.get('model_type')!r}, for which hf has no "
            f"adapter. {_what_to_do()}"
        )
    preprocessor = _preprocessor(checkpoint)
    _refuse_code(name, preprocessor)
    kind = preprocessor.get("feature_extractor_type", family.extractor_class)
    if kind != family.extractor_class:
        raise CheckpointError(
            f"The checkpoint {name!r} prepares waveforms by {kind!r}; a model of type "
            f"{config['model_type']!r} is known with {family.extractor_class}. {_what_to_do()}"
        )
    transformers = import_transformers()
    try:
        with quiet():
            read_config = transformers.AutoConfig.for_model(**{**config, **family.settings})
            extractor = getattr(transformers, kind).from_dict(preprocessor)
            understood = family(read_config, extractor)
            understood.facts  # noqa: B018 - fails here, not amid a run, if a setting is missing
    except Exception as error:
        raise CheckpointError(
            f"The configuration of the checkpoint {name!r} cannot be used with transformers "
            f"{transformers.__version__}: {type(error).__name__}: {error}. Name another "
            "checkpoint, or install a version that knows it."
        ) from error
    return Published(checkpoint, understood, {"config": config, "preprocessor": preprocessor})


def _refuse_code(name: str, settings: Mapping[str, Any]) -> None:
    if "auto_map" in settings:
        raise CheckpointError(
            f"The checkpoint {name!r} asks for code of its own (auto_map: "
            f"{json.dumps(settings['auto_map'])}), which is never run. {_what_to_do()}"
        )


def _preprocessor(checkpoint: Checkpoint) -> dict[str, Any]:
    """Read the settings of the feature extractor, on its own or within a processor's."""
    path = checkpoint.file("preprocessor_config.json")
    if path is not None:
        settings = read_json(path)
    else:
        path = checkpoint.file("processor_config.json")
        settings = {} if path is None else read_json(path).get("feature_extractor", {})
    if "sampling_rate" not in settings:
        raise CheckpointError(
            f"The checkpoint {checkpoint.name!r} does not tell its sample rate: neither "
            "preprocessor_config.json nor processor_config.json holds the settings of a feature "
            "extractor. Put the file that was published with the model beside its config.json, or "
            "name another checkpoint."
        )
    return settings


def _without_precision(config: Mapping[str, Any]) -> dict[str, Any]:
    # Newer versions of transformers would build the model in the precision it was saved in.
    return {
        key: _without_precision(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in {"dtype", "torch_dtype"}
    }


def _what_to_do() -> str:
    return (
        f"It knows {', '.join(sorted(_FAMILIES))}; MERT and MuQ are the encoders mert and muq. "
        "Write an adapter for another model: README.md, 'Add an encoder', shows one of 15 lines."
    )
