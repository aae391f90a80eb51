"""Options of commands that have nothing to do, or lack what they are of, are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pianobench.commands.options import run_config
from pianobench.commands.results import plot
from pianobench.errors import UsageError


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--protocol", "piece"], "--protocol piece has nothing to do without --curves"),
        (["--curves", "r", "--results", "s"], "--results s has nothing to do with --curves"),
        (["--curves", "r", "--dataset", "d"], "--dataset d has nothing to do with --curves"),
    ],
)
def test_a_picture_is_of_rows_or_of_curves(tmp_path: Path, given: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CliRunner().invoke(
            plot, [str(tmp_path / "a.svg"), *given], catch_exceptions=False, standalone_mode=False
        )


def test_a_loss_without_a_head_is_refused_in_the_words_that_were_typed() -> None:
    asked = {"settings": (), "weights": None, "loss": "ccc", "encoder": "mel"}
    with pytest.raises(UsageError, match=r"^--loss ccc sets head.loss.* such as --head mlp"):
        run_config(asked, {"dataset": "demo"})
