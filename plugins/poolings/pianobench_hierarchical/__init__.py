"""Hierarchical attention over the notes of a clip: notes, voices, beats, measures.

What enters is frames with the levels ``voice``, ``beat`` and ``measure``; what leaves is one vector
per clip. A recurrent network reads the notes, another one the notes of each voice; attention sums
up the notes of a beat, a recurrent network reads the beats, and so on up to the clip.

References
----------
Jeong, Kwon, Kim, Lee, Nam: VirtuosoNet: a hierarchical RNN-based system for modeling expressive
piano performance. ISMIR 2019. https://archives.ismir.net/ismir2019/paper/000105.pdf
Park, Kim, Park, Choi, Li, Park, Hwang: Piano performance evaluation dataset with multilevel
perceptual features. Scientific Reports 14, 23002, 2024. https://doi.org/10.1038/s41598-024-73810-0
Okabe, Koshinaka, Shinoda: Attentive statistics pooling for deep speaker embedding. Interspeech
2018. https://doi.org/10.21437/Interspeech.2018-993
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, field_validator

from pianobench import Component, Pooling, hookimpl

__all__ = ["Hierarchical", "Size"]

Level = Literal["voice", "beat", "measure"]


class Size(NamedTuple):
    """How large the networks are.

    Attributes
    ----------
    width : int
        Units of every recurrent network, in each of its two directions.
    layers : int
        Of those that read notes, voices and beats; measures are read by one layer.
    heads : int
        Of attention.
    """

    width: int
    layers: int
    heads: int


SIZES = {"published": Size(width=256, layers=2, heads=8), "small": Size(48, 1, 8)}


class Hierarchical(Pooling):
    """Recurrent networks over notes, voices, beats and measures, joined by attention.

    The published network has 12.6 million parameters before the head; it is ``size=published``,
    ``summary=attention``, ``shortcut=false`` and ``span=1``. The small one has 0.45 million, and
    hands on spreads beside averages: plain statistics show that how much a performance varies
    matters, and averages alone hide it.
    A level that is left out is not read: notes are then summed up straight to the next level.
    """

    name = "hierarchical"
    farthest = inf  # what an LSTM returns is bounded
    licence = "MIT"
    citation = (
        "J. Park, J. Kim, J. M. Park, A. Choi, W.-S. Li, J. Park, S.-w. Hwang: Piano performance "
        "evaluation dataset with multilevel perceptual features. Scientific Reports 14, 23002 "
        "(2024), https://doi.org/10.1038/s41598-024-73810-0"
    )

    size: Literal["published", "small"] = "small"
    """256 units in two layers, or 48 in one."""
    levels: tuple[Level, ...] = ("voice", "beat", "measure")
    """Levels that are read besides the notes themselves."""
    summary: Literal["attention", "mean", "statistics"] = "statistics"
    """How the units of a level become one unit of the next: their mean, their mean weighted by
    attention, or that and the spread about it. The published network has attention."""
    shortcut: bool = True
    """Whether the mean and the spread of all notes, weighted by attention, reach the clip straight,
    beside what comes up the levels. The published network has none."""
    span: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Least share of a clip's notes that a training step reads, a span drawn anew each time; all
    are read to predict. The published network is trained on whole clips: 1."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of units left out between two layers of a recurrent network."""

    @property
    def standardised(self) -> bool:  # type: ignore[override]  # depends on an option
        """Whether the head is given standardised columns; the published one is not."""
        return self.size == "small"

    @field_validator("levels")
    @classmethod
    def _in_order(cls, given: tuple[Level, ...]) -> tuple[Level, ...]:
        if len(set(given)) < len(given):
            raise ValueError("name each level once")
        order: tuple[Level, ...] = ("voice", "beat", "measure")
        return tuple(level for level in order if level in given)

    def network(self, width: int) -> Any:
        """Return the module (values, mask, levels) -> (clips, width_out), not yet trained."""
        from .network import HierarchicalNetwork

        return HierarchicalNetwork(
            width,
            SIZES[self.size],
            self.levels,
            self.summary,
            self.shortcut,
            self.span,
            self.dropout,
        )


@hookimpl
def bench_components() -> Iterable[type[Component]]:
    """Return the pooling."""
    return [Hierarchical]
