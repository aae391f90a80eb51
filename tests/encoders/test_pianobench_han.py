"""The symbolic baseline's features: known music, known numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pianobench import Clip, DataError, Dataset, EncodingError, Notes, write_notes
from pianobench.corpus import load_corpus
from pianobench.plugins import Registry
from pianobench.testing import check_component
from pianobench.testing.music import write_notes_of
from pianobench.testing.scores import write_score
from pianobench.written_score import Direction
from pianobench_han import FEATURES, Han
from pianobench_han.directions import dynamics, since, tempo
from pianobench_han.notation import read_notation
from pianobench_han.playing import unit_loudness

HEADER = """<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="3.1"><part-list><score-part id="P1"><part-name>Piano</part-name>
</score-part></part-list><part id="P1"><measure number="1">
<attributes><divisions>2</divisions><time><beats>4</beats><beat-type>4</beat-type></time>
</attributes>{notes}</measure></part></score-partwise>"""


def names(features: str) -> list[str]:
    return [feature.name for group in FEATURES[features].values() for feature in group]


def column(values: np.ndarray, name: str, features: str = "published") -> np.ndarray:
    return values[0, :, names(features).index(name)]


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """Four bars of 4/4 at 96 quarters a minute, the second bar twice as slow, one note added."""
    write_score(tmp_path / "score.mid", tmp_path / "score.xml")
    beat = np.arange(16)
    seconds = np.where((beat >= 4) & (beat < 8), 1.25, 0.625)
    starts = 0.5 + np.cumsum(seconds) - seconds
    onset = np.concatenate([starts, starts[::4], [starts[2] + 0.2]])
    pitch = np.concatenate([60 + np.resize([0, 2, 4, 5, 7, 9, 11], 16), np.full(4, 48), [90]])
    write_notes_of(tmp_path / "played.mid", onset, pitch)
    return Clip(
        "four bars",
        midi=tmp_path / "played.mid",
        score_midi=tmp_path / "score.mid",
        score_xml=tmp_path / "score.xml",
    )


def test_the_published_input_has_the_published_groups() -> None:
    groups = FEATURES["published"]
    sizes = {name: len(features) for name, features in groups.items()}
    assert sizes == {"score": 77, "performance": 15, "raw": 4, "copies": 5}
    for features in FEATURES:
        assert len(set(names(features))) == len(names(features))


def test_tempo_is_that_of_the_beat_and_of_the_measure(clip: Clip) -> None:
    frames = Han().encode(clip)
    measure = frames.levels["measure"]
    pace = 10 ** column(frames.values, "measure_tempo")
    np.testing.assert_allclose(pace[measure == 0], 96, rtol=0.01)
    np.testing.assert_allclose(pace[measure == 1], 48, rtol=0.01)
    beats = 10 ** column(frames.values, "beat_tempo")
    np.testing.assert_allclose(beats[measure < 3], pace[measure < 3], rtol=0.01)
    # The whole of it is one section: 15 beats between the first onset and the last.
    expected = 60 * 15 / (11 * 0.625 + 4 * 1.25)
    np.testing.assert_allclose(10 ** column(frames.values, "section_tempo"), expected, rtol=0.02)
    np.testing.assert_allclose(column(frames.values, "onset_deviation"), 0, atol=0.01)


def test_articulation_is_the_share_of_the_written_length_in_tempo(clip: Clip) -> None:
    frames = Han().encode(clip)
    ratio = 10 ** column(frames.values, "articulation")
    first = (frames.levels["measure"] == 0) & (column(frames.values, "midi_pitch") == 62)
    # Notes last 0.4 s, in the score MIDI as in the performance; a quarter takes 0.5 and 0.625 s.
    np.testing.assert_allclose(ratio[first], 0.4 / (0.8 * 0.625), rtol=0.02)


def test_beats_measures_and_voices_are_those_of_the_score(clip: Clip) -> None:
    frames = Han().encode(clip)
    pitch = column(frames.values, "midi_pitch")
    assert frames.levels["measure"].max() == 3
    assert frames.levels["beat"][pitch == 48].tolist() == [0, 4, 8, 12]
    assert len(set(frames.levels["voice"][pitch == 48].tolist())) == 1
    assert set(frames.levels["voice"][pitch == 48]).isdisjoint(
        frames.levels["voice"][(pitch > 48) & (pitch < 90)].tolist()
    )
    np.testing.assert_allclose(column(frames.values, "beat_position")[pitch == 48], 0)
    assert set(column(frames.values, "beat_importance")[pitch == 48]) == {4}


def test_a_note_that_is_not_in_the_score_stays_with_what_holds_around_it(clip: Clip) -> None:
    frames = Han().encode(clip)
    (added,) = np.flatnonzero(column(frames.values, "midi_pitch") == 90)
    assert len(frames.times_s) == 21
    assert frames.levels["measure"][added] == 0
    assert frames.levels["beat"][added] == 2
    assert column(frames.values, "duration")[added] == 0
    assert column(frames.values, "measure_length")[added] == 4
    assert column(frames.values, "pitch_f_sharp")[added] == 1


def test_pedals_are_read_at_both_ends_and_between(tmp_path: Path) -> None:
    write_notes(
        tmp_path / "pedal.mid",
        Notes(
            onset=np.array([0.0, 1.0]),
            offset=np.array([0.9, 2.0]),
            pitch=np.array([60, 62]),
            velocity=np.array([50, 90]),
            control_time=np.array([0.0, 0.4, 0.6, 1.5, 1.8]),
            control_number=np.array([64, 64, 64, 64, 67]),
            control_value=np.array([127, 0, 127, 0, 127]),
        ),
    )
    values = Han(features="performance").encode(Clip("x", midi=tmp_path / "pedal.mid")).values

    def found(name: str) -> list[float]:
        return column(values, name, "performance").tolist()

    down, up = 127 / (1 + np.exp(-63 / 8)), 127 / (1 + np.exp(8))
    assert found("pedal_at_start") == pytest.approx([down, down], abs=1e-3)
    assert found("pedal_at_end") == pytest.approx([down, up], abs=1e-3)
    assert found("pedal_refresh") == pytest.approx([up, up], abs=1e-3)
    assert found("pedal_refresh_time") == pytest.approx([0.4, 0.5], abs=2e-3)
    assert found("pedal_cut") == pytest.approx([up, up], abs=1e-3)
    assert found("pedal_cut_time") == pytest.approx([0.6, 0.0], abs=2e-3)
    assert found("soft_pedal") == pytest.approx([up, up], abs=1e-3)
    assert found("articulation") == pytest.approx([np.log10(0.9), 0.0], abs=1e-3)


def test_loudness_of_a_unit_lies_between_its_mean_and_its_greatest() -> None:
    found = unit_loudness(np.array([40.0, 60.0, 80.0]), np.array([0, 0, 2]))
    assert found.tolist() == [55, 55, 80]


def test_directions_hold_until_the_next_and_hairpins_grow() -> None:
    directions = (
        Direction("dynamic", "p", 0, 0),
        Direction("tempo", "Allegro moderato", 0, 0),
        Direction("crescendo", "", 2, 6),
        Direction("dynamic", "ff", 6, 6),
        Direction("ritardando", "rit.", 8, 8),
        Direction("sforzando", "sf", 7, 7),
    )
    onset = np.array([0.0, 2.0, 5.0, 6.0, 7.0, 10.0])
    level, hairpin, share, accent = dynamics(onset, directions).T
    assert level.tolist() == [-0.4, -0.4, -0.4, 0.6, 0.6, 0.6]
    assert hairpin.tolist() == [0, 1, 1, 0, 0, 0]
    assert share.tolist() == [0, 0, 0.75, 0, 0, 0]
    assert accent.tolist() == [0, 0, 0, 0, 1, 0]
    pace, named, change, passed, words = tempo(onset, directions).T
    assert pace.tolist() == [0.5] * 6
    assert named.tolist() == [1] * 6
    assert change.tolist() == [0, 0, 0, 0, 0, -1]
    assert passed[-1] == 0.5
    assert not words.any()
    assert since(onset, directions, ["dynamic"]).tolist() == [0, 2, 5, 0, 1, 4]


def test_marks_of_the_musicxml_are_read_note_by_note(tmp_path: Path) -> None:
    def note(step: str, duration: str, more: str = "", grace: str = "") -> str:
        length = "" if grace else f"<duration>{duration}</duration>"
        return (
            f"<note>{grace}<pitch><step>{step}</step><octave>4</octave></pitch>{length}"
            f"<voice>1</voice>{more}</note>"
        )

    notes = [
        note(
            "C",
            "1",
            '<beam number="1">begin</beam><notations><slur type="start" number="1"/>'
            "<articulations><staccato/></articulations></notations>",
        ),
        note("D", "1", '<beam number="1">continue</beam>'),
        note(
            "E",
            "1",
            '<beam number="1">end</beam><notations><slur type="stop" number="1"/>'
            "<articulations><strong-accent/></articulations></notations>",
        ),
        "<note><rest/><duration>1</duration><voice>1</voice><notations><fermata/></notations>"
        "</note>",
        note("F", "", grace='<grace slash="yes"/>'),
        note("G", "4", "<notations><ornaments><trill-mark/></ornaments></notations>"),
    ]
    path = tmp_path / "marks.xml"
    path.write_text(HEADER.format(notes="".join(notes)), encoding="utf-8")
    found = {name: values.tolist() for name, values in read_notation(path).items()}
    assert found["beam_start"] == [1, 0, 0, 0, 0]
    assert found["beam_continue"] == [0, 1, 0, 0, 0]
    assert found["beam_stop"] == [0, 0, 1, 0, 0]
    assert found["slur_start"] == [1, 0, 0, 0, 0]
    assert found["slur_stop"] == [0, 0, 1, 0, 0]
    assert found["staccato"] == [1, 0, 0, 0, 0]
    assert found["strong_accent"] == [0, 0, 1, 0, 0]
    assert found["followed_by_fermata_rest"] == [0, 0, 1, 0, 0]
    assert found["following_rest"] == [0, 0, 0.5, 0, 0]
    assert found["grace_order"] == [0, 0, 0, -1, 0]
    assert found["slash"] == [0, 0, 0, 1, 0]
    assert found["preceded_by_grace"] == [0, 0, 0, 0, 1]
    assert found["trill"] == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("features", ["published", "performance"])
def test_it_keeps_what_a_score_encoder_promises(features: str) -> None:
    checks = check_component(Han(features=features))
    assert [check for check in checks if check.passed is False] == []


def test_only_the_published_features_need_a_score(tmp_path: Path) -> None:
    write_notes_of(tmp_path / "one.mid", np.array([0.5]), np.array([60]))
    one = Clip("one", midi=tmp_path / "one.mid")
    assert Han(features="performance").encode(one).values.shape == (1, 1, 33)
    assert Han(features="performance").requires == ("midi",)
    with pytest.raises(DataError, match="'one' cannot be aligned: it has no score_midi"):
        Han().encode(one)
    with pytest.raises(EncodingError, match="'radio' has none"):
        Han(features="performance").encode(Clip("radio", audio=tmp_path / "radio.wav"))


@pytest.mark.data
def test_clips_of_percepiano_lie_in_the_bars_of_their_scores(data_root: Path) -> None:
    percepiano = Registry().create(Dataset, "dataset", "percepiano", {})
    clips = load_corpus(percepiano, data_root).clips[::150]
    for clip in clips:
        frames = Han().encode(clip)
        assert np.isfinite(frames.values).all()
        bars = int(clip.id.split("bars_")[0].rsplit("_", 1)[1])
        assert abs(len(set(frames.levels["measure"].tolist())) - bars) <= 1
        # Beats are in bars, and are played one after the other.
        beats, measures = frames.levels["beat"], frames.levels["measure"]
        assert len({(b, m) for b, m in zip(beats, measures, strict=True)}) < 1.2 * len(set(beats))
        assert np.corrcoef(beats, frames.times_s)[0, 1] > 0.95
        tempo = 10 ** column(frames.values, "section_tempo")
        assert 20 < np.median(tempo) < 400
