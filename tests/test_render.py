import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from pianobench import (
    AudioError,
    Clip,
    DependencyError,
    MidiError,
    Notes,
    Renderer,
    render,
    write_notes,
)
from pianobench.audio import quantise, read_flac, samples_digest
from pianobench.errors import PluginError, StoreError
from pianobench.render import Rendered, render_clips
from pianobench_tone import Tone

RATE = 8_000
played: list[Path] = []


class Constant(Renderer):
    """Half of full scale throughout, and a list of what was played."""

    name = "constant"
    level: float = 0.5
    length_s: float = 60.0
    recipe: str = "1"
    slope: ClassVar[float] = 0.0  # not an option: what editing the code changes

    def version(self) -> str:
        return self.recipe

    def render(self, midi: Path, sample_rate: int) -> np.ndarray:
        if midi.name != "probe.mid":
            played.append(midi)
        samples = np.full(round(self.length_s * sample_rate), self.level, dtype=np.float32)
        return samples * np.linspace(1, 1 - self.slope, len(samples), dtype=np.float32)


class Odd(Renderer):
    """Whatever a test wants a renderer to do wrong."""

    name = "odd"

    def render(self, midi: Path, sample_rate: int) -> np.ndarray:
        return what_odd_does()


what_odd_does: Callable[[], Any] = lambda: None  # noqa: E731 - replaced by tests


@pytest.fixture(autouse=True)
def nothing_played() -> None:
    played.clear()


def clip(folder: Path, name: str, first_s: float = 1.0, last_s: float = 3.0, pitch: int = 60):
    path = folder / f"{name}.mid"
    none = np.zeros(0, dtype=np.int64)
    onset = np.array([first_s, first_s + 0.25])
    offset = np.array([last_s, first_s + 0.5])
    key = np.array([pitch, pitch + 4])
    notes = Notes(onset, offset, key, np.array([80, 90]), none.astype("f8"), none, none)
    write_notes(path, notes)
    return Clip(name, midi=path)


def render_one(renderer: Renderer, one: Clip, cache: Path) -> Rendered:
    return render_clips(renderer, [one], RATE, cache, jobs=1)[one.id]


def test_a_clip_runs_from_a_tenth_before_its_first_onset_to_two_seconds_after_its_last_note(
    tmp_path,
):
    rendered = render_one(Constant(), clip(tmp_path, "a", 1.0, 3.0), tmp_path / "cache")
    assert rendered.samples == round((3.0 + 2.0 - 0.9) * RATE)
    assert rendered.duration_s == pytest.approx(4.1)
    assert len(rendered.waveform()) == rendered.samples


def test_a_clip_that_begins_at_once_is_not_preceded_by_anything(tmp_path):
    rendered = render_one(Constant(), clip(tmp_path, "a", 0.0, 3.0), tmp_path / "cache")
    assert rendered.samples == 5 * RATE


