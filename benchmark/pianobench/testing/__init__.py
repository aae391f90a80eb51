r"""The checks every plugin must pass, for `bench check NAME` and for a plugin's own tests.

::

    from pianobench.testing import check_component

    def test_my_encoder_keeps_the_contract():
        failed = [c for c in check_component(MyEncoder()) if c.passed is False]
        assert not failed, "\n".join(map(str, failed))

A check that could not be carried out, since a library is not installed or the data is not there,
is reported as not run, with its reason; it never counts as passed. Figures that nothing promises,
such as speed, are reported with them.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from ..components import AudioEncoder, Component, Dataset, Head, Pooling, Renderer, ScoreEncoder
from . import (
    audio_encoders,
    datasets,
    encoder_figures,
    facts,
    heads,
    learned_poolings,
    poolings,
    renderers,
    score_encoders,
)
from .checks import Check, check_after_first, check_each

__all__ = ["Check", "check_component"]


def check_component(component: Component) -> list[Check]:
    """Check what a component's contract promises.

    Parameters
    ----------
    component : Component

    Returns
    -------
    list of Check
        In the order they were carried out. Where the first check of a kind (it loads, it fits)
        does not pass, those that build on it are not run.
    """
    return [*check_each(facts.PROMISES, component), *_check_contract(component)]


def _check_contract(component: Component) -> list[Check]:
    match component:
        case AudioEncoder():
            trial = audio_encoders.Trial(component)
            return check_after_first(audio_encoders.PROMISES, trial, encoder_figures.FIGURES)
        case ScoreEncoder():
            return check_after_first(score_encoders.PROMISES, component)
        case Renderer():
            return check_after_first(renderers.PROMISES, component)
        case Pooling() if component.learned:
            trained = learned_poolings.Trial(component)
            return check_after_first(learned_poolings.PROMISES, trained)
        case Pooling():
            return check_after_first(poolings.PROMISES, component)
        case Head():
            return check_after_first(heads.PROMISES, heads.Trial(component))
        case Dataset():
            with TemporaryDirectory() as folder:
                corpus = datasets.Trial(component, Path(folder))
                absence = check_each([datasets.says_how_to_get_absent_data], corpus)
                return absence + check_after_first(datasets.PROMISES, corpus)
        case _:
            return []
