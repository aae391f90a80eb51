"""Studies of a model that was fitted on one dataset and is applied to another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..options import (
    PATH,
    component_options,
    data_option,
    json_option,
    open_registry,
    place_options,
    plugin_option,
    run_config,
)

if TYPE_CHECKING:
    from ...run import Workplace
    from ...studies.applied import Application

__all__ = ["consistency", "difficulty"]

F = TypeVar("F", bound=Callable[..., Any])
_DEFAULTS = {"dataset": "asap", "encoder": "midi-stats"}
_PROXIES = ("written", "density", "span", "entropy", "note-rate")


def _applied_options(command: F) -> F:
    """Add what every study of this kind asks: what is fitted, applied, left out, and where."""
    options = (
        component_options(**_DEFAULTS),
        click.option(
            "--train", default="percepiano", show_default=True, help="Dataset that is fitted."
        ),
        click.option("--keep-known", is_flag=True, help="Keep takes that the fitted data hold."),
        click.option(
            "--skip-repeated", is_flag=True, help="Of equal performances keep the first only."
        ),
        click.option("--out", type=PATH, default=Path("studies"), show_default=True),
        place_options,
        plugin_option,
        data_option,
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.option(
    "--min-takes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Leave out pieces with fewer.",
)
@_applied_options
def consistency(min_takes: int, as_json: bool, **asked: Any) -> None:
    """Compare the spread of predictions within pieces with that between pieces.

    A model fitted on rated performances is applied to pieces that were played several times;
    beside it stands what labels do, so that a small spread can be told from blindness to the
    player.
    """
    from ...studies.consistency import consistency as carry_out
    from ...studies.consistency_text import consistency_text, draw_consistency, report_consistency

    application, place = _open(asked)
    study, folder = carry_out(application, place, min_takes=min_takes)
    _draw(lambda: draw_consistency(folder / "spread.svg", study))
    report_consistency(folder, study)
    _tell(study, consistency_text(study), study.applied.sentences(), folder, as_json)


@click.command()
@click.option(
    "--proxy",
    type=click.Choice(_PROXIES),
    help="What stands in for difficulty where it is not labelled [default: written].",
)
@_applied_options
def difficulty(proxy: str | None, as_json: bool, **asked: Any) -> None:
    """Correlate predictions with the difficulty of pieces.

    A model fitted on rated performances is applied to pieces whose difficulty is labelled, or
    stood in for by a proxy of the written score.
    """
    from ...studies.difficulty import difficulty as carry_out
    from ...studies.difficulty_text import difficulty_text, draw_difficulty, report_difficulty

    application, place = _open(asked)
    study, folder = carry_out(application, place, proxy)
    _draw(lambda: draw_difficulty(folder / "rho.svg", study))
    report_difficulty(folder, study)
    _tell(study, difficulty_text(study), study.applied.sentences(), folder, as_json)


def _open(asked: dict[str, Any]) -> tuple[Application, Workplace]:
    """Plan what is asked for; what is left of the options are those of components."""
    from ...parallel import usable_cores
    from ...places import cache_root
    from ...run import Workplace
    from ...studies.applied import plan_application

    place = Workplace(
        asked.pop("out"),
        asked.pop("cache") or cache_root(),
        asked.pop("data_root"),
        asked.pop("device"),
        asked.pop("jobs") or usable_cores(),
    )
    registry = open_registry(asked.pop("plugins"))
    how = {name: asked.pop(name) for name in ("keep_known", "skip_repeated")}
    training = asked.pop("train")
    application = plan_application(run_config(asked, _DEFAULTS), training, registry, **how)
    return application, place


def _draw(draw: Callable[[], None]) -> None:
    from ...errors import DependencyError

    try:
        draw()
    except DependencyError as error:
        click.echo(f"No picture is drawn beside the study. {error}", err=True)


def _tell(study: Any, text: str, sentences: list[str], folder: Path, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(study.model_dump(mode="json"), indent=1))
        return
    click.echo("\n\n".join([text, *sentences]))
    click.echo(f"\nThis study: {folder / 'report.html'}")
