"""Bars, beats and marks of scores written by hand, and what cannot be read."""

from __future__ import annotations

import numpy as np
import pytest

from pianobench import DataError, MidiError
from pianobench.score_notes import pack_score, read_score, unpack_score
from pianobench.testing.music import write_notes_of
from pianobench.testing.scores import write_score
from pianobench.written_score import Direction


@pytest.fixture
def files(tmp_path):
    write_score(tmp_path / "s.mid", tmp_path / "s.xml")
    return tmp_path / "s.mid", tmp_path / "s.xml"


def edit(xml, old, new, count=1):
    text = xml.read_text()
    assert old in text
    xml.write_text(text.replace(old, new, count))


def test_every_note_knows_its_bar_its_beat_and_its_voice(files):
    score = read_score(*files)
    melody = score.staff == 1
    beat = np.arange(16)
    assert len(score) == 20
    np.testing.assert_array_equal(score.onset_beat[melody], beat)
    np.testing.assert_array_equal(score.measure[melody], beat // 4)
    np.testing.assert_array_equal(score.position_beat[melody], beat % 4)
    np.testing.assert_array_equal(score.onset_beat[~melody], [0, 4, 8, 12])
    np.testing.assert_array_equal(score.voice, np.where(melody, 1, 5))
    np.testing.assert_array_equal(score.measure_beats, 4)
    np.testing.assert_allclose(score.onset_s, 0.5 * score.onset_q, atol=1e-6)


def test_written_lengths_are_whole_where_the_midi_ends_notes_early(files):
    score = read_score(*files)
    np.testing.assert_allclose(score.duration_beat, 0.8, atol=1e-6)
    np.testing.assert_array_equal(score.written_beat, np.where(score.staff == 1, 1, 4))


def test_marks_reach_the_notes_that_bear_them(files):
    dot = "<notations><articulations><staccato/></articulations></notations></note>"
    edit(files[1], "<staff>1</staff></note>", "<staff>1</staff>" + dot, 2)
    score = read_score(*files)
    melody = np.flatnonzero(score.staff == 1)
    assert set(np.flatnonzero(score.marks["staccato"])) == set(melody[:2])
    assert not score.marks["accent"].any()


def test_a_slur_binds_every_note_but_its_last(files):
    begin, end = (
        f'<notations><slur type="{t}" number="1"/></notations></note>' for t in ("start", "stop")
    )
    parts = files[1].read_text().split("<staff>1</staff></note>")
    joined = ["<staff>1</staff></note>"] * (len(parts) - 1)
    joined[1] = "<staff>1</staff>" + begin
    joined[4] = "<staff>1</staff>" + end
    text = parts[0] + "".join(j + p for j, p in zip(joined, parts[1:], strict=True))
    files[1].write_text(text)
    score = read_score(*files)
    assert score.onset_beat[score.marks["slur"]].tolist() == [1, 2, 3]


def test_directions_are_told_by_kind_with_their_place(files):
    loud = "<direction><direction-type><dynamics><ff/></dynamics></direction-type></direction>"
    edit(files[1], '<measure number="3">', '<measure number="3">' + loud)
    directions = read_score(*files).directions
    assert [(d.kind, d.text, d.start_q) for d in directions] == [("dynamic", "ff", 8.0)]


def test_a_tremolo_is_played_out_by_the_midi_and_stands_where_it_is_written(files, tmp_path):
    beat = np.concatenate([np.arange(0, 4, 0.5), np.arange(16)])
    scale = 60 + np.resize([0, 2, 4, 5, 7, 9, 11], 16)
    pitch = np.concatenate([np.full(8, 48), scale])
    write_notes_of(tmp_path / "t.mid", 0.5 * beat, pitch)
    score = read_score(tmp_path / "t.mid", files[1])
    bass = score.pitch == 48
    assert (score.written[bass] == score.written[bass][0]).all()
    np.testing.assert_array_equal(score.voice[bass], 5)
    np.testing.assert_allclose(score.written_beat[bass], score.duration_beat[bass])


def test_an_upbeat_stands_at_the_end_of_its_bar(files, tmp_path):
    text = files[1].read_text()
    note = text[text.index("<note>") : text.index("</note>") + len("</note>")]
    upbeat = f'<measure number="0" implicit="yes">{{}}{note}</measure>\n<measure number="1">'
    start = text.index("<attributes>")
    attributes = text[start : text.index("</attributes>") + len("</attributes>")]
    text = text.replace(attributes, "").replace(
        '<measure number="1">', upbeat.format(attributes), 1
    )
    files[1].write_text(text)
    beat = np.concatenate([[0], 1 + np.arange(16)])
    write_notes_of(
        tmp_path / "u.mid", 0.5 * beat, np.append(60, 60 + np.resize([0, 2, 4, 5, 7, 9, 11], 16))
    )
    score = read_score(tmp_path / "u.mid", files[1])
    np.testing.assert_array_equal(score.position_beat[:3], [3, 0, 1])
    np.testing.assert_array_equal(score.onset_beat[:3], [-1, 0, 1])
    np.testing.assert_array_equal(score.measure[:3], [0, 1, 1])


def test_where_the_midi_begins_does_not_matter(files, tmp_path):
    beat = np.arange(4, 16)
    write_notes_of(
        tmp_path / "late.mid", 0.5 * (beat - 4), 60 + np.resize([0, 2, 4, 5, 7, 9, 11], 16)[4:]
    )
    score = read_score(tmp_path / "late.mid", files[1])
    np.testing.assert_array_equal(score.onset_beat, beat)
    np.testing.assert_array_equal(score.onset_q, beat - 4)


def test_a_score_comes_back_from_its_arrays_as_it_was(files):
    loud = "<direction><direction-type><dynamics><p/></dynamics></direction-type></direction>"
    edit(files[1], '<measure number="2">', '<measure number="2">' + loud)
    score = read_score(*files)
    back = unpack_score(pack_score(score))
    assert back.directions == score.directions == (Direction("dynamic", "p", 4.0, 16.0),)
    assert back.marks.keys() == score.marks.keys()
    np.testing.assert_array_equal(back.written_beat, score.written_beat)


def test_a_score_without_measures_or_notes_and_a_torn_file_are_refused_by_name(files):
    text = files[1].read_text()
    cases = {
        "has no measure": text[: text.index("<measure")] + "</part></score-partwise>",
        "no note": text[: text.index("<note>")] + "</measure></part></score-partwise>",
        "Cannot read the MusicXML": text[: len(text) // 2],
    }
    for why, content in cases.items():
        files[1].write_text(content)
        with pytest.raises(DataError, match=rf"(?s)s\.xml.*{why}|{why}.*s\.xml"):
            read_score(*files)
    with pytest.raises(MidiError, match=r"nowhere\.mid"):
        read_score(files[0].with_name("nowhere.mid"), files[1])


def test_two_files_of_different_music_are_told_apart(files, tmp_path):
    write_notes_of(tmp_path / "other.mid", 0.5 * np.arange(8), 73 + np.arange(8))
    with pytest.raises(DataError, match=r"other\.mid.*not the same music: 100%"):
        read_score(tmp_path / "other.mid", files[1])
