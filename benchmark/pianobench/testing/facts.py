"""What every component promises, of whatever kind."""

from __future__ import annotations

import json
import pickle
import re

from ..components import AudioEncoder, Component, Dataset, ScoreEncoder
from .checks import require


def has_a_name_that_can_be_typed(component: Component) -> None:
    """Lower case, words joined by hyphens."""
    require(
        re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", component.name) is not None,
        f"The name is {component.name!r}; use lower case and digits, words joined by hyphens.",
    )


def says_what_it_is(component: Component) -> None:
    """Have a docstring for the class and for every option."""
    cls = type(component)
    require(bool((cls.__doc__ or "").strip()), f"The class {cls.__name__} has no docstring.")
    bare = [name for name, field in cls.model_fields.items() if not field.description]
    require(not bare, f"Options without a docstring below them: {', '.join(bare)}.")


def names_licence_and_source(component: Component) -> None:
    """Where it brings data or weights that others made."""
    brings = (isinstance(component, Dataset) and not component.generated) or (
        isinstance(component, AudioEncoder | ScoreEncoder) and component.pretraining != "none"
    )
    if brings:
        require(component.licence != "unknown", "Assign `licence`: that of the data or weights.")
        require(bool(component.citation), "Assign `citation`: authors, year, DOI or URL.")


def refuses_changes_and_unknown_options(component: Component) -> None:
    """Stay frozen, and forbid extra options."""
    config = type(component).model_config
    require(
        config.get("frozen") is True and config.get("extra") == "forbid",
        f"model_config says frozen={config.get('frozen')!r}, extra={config.get('extra')!r}; keep "
        "frozen=True and extra='forbid'.",
    )


def is_rebuilt_from_its_options(component: Component) -> None:
    """Options survive JSON: a result is repeated from them."""
    options = json.loads(json.dumps(component.options, allow_nan=False))
    rebuilt = type(component).model_validate(options)
    require(rebuilt == component, f"Rebuilt from {options} it is {rebuilt!r}, not {component!r}.")


def travels_to_other_processes(component: Component) -> None:
    """Pickle, and arrive equal."""
    # What is unpickled here was pickled on the same line.
    arrived = pickle.loads(pickle.dumps(component))  # noqa: S301 - it was pickled here
    require(arrived == component, f"Pickled and unpickled it is {arrived!r}, not {component!r}.")


PROMISES = (
    has_a_name_that_can_be_typed,
    says_what_it_is,
    names_licence_and_source,
    refuses_changes_and_unknown_options,
    is_rebuilt_from_its_options,
    travels_to_other_processes,
)
