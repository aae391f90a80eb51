"""Finding plugins: entry points, files, clashes, broken ones; and the checks over all of them."""

from __future__ import annotations

import pickle
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from pianobench import AudioEncoder, Component, Head
from pianobench.errors import PluginError, UnknownNameError, UsageError
from pianobench.plugins import Registry
from pianobench.testing import check_component

OWN_ENCODER = '''
import numpy as np
from pianobench import AudioEncoder, hookimpl


class Loudness(AudioEncoder):
    """Level of the waveform in frames of a tenth of a second."""

    name = "loudness"
    sample_rate = 8_000
    layers = 0
    backend = "numpy"
    floor: float = 1e-6
    """Added before the logarithm."""

    def load(self, device):
        def states(waveforms):
            frames = waveforms[:, : waveforms.shape[1] // 800 * 800].reshape(
                len(waveforms), -1, 800
            )
            return [np.log(np.sqrt((frames**2).mean(2, keepdims=True)) + self.floor)]

        return states


@hookimpl
def bench_components():
    return [Loudness]
'''


@pytest.fixture
def own_encoder(tmp_path: Path) -> Path:
    path = tmp_path / "own_encoder.py"
    path.write_text(OWN_ENCODER)
    return path


def entry(name: str, module: str) -> EntryPoint:
    return EntryPoint(name=name, value=module, group="pianobench")


def test_every_installed_plugin_loads() -> None:
    assert Registry().broken == ()


@pytest.mark.parametrize(
    ("kind", "name"),
    sorted(
        (r.component.kind, r.component.name)
        for r in Registry().all()
        if r.component.kind != "dataset" or getattr(r.component, "generated", False)
    ),
)
def test_every_installed_component_passes_the_public_checks(kind: str, name: str) -> None:
    try:
        component = Registry().create(Component, kind, name)
    except UsageError as error:
        pytest.skip(f"it cannot be made without an argument: {error}")
    failed = [str(check) for check in check_component(component) if check.passed is False]
    assert failed == []


def test_a_single_file_outside_the_project_adds_an_encoder(own_encoder: Path) -> None:
    encoder = Registry([own_encoder]).create(AudioEncoder, "encoder", "loudness", {"floor": 0.1})
    assert encoder.options == {"floor": 0.1}


def test_a_component_of_a_file_survives_the_way_to_another_process(own_encoder: Path) -> None:
    encoder = Registry([own_encoder]).create(AudioEncoder, "encoder", "loudness", {"floor": 0.5})
    sent = pickle.dumps(encoder)
    code = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()).options)"
    done = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "{'floor': 0.5}"


def test_an_installed_distribution_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    info = site / "thirdparty_encoder-2.1.dist-info"
    info.mkdir(parents=True)
    (site / "thirdparty_encoder.py").write_text(OWN_ENCODER.replace("loudness", "third-party"))
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: thirdparty-encoder\nVersion: 2.1\n"
    )
    (info / "entry_points.txt").write_text("[pianobench]\nthird = thirdparty_encoder\n")
    monkeypatch.syspath_prepend(str(site))
    found = Registry().find("encoder", "third-party")
    assert found.origin == "thirdparty-encoder 2.1"


def test_a_broken_plugin_is_reported_and_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_encoder: Path
) -> None:
    (tmp_path / "broken_plugin.py").write_text("import a_library_nobody_has\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry(entries=[entry("bad", "broken_plugin"), entry("good", "own_encoder")])
    assert registry.find("encoder", "loudness")
    (broken,) = registry.broken
    assert (broken.name, "a_library_nobody_has" in broken.reason) == ("bad", True)
    with pytest.raises(UnknownNameError, match=r"could not be loaded: bad .*a_library_nobody_has"):
        registry.find("encoder", "bad")


def test_two_components_of_one_name_are_an_error_naming_both_origins(own_encoder: Path) -> None:
    other = own_encoder.with_name("other_encoder.py")
    other.write_text(OWN_ENCODER)
    with pytest.raises(PluginError, match=r"encoder 'loudness': .*own_encoder.*other_encoder"):
        Registry([own_encoder, other])


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("syntax error here", "SyntaxError"),
        ("raise RuntimeError('at import')", "at import"),
        (
            "from pianobench import hookimpl\n@hookimpl\ndef bench_components():\n    return [1]",
            "no Component class",
        ),
        (
            "from pianobench import hookimpl\n@hookimpl\ndef bench_component():\n    return []",
            "bench_component",
        ),
    ],
)
def test_a_broken_file_is_an_error_at_once(tmp_path: Path, source: str, reason: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(source)
    with pytest.raises(PluginError, match=reason):
        Registry([path])


def test_unknown_names_and_options_name_the_nearest() -> None:
    registry = Registry()
    with pytest.raises(UnknownNameError, match=r"no head named 'rigde'. Did you mean 'ridge'"):
        registry.create(Head, "head", "rigde")
    with pytest.raises(UnknownNameError, match="Did you mean 'hidden'"):
        registry.create(Head, "head", "mlp", {"hiden": 3})
    with pytest.raises(UsageError, match=r"does not take head.hidden='many'"):
        registry.create(Head, "head", "mlp", {"hidden": "many"})


def test_an_option_that_must_be_given_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "needing.py"
    path.write_text(OWN_ENCODER.replace("floor: float = 1e-6", "floor: float"))
    with pytest.raises(UsageError, match=r"'loudness' needs its floor: .*--set encoder\.floor="):
        Registry([path]).create(AudioEncoder, "encoder", "loudness")


def test_a_component_under_the_wrong_kind_is_refused() -> None:
    with pytest.raises(PluginError, match="is no Head"):
        Registry().create(Head, "encoder", "mel")
