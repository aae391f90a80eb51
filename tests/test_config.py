"""Configurations: what is read, what is refused, and what the digest depends on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianobench.config import Choice, RunConfig, apply_settings, read_config
from pianobench.errors import UnknownNameError, UsageError

MINIMAL = {"dataset": "demo", "encoder": "mel"}


def test_a_component_may_be_a_name_or_a_table_with_options() -> None:
    short = RunConfig.parse(MINIMAL, "test")
    table = RunConfig.parse(
        {"dataset": {"name": "demo"}, "encoder": {"name": "mel", "bands": 64}}, "test"
    )
    assert short.dataset == table.dataset == Choice(name="demo")
    assert table.encoder.options == {"bands": 64}


def test_the_canonical_form_reads_back_as_the_same_configuration() -> None:
    config = RunConfig.parse({**MINIMAL, "seeds": [3, 1], "protocols": ["piece"]}, "test")
    again = RunConfig.model_validate_json(config.canonical())
    assert again == config
    assert again.digest == config.digest


def test_seeds_may_be_named_or_counted_and_are_kept_in_order() -> None:
    assert RunConfig.parse({**MINIMAL, "seeds": 3}, "test").seeds == (0, 1, 2)
    assert RunConfig.parse({**MINIMAL, "seeds": [4, 1]}, "test").seeds == (1, 4)


@given(st.permutations(["dataset", "encoder", "head", "layers"]))
def test_the_digest_does_not_depend_on_the_order_of_settings(order: list[str]) -> None:
    values = {**MINIMAL, "head": "ridge", "layers": "last"}
    shuffled = RunConfig.parse({key: values[key] for key in order}, "test")
    assert shuffled.digest == RunConfig.parse(values, "test").digest


def test_an_unknown_setting_names_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match=r"'encodr'.*Did you mean 'encoder'"):
        RunConfig.parse({"dataset": "demo", "encodr": "mel"}, "run.toml")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("merge", "sum"),
        ("seeds", []),
        ("seeds", [1, 1]),
        ("seeds", 0),
        ("seeds", [-1]),
        ("selection", "x"),
    ],
)
def test_a_value_that_cannot_be_used_names_setting_value_and_source(
    setting: str, value: object
) -> None:
    with pytest.raises(UsageError, match=rf"run.toml sets {setting}"):
        RunConfig.parse({**MINIMAL, setting: value}, "run.toml")


def test_settings_override_the_options_of_a_component() -> None:
    asked: dict[str, object] = {"encoder": {"name": "mel", "bands": 32, "hop": 5}}
    apply_settings(asked, ["encoder.bands=64", "encoder.window=hann"])
    assert asked["encoder"] == {
        "name": "mel",
        "options": {"bands": 64, "hop": 5, "window": "hann"},
    }


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("bands=64", "not of the form part.option=value"),
        ("encodr.bands=64", "Did you mean 'encoder'"),
        ("head.hidden=64", "name the head with --head as well, such as --head mlp"),
    ],
)
def test_a_setting_of_another_form_is_refused(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        apply_settings({"encoder": "mel"}, [setting])


def test_a_file_that_is_absent_or_not_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Cannot read the configuration"):
        read_config(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("encoder = ")
    with pytest.raises(UsageError, match="not valid TOML"):
        read_config(broken)