def test_the_last_half_second_fades_to_nothing_and_the_rest_is_untouched(tmp_path):
    waveform = render_one(Constant(), clip(tmp_path, "a"), tmp_path / "cache").waveform()
    fade = RATE // 2
    assert (waveform[:-fade] == 0.5).all()
    assert waveform[-1] == 0
    assert waveform[-fade // 2 - 1] == pytest.approx(0.25, abs=1e-4)
    assert (np.diff(waveform[-fade:]) <= 0).all()


def test_loudness_is_kept(tmp_path):
    one = clip(tmp_path, "a")
    loud = render_one(Constant(level=0.5), one, tmp_path / "cache").waveform()
    soft = render_one(Constant(level=0.125), one, tmp_path / "cache").waveform()
    np.testing.assert_allclose(soft, loud / 4, atol=1 / 32768)


def test_a_renderer_that_stops_early_is_continued_by_silence(tmp_path):
    rendered = render_one(Constant(length_s=2.0), clip(tmp_path, "a"), tmp_path / "cache")
    waveform = rendered.waveform()
    assert rendered.samples == round(4.1 * RATE)
    assert (waveform[: round(1.1 * RATE)] == 0.5).all()
    assert (waveform[round(1.1 * RATE) :] == 0).all()


def test_a_second_run_neither_renders_nor_decodes(tmp_path, monkeypatch):
    clips = [clip(tmp_path, name, pitch=60 + i) for i, name in enumerate("abc")]
    first = render_clips(Constant(), clips, RATE, tmp_path / "cache", jobs=1)
    assert len(played) == 3

    def forbidden(*arguments: Any) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(render, "read_flac", forbidden)
    monkeypatch.setattr(render, "read_notes", forbidden)
    assert render_clips(Constant(), clips, RATE, tmp_path / "cache", jobs=1) == first
    assert len(played) == 3


def test_the_digest_is_that_of_the_samples_in_the_file(tmp_path):
    rendered = render_one(Tone(), clip(tmp_path, "a"), tmp_path / "cache")
    samples = read_flac(rendered.path)
    assert rendered.digest == samples_digest(samples)
    np.testing.assert_array_equal(samples, quantise(samples))
    assert np.abs(samples).max() > 0.01


def test_neither_the_id_nor_the_file_name_counts_but_the_content_does(tmp_path):
    one = clip(tmp_path, "a")
    other = Clip("b", midi=Path(shutil.copy(one.midi, tmp_path / "elsewhere.mid")))
    rendered = render_clips(Constant(), [one, other], RATE, tmp_path / "cache", jobs=1)
    assert rendered["a"] == rendered["b"]
    assert len(played) == 1
    clip(tmp_path, "a", pitch=61)
    render_one(Constant(), one, tmp_path / "cache")
    assert len(played) == 2


@pytest.mark.parametrize(
    ("renderer", "rate"),
    [(Constant(level=0.25), RATE), (Constant(recipe="2"), RATE), (Constant(), 2 * RATE)],
    ids=["option", "version", "rate"],
)
def test_whatever_the_samples_depend_on_is_part_of_the_key(tmp_path, renderer, rate):
    one = clip(tmp_path, "a")
    first = render_one(Constant(), one, tmp_path / "cache")
    second = render_clips(renderer, [one], rate, tmp_path / "cache", jobs=1)["a"]
    assert len(played) == 2
    assert first.path.parent != second.path.parent


def test_an_edited_renderer_renders_anew_and_an_undone_edit_finds_what_it_had(
    tmp_path, monkeypatch
):
    one = clip(tmp_path, "a")
    before = render_one(Constant(), one, tmp_path / "cache")
    monkeypatch.setattr(Constant, "slope", 0.5)
    after = render_one(Constant(), one, tmp_path / "cache")
    assert len(played) == 2
    assert before.digest != after.digest
    assert after.waveform()[: RATE // 2].max() < before.waveform()[: RATE // 2].max()
    monkeypatch.undo()
    assert render_one(Constant(), one, tmp_path / "cache") == before
    assert len(played) == 2


def test_recordings_are_left_alone_and_need_neither_renderer_nor_cache(tmp_path):
    class Missing(Constant):
        def version(self) -> str:
            raise DependencyError("apt-get install piano")

    (tmp_path / "cache").write_text("a file, not a folder")
    recorded = Clip("r", midi=clip(tmp_path, "a").midi, audio=tmp_path / "r.wav")
    assert render_clips(Missing(), [recorded], RATE, tmp_path / "cache", jobs=1) == {}
    assert not played


def test_clips_come_back_in_their_order(tmp_path):
    clips = [clip(tmp_path, name, pitch=60 + i) for i, name in enumerate("dacb")]
    render_clips(Constant(), clips[2:], RATE, tmp_path / "cache", jobs=1)
    assert list(render_clips(Constant(), clips, RATE, tmp_path / "cache", jobs=1)) == list("dacb")


def test_a_bad_midi_file_is_named_after_the_others_are_kept(tmp_path):
    clips = [clip(tmp_path, name, pitch=60 + i) for i, name in enumerate("abc")]
    clips[0].midi.write_bytes(b"junk")
    with pytest.raises(MidiError, match=r"1 of 3 clips .* Clip 'a': Cannot read .*a\.mid"):
        render_clips(Constant(), clips, RATE, tmp_path / "cache", jobs=1)
    assert len(played) == 2
    render_clips(Constant(), clips[1:], RATE, tmp_path / "cache", jobs=1)
    assert len(played) == 2


def test_an_absent_midi_file_is_named_after_the_others_are_kept(tmp_path):
    clips = [Clip("gone", midi=tmp_path / "gone.mid"), Clip("bare"), clip(tmp_path, "a")]
    with pytest.raises(MidiError, match=r"2 of 3 clips .* 'gone': .*No such file.* 'bare'"):
        render_clips(Constant(), clips, RATE, tmp_path / "cache", jobs=1)
    assert len(played) == 1


def test_of_many_bad_files_three_are_named_and_the_rest_counted(tmp_path):
    clips = [Clip(f"c{i}", midi=tmp_path / f"{i}.mid") for i in range(5)]
    with pytest.raises(MidiError, match=r"5 of 5 .*'c0'.*'c1'.*'c2'.*And 2 more"):
        render_clips(Constant(), clips, RATE, tmp_path / "cache", jobs=1)


def test_going_beyond_full_scale_is_refused_with_the_gain_that_helps(tmp_path):
    with pytest.raises(AudioError, match=r"reaches 2\.000 .* gain by 6\.1 dB"):
        render_one(Constant(level=2.0), clip(tmp_path, "a"), tmp_path / "cache")


def test_full_scale_itself_is_allowed(tmp_path):
    waveform = render_one(Constant(level=1.0), clip(tmp_path, "a"), tmp_path / "cache").waveform()
    assert waveform.max() == 1 - 2**-15


def test_silence_is_refused(tmp_path):
    with pytest.raises(AudioError, match="only silence"):
        render_one(Constant(level=0.0), clip(tmp_path, "a"), tmp_path / "cache")


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (np.ones(10), r"float64 of shape \(10,\)"),
        (np.ones((10, 2), dtype="f4"), r"float32 of shape \(10, 2\)"),
        (None, "NoneType"),
        (np.full(10, np.nan, dtype="f4"), "not finite"),
    ],
)
def test_a_renderer_that_breaks_its_contract_is_named(tmp_path, monkeypatch, returned, message):
    monkeypatch.setitem(globals(), "what_odd_does", lambda: returned)
    with pytest.raises(PluginError, match=f"Clip 'a': The renderer 'odd' .*{message}"):
        render_one(Odd(), clip(tmp_path, "a"), tmp_path / "cache")


