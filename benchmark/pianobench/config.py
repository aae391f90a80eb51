"""What a run is asked to do: TOML and flags in, one frozen `RunConfig` out.

The configuration names everything the numbers depend on and nothing else: where data lies, how
many processes work and where results go are arguments of the run.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    ValidationError,
    field_validator,
    model_validator,
)

from .errors import UnknownNameError, UsageError

__all__ = [
    "PARTS",
    "Choice",
    "Precision",
    "RunConfig",
    "Weighting",
    "apply_settings",
    "read_config",
    "read_value",
    "set_option",
]

PARTS = ("dataset", "encoder", "renderer", "pooling", "head")
"""What a run is put together from."""

_EXAMPLES = {
    "dataset": "demo",
    "encoder": "mel",
    "renderer": "tone",
    "pooling": "mean",
    "head": "mlp",
}

Precision = Literal["float32", "tf32", "bfloat16"]
Weighting = Literal["raters", "equal"]


def _is_none(value: object) -> bool:
    # What does not apply leaves no trace, so that older configurations keep their digest.
    return value is None


def _as_tuple(chosen: Choice | tuple[Choice, ...] | None) -> tuple[Choice, ...]:
    return () if chosen is None else (chosen,) if isinstance(chosen, Choice) else chosen


def _is_raters(value: object) -> bool:
    return value == "raters"


class Choice(BaseModel):
    """A component by name, with its options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_name_or_table(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"name": given}
        if isinstance(given, Mapping) and "options" not in given:
            return {
                "name": given.get("name"),
                "options": {k: v for k, v in given.items() if k != "name"},
            }
        return given


class RunConfig(BaseModel):
    """One run.

    What is left out is filled in from the components' own defaults when the run starts; the
    result holds the filled-in configuration, which alone is enough to repeat the run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    dataset: Choice
    encoder: Choice
    renderer: Choice | tuple[Choice, ...] | None = None
    """None for encoders that read notes, and for datasets of recorded audio. On several, such as
    ``fluidsynth:fluid-grand,fluidsynth:timgm-grand``, models are fitted together."""
    test_renderer: Choice | tuple[Choice, ...] | None = Field(None, exclude_if=_is_none)
    """What clips are predicted from, the mean of several; None for what models are fitted on."""
    pooling: Choice | None = None
    head: Choice | None = None
    layers: str | None = None
    """Such as ``9-12``, ``1,4,9-12``, ``all`` or ``last``."""
    merge: Literal["concat", "mean", "weighted"] = "concat"
    """How several layers become one vector; ``weighted`` learns their weights with the head."""
    precision: Precision | None = Field(None, exclude_if=_is_none)
    """Of a torch encoder's arithmetic; None for other encoders."""
    chunk_s: PositiveFloat | None = Field(None, exclude_if=_is_none)
    """Longest piece of audio a torch encoder sees at once; its own default if None."""
    overlap_s: NonNegativeFloat | None = Field(None, exclude_if=_is_none)
    """How much of a chunk is seen by the next one as well."""
    weighting: Weighting = Field("raters", exclude_if=_is_raters)
    """What a clip counts in training: the raters behind its labels, or all clips the same."""
    protocols: tuple[str, ...] | None = None
    seeds: tuple[int, ...] = (0,)
    """The seeds, or how many: ``3`` is 0, 1 and 2."""
    selection: Literal["nested", "test-fold"] = "nested"
    """``test-fold`` stops training on the fold that is scored, as the study did; never ranked."""
    optimism: bool = False
    """Also report what stopping on the scored fold would have claimed."""

    @field_validator("renderer", "test_renderer", mode="before")
    @classmethod
    def _from_a_list(cls, given: Any) -> Any:
        if isinstance(given, str) and "," in given:
            given = [name.strip() for name in given.split(",")]
        if isinstance(given, list | tuple):
            if not given:
                raise ValueError("name at least one")
            return given[0] if len(given) == 1 else tuple(given)
        return given

    @field_validator("seeds", "protocols")
    @classmethod
    def _each_once(cls, given: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if given is not None and (not given or len(set(given)) != len(given)):
            raise ValueError("name at least one, and each once")
        return given

    @field_validator("seeds", mode="before")
    @classmethod
    def _from_their_number(cls, given: Any) -> Any:
        return tuple(range(given)) if isinstance(given, int) and given > 0 else given

    @field_validator("seeds")
    @classmethod
    def _in_order(cls, given: tuple[int, ...]) -> tuple[int, ...]:
        if min(given) < 0:
            raise ValueError("a seed is a whole number from 0")
        return tuple(sorted(given))

    @property
    def renderers(self) -> tuple[Choice, ...]:
        """What models are fitted on."""
        return _as_tuple(self.renderer)

    @property
    def test_renderers(self) -> tuple[Choice, ...]:
        """What clips are predicted from."""
        return _as_tuple(self.test_renderer) or self.renderers

    @property
    def heard(self) -> tuple[Choice, ...]:
        """Every renderer, those that are only tested on last."""
        only_tested = (choice for choice in self.test_renderers if choice not in self.renderers)
        return (*self.renderers, *only_tested)

    @property
    def parts(self) -> dict[str, Choice]:
        """Every component, by what a result calls it; several renderers are numbered."""
        several = len(self.heard) > 1
        renderers = {
            f"renderer {number}" if several else "renderer": choice
            for number, choice in enumerate(self.heard, start=1)
        }
        rest = {"pooling": self.pooling, "head": self.head}
        return {
            "dataset": self.dataset,
            "encoder": self.encoder,
            **renderers,
            **{part: choice for part, choice in rest.items() if choice is not None},
        }

    def canonical(self) -> str:
        """Return the configuration as JSON whose text depends on its content only."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @classmethod
    def parse(cls, given: Mapping[str, Any], source: str) -> Self:
        """Validate a configuration.

        Parameters
        ----------
        given : mapping
        source : str
            Where it came from, for messages.

        Raises
        ------
        UsageError
            For an unknown field or a value it does not take.
        """
        unknown = sorted(set(given) - set(cls.model_fields))
        if unknown:
            raise UnknownNameError(f"setting (in {source})", unknown[0], cls.model_fields)
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise UsageError(
                f"{source} sets {where} to {first['input']!r}, which cannot be used: "
                f"{first['msg']}."
            ) from error


def read_config(path: Path) -> dict[str, Any]:
    """Read a TOML file of run settings; `RunConfig.parse` validates them.

    Raises
    ------
    UsageError
        If the file is absent or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"Cannot read the configuration {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The configuration {path} is not valid TOML: {error}.") from error


