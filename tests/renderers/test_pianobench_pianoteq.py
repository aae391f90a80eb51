"""Pianoteq, by a stand-in: a program that takes its command line and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pianobench import AudioError, Clip, DependencyError, UsageError, write_notes
from pianobench.config import RunConfig
from pianobench.plan import plan_run
from pianobench.plugins import Registry
from pianobench.probes import probe_notes
from pianobench.render import render_clips
from pianobench.testing import check_component
from pianobench_pianoteq import STUDY_SIX, Pianoteq

SILENCED = {"demo": (30, 32, 34, 73, 75, 78, 80, 82), "silent": tuple(range(128))}
STAND_IN = """#!{python}
import pathlib, sys, time, wave

MODE, SILENCED, PRESETS = {mode!r}, {silenced!r}, {presets!r}
if sys.argv[1:] == ["--list-presets"]:
    print("\\n".join(PRESETS))
    sys.exit()
headless, preset_, preset, midi_, midi, wav_, wav, rate_, rate, mono = sys.argv[1:]
flags = [headless, preset_, midi_, wav_, rate_, mono]
assert flags == ["--headless", "--preset", "--midi", "--wav", "--rate", "--mono"], flags
assert preset in PRESETS, preset
assert list(pathlib.Path(midi).parent.iterdir()) == [pathlib.Path(midi)]
if MODE == "fails":
    print("loading", "", "no license", "for this instrument", sep="\\n", file=sys.stderr)
    sys.exit(3)
if MODE == "hangs":
    print("waiting", flush=True)
    time.sleep(60)
if MODE == "writes nothing":
    sys.exit()

import numpy as np, symusic

rate = 44_100 if MODE == "other rate" else int(rate)
notes = [note for track in symusic.Score(midi, ttype="second").tracks for note in track.notes]
samples = np.zeros(round((max(note.time + note.duration for note in notes) + 3) * rate))
for note in notes:
    if note.pitch not in SILENCED:
        start, t = round(note.time * rate), np.arange(rate) / rate
        tone = np.sin(2 * np.pi * 440 * 2 ** ((note.pitch - 69) / 12) * t) * np.exp(-6 * t)
        samples[start : start + rate] += 0.1 * note.velocity / 127 * tone
