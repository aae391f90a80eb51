"""Studies: what no row of the leaderboard answers."""

from __future__ import annotations

import click

from .applied import consistency, difficulty
from .fusion import fusion
from .published_split import published_split
from .transfer import transfer
from .zero_shot import zero_shot

__all__ = ["study"]


@click.group()
def study() -> None:
    """Ask about protocols and corpora what no row answers; nothing that is found is ranked."""


for _command in (consistency, difficulty, fusion, published_split, transfer, zero_shot):
    study.add_command(_command)