def apply_settings(given: dict[str, Any], settings: Sequence[str]) -> None:
    """Apply ``--set part.option=value`` to a configuration read from flags or TOML.

    Parameters
    ----------
    given : dict
        Changed in place.
    settings : sequence of str
        Such as ``encoder.checkpoint=org/model``; a value that is JSON is read as JSON.

    Raises
    ------
    UsageError
        If a setting has another form, or names a part the run does not have.
    """
    for setting in settings:
        target, equals, text = setting.partition("=")
        if not (equals and all(target.partition("."))):
            raise UsageError(
                f"--set {setting!r} is not of the form part.option=value, for example "
                "--set encoder.bands=64."
            )
        set_option(given, target, read_value(text), f"--set {setting!r}")


def set_option(given: dict[str, Any], target: str, value: Any, source: str) -> None:
    """Set an option of a component in a configuration.

    Parameters
    ----------
    given : dict
        Changed in place.
    target : str
        Such as ``encoder.bands``.
    value : object
        As JSON holds it.
    source : str
        Where it came from, for messages.

    Raises
    ------
    UsageError
        If the run has no such part, or it has no name yet.
    """
    part, _, option = target.partition(".")
    if part not in PARTS:
        raise UnknownNameError(f"part of a run (in {source})", part, PARTS)
    if given.get(part) is None:
        raise UsageError(
            f"{source} sets {target}, an option of the {part}: name the {part} with --{part} as "
            f"well, such as --{part} {_EXAMPLES[part]}."
        )
    if part == "renderer" and ("," in given[part] or isinstance(given[part], list | tuple)):
        raise UsageError(
            f"{source} sets {target}, and the run names several renderers. Give each its own after "
            "a colon, such as tone:0.2,tone:0.8, or as a table of a list in TOML."
        )
    try:
        choice = Choice.model_validate(given[part])
    except ValidationError as error:
        raise UsageError(
            f"The {part} is given as {given[part]!r}; name it, or give a table with its name "
            "and options."
        ) from error
    given[part] = {"name": choice.name, "options": {**choice.options, option: value}}


def read_value(text: str) -> Any:
    """Read the value of a setting: as JSON where it is JSON, else as it is."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
