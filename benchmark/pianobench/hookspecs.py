"""What a plugin can hook into, each with a worked example."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from .components import Component

__all__ = ["hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("pianobench")
hookimpl = pluggy.HookimplMarker("pianobench")


@hookspec
def bench_components() -> Iterable[type[Component]]:
    """Return the component classes that this plugin adds.

    Examples
    --------
    ::

        from pianobench import AudioEncoder, hookimpl

        class MyModel(AudioEncoder):
            name = "my-model"
            sample_rate = 24_000
            layers = 12

            def load(self, device):
                model = ...
                return lambda waveforms: model(waveforms).hidden_states

        @hookimpl
        def bench_components():
            return [MyModel]
    """
    return ()


@hookspec
def bench_run_started(config: dict[str, Any]) -> None:
    """Act on a run that begins, for example open it in an experiment tracker.

    Examples
    --------
    ::

        @hookimpl
        def bench_run_started(config):
            tracker.start(name=config["encoder"]["name"], parameters=config)
    """


@hookspec
def bench_run_finished(result: dict[str, Any]) -> None:
    """Act on a run that ended; `result` is the content of its ``result.json``.

    Examples
    --------
    ::

        @hookimpl
        def bench_run_finished(result):
            tracker.log(r2=result["protocols"]["piece"]["scores"]["metrics"]["r2"])
    """
