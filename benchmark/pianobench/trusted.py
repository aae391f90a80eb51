"""What a configuration of somebody else may not do: have code or programs run that it names.

Models and results are shared, and what they hold is planned again. Most components read data only;
two kinds of options do more. An encoder may run the code that its argument names: users say that
they trust it by naming it themselves. And options that say where a program of this machine lies
are never written into a configuration (``Field(exclude=True)``), so that one that is found there
was put there by hand.
"""

from __future__ import annotations

from collections.abc import Collection

from .components import AudioEncoder, Component
from .config import Choice, RunConfig
from .errors import UnknownNameError, UsageError
from .plugins import Registry

__all__ = ["require_trusted"]


def require_trusted(
    config: RunConfig, registry: Registry, source: str, named: Collection[str] = ()
) -> None:
    """Refuse a configuration that would have something run, before it is planned.

    Planning asks components for facts, and some run code to tell them. What is not installed
    cannot run anything, and is left for planning to refuse.

    Parameters
    ----------
    config : RunConfig
        Of somebody else.
    registry : Registry
    source : str
        Where it came from, for messages.
    named : collection of str
        Encoders with their arguments that the user named, such as ``hear:MODULE``.

    Raises
    ------
    UsageError
        If an encoder's argument is code and was not named, or an option is set that no
        configuration holds.
    """
    for part, choice in config.parts.items():
        kind = part.partition(" ")[0]
        for component in _classes(kind, choice, registry):
            _require_written(component, part, choice, source)
            if issubclass(component, AudioEncoder) and component.runs_code:
                _require_named(component, choice, source, named)


def _classes(kind: str, choice: Choice, registry: Registry) -> list[type[Component]]:
    found = []
    for name in choice.name.split("+") if kind == "pooling" else [choice.name]:
        try:
            found.append(registry.find(kind, name.strip()).component)
        except UnknownNameError:
            continue
    return found


def _require_written(component: type[Component], part: str, choice: Choice, source: str) -> None:
    given = set(choice.options) | ({component.argument} if ":" in choice.name else set())
    for option in sorted(given & set(component.model_fields)):
        if component.model_fields[option].exclude:
            raise UsageError(
                f"The {part} {component.name!r} of {source} has its {option} set to "
                f"{choice.options.get(option, choice.name)!r}. Options of one machine, such as a "
                "program that is run, are never written into a configuration: this one was put "
                "there by hand, and is not followed. Remove it, or take the file from elsewhere."
            )


def _require_named(
    component: type[Component], choice: Choice, source: str, named: Collection[str]
) -> None:
    name, colon, argument = choice.name.partition(":")
    code = argument if colon else choice.options.get(component.argument, "")
    if f"{name}:{code}" not in named:
        raise UsageError(
            f"The encoder of {source} runs the code {code!r}, and what is shared may come from "
            f"anyone. If you trust that code, name it with --encoder {name}:{code}."
        )