def test_an_unforeseen_failure_of_a_renderer_names_clip_and_cause(tmp_path, monkeypatch):
    def fail() -> None:
        raise ValueError("no strings")

    monkeypatch.setitem(globals(), "what_odd_does", fail)
    with pytest.raises(PluginError, match=r"'a': The renderer 'odd' failed .*ValueError: no str"):
        render_one(Odd(), clip(tmp_path, "a"), tmp_path / "cache")


def test_a_missing_dependency_stays_what_it_is(tmp_path, monkeypatch):
    def fail() -> None:
        raise DependencyError("apt-get install piano")

    monkeypatch.setitem(globals(), "what_odd_does", fail)
    with pytest.raises(DependencyError, match="apt-get install piano"):
        render_one(Odd(), clip(tmp_path, "a"), tmp_path / "cache")


def test_a_cache_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(StoreError, match=r"Cannot write renders to .*PIANOBENCH_CACHE"):
        render_one(Constant(), clip(tmp_path, "a"), tmp_path / "cache")


def test_a_full_disk_stops_the_run_at_once(tmp_path, monkeypatch):
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(render, "write_flac", full)
    clips = [clip(tmp_path, name, pitch=60 + i) for i, name in enumerate("abc")]
    with pytest.raises(StoreError, match="No space left on device"):
        render_clips(Constant(), clips, RATE, tmp_path / "cache", jobs=1)
    assert len(played) == 1


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path, monkeypatch):
    clips = [clip(tmp_path, name, pitch=60 + i) for i, name in enumerate("abc")]
    writing = render.write_flac

    def stopped(path: Path, *rest: Any) -> None:
        if len(played) == 3:
            raise KeyboardInterrupt
        writing(path, *rest)

    monkeypatch.setattr(render, "write_flac", stopped)
    with pytest.raises(KeyboardInterrupt):
        render_clips(Constant(), clips, RATE, tmp_path / "cache", jobs=1)
    monkeypatch.undo()
    render_clips(Constant(), clips, RATE, tmp_path / "cache", jobs=1)
    assert [path.stem for path in played] == ["a", "b", "c", "c"]