with wave.open(wav, "wb") as file:
    file.setparams((1, 2, rate, 0, "NONE", ""))
    file.writeframes((samples * 32767).astype("<i2").tobytes())
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put a stand-in where the renderer finds it, and say where that is."""

    def put(mode: str = "licensed") -> Path:
        path = tmp_path / mode / "Pianoteq 9"
        path.parent.mkdir()
        presets = [*STUDY_SIX, "K2 Bright"]
        silenced = SILENCED.get(mode, ())
        path.write_text(
            STAND_IN.format(python=sys.executable, mode=mode, silenced=silenced, presets=presets)
        )
        path.chmod(0o755)
        monkeypatch.setenv("PIANOBENCH_PIANOTEQ", str(path))
        return path

    return put


@pytest.fixture
def midi(tmp_path: Path) -> Path:
    write_notes(tmp_path / "probe.mid", probe_notes(2))
    return tmp_path / "probe.mid"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIANOBENCH_PIANOTEQ", raising=False)
    monkeypatch.setattr("pianobench_pianoteq._INSTALLED", (Path("/Applications/Pianoteq 9"),))


def test_it_keeps_the_contract_of_a_renderer(install: Callable[..., Path]) -> None:
    install()
    checks = check_component(Pianoteq())
    assert [str(check) for check in checks if check.passed is False] == []
    assert len([check for check in checks if check.passed]) > 6


def test_clips_are_rendered_with_the_preset_and_the_gain(
    install: Callable[..., Path], midi: Path, tmp_path: Path
) -> None:
    program = install()
    loud, soft = Pianoteq(preset="K2 Basic"), Pianoteq(preset="K2 Basic", gain_db=-6.0)
    first, second = (renderer.render(midi, 16_000) for renderer in (loud, soft))
    np.testing.assert_allclose(second, 10 ** (-6 / 20) * first, atol=1e-6)
    version = loud.version()
    assert version.startswith("Pianoteq 9, ")
    assert len(version.split(", ")[1]) == 64
    (rendered,) = render_clips(loud, [Clip("a", midi=midi)], 16_000, tmp_path / "c", 1).values()
    assert rendered.path.parent.name.startswith("pianoteq-16000-")
    program.write_text(program.read_text() + "# another build\n")
    assert loud.version() != version


def test_it_is_found_by_option_variable_or_path(
    install: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DependencyError, match=r"no 'Pianoteq 9' on the path.*renderer\.program"):
        Pianoteq().version()
    program = install()
    monkeypatch.delenv("PIANOBENCH_PIANOTEQ")
    by_option = Pianoteq(program=str(program))
    # Where a program lies changes no sample, and is no part of a configuration.
    assert by_option.options == Pianoteq().options
    assert len(by_option.instruments) == 7
    monkeypatch.setenv("PATH", str(program.parent))
    assert len(Pianoteq().instruments) == 7
    monkeypatch.setenv("PIANOBENCH_PIANOTEQ", str(tmp_path / "gone"))
    with pytest.raises(DependencyError, match=r"PIANOBENCH_PIANOTEQ names .*gone'"):
        Pianoteq().version()
    with pytest.raises(DependencyError, match=r"renderer\.program names 'lost'"):
        Pianoteq(program="lost").version()


def test_presets_are_checked(install: Callable[..., Path]) -> None:
    install()
    with pytest.raises(UsageError, match=r"no preset named 'K2 Basik'. Did you mean 'K2 Basic'"):
        Pianoteq(preset="K2 Basik").version()
    with pytest.raises(UsageError, match=r'for 6 instruments.*"pianoteq:YC5 Vintage,pianoteq:HB'):
        Pianoteq(preset="study-six").version()


def test_the_studys_six_have_one_name() -> None:
    asked = {"dataset": "demo", "encoder": "mel", "renderer": "pianoteq:study-six"}
    plan = plan_run(RunConfig.parse(asked, "test"), Registry())
    renderers = [each for each in plan.renderers if isinstance(each, Pianoteq)]
    assert sorted(each.preset for each in renderers) == sorted(STUDY_SIX)
    assert len(set(STUDY_SIX)) == 6
    config = plan.config.model_dump(mode="json")
    assert plan_run(RunConfig.parse(config, "test"), Registry()).config.digest == plan.config.digest


def test_a_demo_build_is_found_out_and_refused_unless_allowed(
    install: Callable[..., Path], midi: Path
) -> None:
    install("demo")
    with pytest.raises(DependencyError, match=r"demo build.*30 32 34 73 75 78 80 82 make no sound"):
        Pianoteq().version()
    assert Pianoteq(allow_demo=True).version().endswith(", demo build")
    install("silent")
    with pytest.raises(AudioError, match="makes no sound of the key 60"):
        Pianoteq(allow_demo=True).version()


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("fails", r"ended with status 3 .*It said: loading / no license / for this instrument\."),
        ("hangs", r"did not end within 1 s .*It said: waiting\."),
        ("writes nothing", r"wrote no WAV file .*It said nothing\."),
        ("other rate", r"at 44100 Hz, and was asked for 16000 Hz"),
    ],
)
def test_what_goes_wrong_is_told_in_its_own_words(
    mode: str, why: str, install: Callable[..., Path], midi: Path
) -> None:
    install(mode)
    timeout_s = 1.0 if mode == "hangs" else 600.0
    with pytest.raises(AudioError, match=why):
        Pianoteq(timeout_s=timeout_s).render(midi, 16_000)


def test_a_program_that_cannot_be_run_is_refused(
    install: Callable[..., Path], tmp_path: Path
) -> None:
    program = install()
    program.write_text("#!/nowhere/at/all\n")
    with pytest.raises(DependencyError, match=r"--list-presets cannot be run: No such file"):
        Pianoteq().version()
