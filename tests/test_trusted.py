"""What a configuration of somebody else may have run: nothing that the user has not named."""

from __future__ import annotations

from typing import Any

import pytest

from pianobench.config import RunConfig
from pianobench.errors import UsageError
from pianobench.plan import plan_run
from pianobench.plugins import Registry
from pianobench.trusted import require_trusted

HEAR = {"name": "hear", "options": {"module": "theirs"}}
PROGRAM = {"name": "pianoteq", "options": {"program": "./evil"}}


def check(*named: str, **changes: Any) -> None:
    config = RunConfig.parse({"dataset": "demo", "encoder": "mel"} | changes, "test")
    require_trusted(config, Registry(), "the file", named)


def test_a_configuration_that_was_filled_in_is_trusted() -> None:
    asked = {"dataset": "demo", "encoder": "mel", "renderer": "tone", "pooling": "mean+std"}
    plan = plan_run(RunConfig.parse(asked, "test"), Registry())
    require_trusted(plan.config, Registry(), "the file")


@pytest.mark.parametrize("encoder", [HEAR, "hear:theirs"])
def test_code_is_trusted_by_its_own_name_alone(encoder: Any) -> None:
    for named in ((), ("hear",), ("hear:mine",), ("xares:theirs",)):
        with pytest.raises(UsageError, match="name it with --encoder hear:theirs"):
            check(*named, encoder=encoder)
    check("hear:theirs", encoder=encoder)


@pytest.mark.parametrize(
    "renderers",
    [
        {"renderer": PROGRAM},
        {"renderer": ["tone", PROGRAM]},
        {"renderer": "tone", "test_renderer": PROGRAM},
    ],
)
def test_a_program_is_never_trusted(renderers: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"'pianoteq' of the file has its program set to './evil'"):
        check("hear:theirs", **renderers)


def test_what_is_not_installed_is_left_to_planning() -> None:
    check(dataset="elsewhere", encoder="unheard-of", pooling="mean+other")