def test_files_that_are_no_renders_are_passed_over(tmp_path):
    one = clip(tmp_path, "a")
    rendered = render_one(Constant(), one, tmp_path / "cache")
    key = rendered.path.name.split(".")[0]
    for name in ("README", f".{key}.part", f"{key}.flac", f"{key}.short.9.flac"):
        (rendered.path.parent / name).touch()
    assert render_one(Constant(), one, tmp_path / "cache") == rendered


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[: len(content) // 2], lambda _: b"", lambda _: b"junk" * 100],
    ids=["cut", "empty", "junk"],
)
def test_a_damaged_file_is_noticed_and_removed_and_the_next_run_makes_it_anew(tmp_path, damage):
    one = clip(tmp_path, "a")
    rendered = render_one(Tone(), one, tmp_path / "cache")
    whole = rendered.path.read_bytes()
    rendered.path.write_bytes(damage(whole))
    with pytest.raises(
        AudioError, match=r"was damaged \(it cannot be read\) and has been removed. Run ag"
    ):
        rendered.waveform()
    assert not rendered.path.exists()
    assert render_one(Tone(), one, tmp_path / "cache") == rendered
    assert rendered.path.read_bytes() == whole


def test_a_file_with_the_samples_of_another_is_noticed_and_removed(tmp_path):
    rendered = render_one(Constant(), clip(tmp_path, "a"), tmp_path / "cache")
    other = render_one(Constant(level=0.25), clip(tmp_path, "b"), tmp_path / "cache")
    rendered.path.write_bytes(other.path.read_bytes())
    with pytest.raises(AudioError, match=r"not those its name promises\) and has been removed"):
        rendered.waveform()
    assert not rendered.path.exists()
    assert other.path.exists()


def test_a_damaged_file_that_cannot_be_removed_is_for_the_user_to_delete(tmp_path, monkeypatch):
    rendered = render_one(Constant(), clip(tmp_path, "a"), tmp_path / "cache")
    rendered.path.write_bytes(b"")

    def refuse(*arguments: Any, **options: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(AudioError, match=r"cannot be removed: Permission denied\. Delete it"):
        rendered.waveform()


def test_what_killed_runs_were_writing_is_removed_after_an_hour(tmp_path):
    one = clip(tmp_path, "a")
    rendered = render_one(Constant(), one, tmp_path / "cache")
    stale, fresh = (rendered.path.parent / name for name in (".0.part", ".1.part"))
    for path, age_s in ((stale, 3700), (fresh, 3500)):
        path.touch()
        os.utime(path, times=(time.time() - age_s,) * 2)
    render_one(Constant(), one, tmp_path / "cache")
    assert not stale.exists()
    assert fresh.exists()
    assert rendered.path.exists()


def test_several_processes_make_the_same_samples_as_one(tmp_path):
    clips = [clip(tmp_path, name, pitch=60 + i) for i, name in enumerate("abcd")]
    clips[1].midi.write_bytes(b"junk")
    with pytest.raises(MidiError, match="Clip 'b'"):
        render_clips(Tone(), clips, RATE, tmp_path / "two", jobs=2)
    kept = sorted(path.name for path in (tmp_path / "two").rglob("*.flac"))
    del clips[1]
    alone = render_clips(Tone(), clips, RATE, tmp_path / "one", jobs=1)
    assert kept == sorted(rendered.path.name for rendered in alone.values())
