"""`bench info` and `bench check` as a user types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pianobench.cli import bench
from pianobench.errors import CheckFailedError, UnknownNameError, UsageError

OWN_ENCODER = '''
import numpy as np
from pianobench import AudioEncoder, hookimpl
from pianobench.errors import CheckpointAbsentError


class Weighted(AudioEncoder):
    """Samples times a weight that a checkpoint names; even weights only."""

    name = "weighted"
    backend = "numpy"
    argument = "checkpoint"
    checkpoint: str
    """A whole number."""

    @property
    def sample_rate(self):
        if not self.checkpoint.isdigit():
            raise CheckpointAbsentError(f"There is no checkpoint {self.checkpoint!r}.")
        return 8000

    def load(self, device):
        weight = int(self.checkpoint)
        calls = []

        def states(waveforms):
            calls.append(1)
            return [waveforms[:, ::100, None] * (weight + weight % 2 * len(calls))]

        return states


@hookimpl
def bench_components():
    return [Weighted]
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    (tmp_path / "weighted.py").write_text(OWN_ENCODER)
    return tmp_path / "weighted.py"


def typed(*words: str | Path) -> Result:
    return CliRunner().invoke(bench, list(map(str, words)))


def test_a_component_is_checked_with_its_argument(plugin: Path) -> None:
    done = typed("check", "weighted:2", "--plugin", plugin)
    assert done.exception is None
    assert "encoder weighted:2" in done.output
    assert "  gives every state: passed" in done.output
    assert "  speed: " in done.output
    assert done.output.splitlines()[-1].endswith("0 failed, 0 not run")


def test_an_option_is_set_as_for_a_run(plugin: Path) -> None:
    done = typed("check", "weighted", "--set", 'encoder.checkpoint="2"', "--plugin", plugin)
    assert done.output.splitlines()[-1].endswith("0 failed, 0 not run")


def test_a_broken_promise_exits_1_with_what_to_fix(plugin: Path) -> None:
    done = typed("check", "weighted:3", "--plugin", plugin)
    assert isinstance(done.exception, CheckFailedError)
    assert "gives the same every time: failed. Noise encoded twice" in done.output


def test_weights_that_are_absent_are_not_run_and_the_reason_is_told_once(plugin: Path) -> None:
    done = typed("check", "weighted:none", "--plugin", plugin)
    assert done.exception is None
    assert done.output.count("There is no checkpoint 'none'") == 1
    assert "speed: not run, for the same reason" in done.output
    assert "6 passed, 0 failed" in done.output


def test_what_a_component_needs_is_asked_for(plugin: Path) -> None:
    done = typed("check", "weighted", "--plugin", plugin)
    assert isinstance(done.exception, UsageError)
    assert "needs its checkpoint: give it with weighted:CHECKPOINT" in str(done.exception)


def test_unknown_names_and_settings_of_other_parts_are_refused(plugin: Path) -> None:
    done = typed("check", "weigthed:2", "--plugin", plugin)
    assert isinstance(done.exception, UnknownNameError)
    assert "Did you mean 'weighted'" in str(done.exception)
    done = typed("check", "mel", "--set", "head.hidden=3")
    assert "'head.hidden=3' has nothing to do: 'mel' is the name of a" in str(done.exception)


def test_facts_that_depend_on_a_checkpoint_are_shown_or_said_to_be_unknown(plugin: Path) -> None:
    known = typed("info", "weighted:2", "--plugin", plugin)
    assert "sample rate in Hz: 8000" in known.output
    assert "--set encoder.checkpoint=...  A whole number." in known.output
    for name, reason in (("weighted:x", "There is no checkpoint 'x'"), ("weighted", "needs its")):
        done = typed("info", name, "--plugin", plugin)
        assert done.exception is None
        assert "sample rate in Hz: not known here." in done.output
        assert reason in done.output


def test_a_name_of_two_kinds_is_shown_as_both() -> None:
    done = typed("info", "mean")
    assert "head mean" in done.output
    assert "pooling mean" in done.output


@pytest.mark.data
def test_info_of_a_dataset_with_scores_tells_how_it_is_aligned(
    data_root: Path, own_cache: Path
) -> None:
    shown = typed("info", "percepiano", "--data-root", data_root)
    assert shown.exit_code == 0
    assert shown.output.endswith("none of 1202 clips with a score is aligned yet\n")


def test_info_of_a_dataset_says_where_its_files_were_sought(tmp_path: Path) -> None:
    shown = typed("info", "percepiano", "--data-root", tmp_path)
    assert shown.exit_code == 0
    assert f"here: nothing. PercePiano is not at {tmp_path}" in shown.output


def test_info_of_a_dataset_without_scores_says_nothing_of_them() -> None:
    assert "alignment" not in typed("info", "demo").output


def test_info_of_a_dataset_tells_its_issues_and_what_was_left_out(asap_root: Path) -> None:
    (asap_root / "asap" / "Bach" / "Fugue_1" / "Ada01.mid").unlink()
    shown = typed("info", "asap", "--data-root", asap_root)
    assert "known issue: There are no labels." in shown.output
    assert "1 of the 17 entries of asap cannot be used: 'Bach/Fugue_1/Ada01'" in shown.output
    skipping = ("--set", "dataset.unusable=skip", "--data-root", asap_root)
    shown = typed("info", "asap", *skipping)
    assert "here: 16 clips, no labelled dimensions; 3 composers, 8 excerpts" in shown.output
    assert "left out: 1, because the performance is missing: Bach/Fugue_1/Ada01" in shown.output
    assert "overlap with percepiano: could not be checked. PercePiano is not at" in shown.output


@pytest.mark.data
@pytest.mark.slow
def test_info_counts_the_four_takes_that_percepiano_cut_its_excerpts_from(
    data_root: Path,
) -> None:
    shown = typed("info", "asap", "--data-root", data_root)
    (line,) = [line for line in shown.output.splitlines() if line.startswith("overlap")]
    assert line.startswith("overlap with percepiano, by notes: 4 clips hold 52 of its takes: ")
    takes = ("Lin05", "Richardson07M", "RichardsonC06M", "WangH06M")
    assert line.endswith(", ".join(f"Schubert/Impromptu_op142/3/{take}" for take in takes))
