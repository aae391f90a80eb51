"""MIDI in and out: sorted, merged, in the unit asked for, and refused when broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import symusic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pianobench import MidiError, Notes, read_notes, write_notes

NOTE = st.tuples(
    st.integers(0, 20_000), st.integers(1, 3_000), st.integers(21, 108), st.integers(1, 127)
)


def made(notes: list[tuple[int, int, int, int]]) -> Notes:
    """Notes from (onset ms, duration ms, pitch, velocity), with a pedal press at 1 s."""
    onset, length, pitch, velocity = np.array(notes, dtype=np.int64).T
    return Notes(
        onset=onset / 1000,
        offset=(onset + length) / 1000,
        pitch=pitch,
        velocity=velocity,
        control_time=np.array([1.0, 2.0]),
        control_number=np.array([64, 67]),
        control_value=np.array([127, 40]),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(NOTE, min_size=1, max_size=20, unique_by=lambda note: note[2]))
def test_what_is_written_reads_back_within_the_grid(
    tmp_path: Path, notes: list[tuple[int, int, int, int]]
) -> None:
    given_notes = made(notes)
    write_notes(tmp_path / "a.mid", given_notes)
    again = read_notes(tmp_path / "a.mid")
    order = np.argsort(again.pitch)
    expected = np.argsort(given_notes.pitch)
    np.testing.assert_array_equal(again.pitch[order], given_notes.pitch[expected])
    np.testing.assert_array_equal(again.velocity[order], given_notes.velocity[expected])
    np.testing.assert_allclose(again.onset[order], given_notes.onset[expected], atol=6e-4)
    assert (np.diff(again.onset) >= 0).all()
    times, values = again.control(64)
    assert (times.tolist(), values.tolist()) == ([1.0], [127])


def test_all_tracks_are_merged_and_sorted(tmp_path: Path) -> None:
    score = symusic.Score(480)
    for pitch, start in ((70, 480), (50, 0), (60, 480)):
        track = symusic.Track()
        track.notes.append(symusic.Note(start, 240, pitch, 64))
        score.tracks.append(track)
    score.dump_midi(tmp_path / "tracks.mid")
    assert read_notes(tmp_path / "tracks.mid").pitch.tolist() == [50, 60, 70]


def test_quarter_notes_ignore_the_tempo(tmp_path: Path) -> None:
    score = symusic.Score(480)
    score.tempos.append(symusic.Tempo(0, 60.0))
    track = symusic.Track()
    track.notes.append(symusic.Note(960, 480, 60, 64))
    score.tracks.append(track)
    score.dump_midi(tmp_path / "slow.mid")
    assert read_notes(tmp_path / "slow.mid", "quarter").onset.tolist() == [2.0]
    assert read_notes(tmp_path / "slow.mid").onset.tolist() == [2.0]
    assert read_notes(tmp_path / "slow.mid").offset.tolist() == [3.0]


@pytest.mark.parametrize("kept", [0, 10, 30, -1])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.mid"
    write_notes(path, made([(0, 500, 60, 64), (500, 500, 62, 64)]))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(MidiError, match=r"Cannot read the MIDI file .*cut\.mid"):
        read_notes(path)


def test_absent_files_and_files_without_notes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MidiError, match=r"absent\.mid"):
        read_notes(tmp_path / "absent.mid")
    score = symusic.Score(480)
    score.tracks.append(symusic.Track())
    score.dump_midi(tmp_path / "empty.mid")
    with pytest.raises(MidiError, match="holds no note"):
        read_notes(tmp_path / "empty.mid")
