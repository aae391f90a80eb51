"""Alignments against performances whose every note is known, the cache, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pianobench import Clip, DataError, MidiError, Notes, write_notes
from pianobench import alignment as alignment_module
from pianobench.alignment import align, summarise_alignments
from pianobench.parallel import run_all
from pianobench.places import cache_root
from pianobench.testing.music import write_music, write_notes_of
from pianobench.testing.scores import write_score

SCALE = 60 + np.resize([0, 2, 4, 5, 7, 9, 11], 16)


@pytest.fixture
def clip(tmp_path):
    write_score(tmp_path / "s.mid", tmp_path / "s.xml")
    write_music(tmp_path / "p.mid")
    return Clip(
        "take", midi=tmp_path / "p.mid", score_midi=tmp_path / "s.mid", score_xml=tmp_path / "s.xml"
    )


def play(clip, onset, pitch):
    """Another performance of the clip's score."""
    path = clip.midi.with_name(f"{len(onset)}-{pitch[0]}.mid")
    return replace(clip, midi=write_notes_of(path, np.asarray(onset, float), np.asarray(pitch)))


def test_every_note_of_a_perfect_take_finds_its_own(clip):
    found = align(clip)
    assert (found.match >= 0).all()
    assert found.played.all()
    np.testing.assert_array_equal(found.score.pitch[found.match], found.performance.pitch)
    np.testing.assert_allclose(
        found.score.onset_s[found.match] + 0.5, found.performance.onset, atol=1e-3
    )
    assert found.report.matched_share == 1
    assert not found.report.reasons


def test_the_report_tells_what_the_notes_without_a_partner_are(clip):
    # The melody without its fifth note; one foreign pitch, one key struck twice at once, one
    # note again between two beats.
    onset = np.append(0.5 + 0.5 * np.delete(np.arange(16), 4), [1.2, 1.501, 3.27])
    pitch = np.append(np.delete(SCALE, 4), [100, SCALE[2], SCALE[5]])
    found = align(play(clip, onset, pitch))
    report = found.report
    assert (report.performed, report.written, report.matched) == (18, 20, 15)
    assert report.reasons == {"doubled": 1, "foreign": 1, "surplus": 1, "omitted": 5}
    assert report.matched + report.doubled + report.foreign + report.surplus == report.performed
    played = found.performed_by[found.played]
    np.testing.assert_array_equal(found.match[played], np.flatnonzero(found.played))


def test_an_alignment_is_made_once_whatever_the_clip_and_its_files_are_called(clip, monkeypatch):
    first = align(clip)

    def fail(*_):
        raise AssertionError("made again")

    monkeypatch.setattr(alignment_module, "match_notes", fail)
    monkeypatch.setattr(alignment_module, "read_score", fail)
    moved = clip.midi.rename(clip.midi.with_name("renamed.mid"))
    second = align(replace(clip, id="other", midi=moved))
    np.testing.assert_array_equal(first.match, second.match)
    assert first.report == second.report
    assert first.score.directions == second.score.directions
    with pytest.raises(AssertionError, match="made again"):
        align(replace(clip, midi=moved), cache_root() / "elsewhere")


def test_other_libraries_and_other_bytes_align_anew(clip, monkeypatch):
    align(clip)
    before = set(cache_root().rglob("*.safetensors"))
    assert len(before) == 2
    clip.score_xml.write_text(clip.score_xml.read_text() + "\n")
    align(clip)
    assert len(set(cache_root().rglob("*.safetensors"))) == 4
    monkeypatch.setattr(alignment_module, "symbolic_versions", lambda: "partitura 99")
    align(clip)
    assert len(set(cache_root().rglob("*.safetensors"))) == 6


def test_a_damaged_file_is_made_again(clip):
    whole = align(clip)
    for path in cache_root().rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:40])
    np.testing.assert_array_equal(align(clip).match, whole.match)
    assert summarise_alignments([clip]).aligned == 1


def one_note(clip):
    return play(clip, [0.5], [60])


def other_music(clip):
    return play(clip, 0.5 * np.arange(20), 85 + np.arange(20) % 12)


def no_note(clip):
    path = clip.midi.with_name("empty.mid")
    nothing = np.zeros(0)
    none = nothing.astype(np.int64)
    write_notes(path, Notes(nothing, nothing, none, none, nothing, none, none))
    return replace(clip, midi=path)


def no_measure(clip):
    text = clip.score_xml.read_text()
    path = clip.score_xml.with_name("bare.xml")
    path.write_text(text[: text.index("<measure")] + "</part></score-partwise>")
    return replace(clip, score_xml=path)


def no_score(clip):
    return replace(clip, score_xml=None)


def absent(clip):
    return replace(clip, score_midi=clip.midi.with_name("gone.mid"))


@pytest.mark.parametrize(
    ("spoil", "kind", "why"),
    [
        (one_note, DataError, r"1 note\(s\) at one time"),
        (other_music, DataError, r"Only \d of 20 notes .* not the same music"),
        (no_note, MidiError, "holds no note"),
        (no_measure, DataError, r"bare\.xml has no measure"),
        (no_score, DataError, "no score_xml"),
        (absent, DataError, r"gone\.mid"),
    ],
)
def test_what_cannot_be_aligned_is_refused_by_the_clips_name(clip, spoil, kind, why):
    with pytest.raises(kind, match=rf"(?s)Clip 'take' cannot be aligned.*{why}"):
        align(spoil(clip))


def test_one_bad_clip_does_not_cost_the_others(clip):
    outcomes = dict(run_all(align, [clip, one_note(clip), clip], 1))
    assert isinstance(outcomes[1], DataError)
    assert outcomes[0].report.matched == outcomes[2].report.matched == 20


def test_the_summary_counts_what_is_cached_and_lists_the_poor(clip):
    poor = replace(play(clip, [0.5, 1.0, 1.5, 1.75, 1.8], [60, 62, 64, 100, 101]), id="poor")
    clips = [clip, poor, Clip("audio only", audio=clip.midi)]
    before = summarise_alignments(clips)
    assert (before.clips, before.aligned) == (2, 0)
    assert np.isnan(before.mean_matched_share)
    assert before.text() == "alignment: none of 2 clips with a score is aligned yet"
    align(clip)
    align(poor)
    after = summarise_alignments(clips)
    assert after.aligned == 2
    assert after.mean_matched_share == pytest.approx((1 + 0.6) / 2)
    assert [(name, report.matched) for name, report in after.poor] == [("poor", 3)]
    assert "80.0% of the notes matched on average; 1 below 80%" in after.text()
    assert "poor: 60.0% of 5 (2 foreign, 17 omitted)" in after.text()


@pytest.mark.data
@pytest.mark.slow
def test_all_of_percepiano_is_aligned_and_five_takes_are_poor(data_root):
    from pianobench_percepiano import PercePiano

    clips = PercePiano().load(data_root / "percepiano").clips
    outcomes = dict(run_all(align, clips, 2))
    assert not [o for o in outcomes.values() if isinstance(o, Exception)]
    summary = summarise_alignments(clips)
    assert summary.aligned == summary.clips == 1202
    assert summary.mean_matched_share == pytest.approx(0.986, abs=0.001)
    assert {name for name, _ in summary.poor} == {
        "Beethoven_WoO80_var25_8bars_19_14",
        "Schubert_D935_no.3_4bars_Score_9",
        "Schubert_D935_no.3_4bars_Score2_9",
        "Schubert_D935_no.3_4bars_Score_13",
        "Schubert_D935_no.3_4bars_Score2_13",
    }
    assert all(
        report.reasons == {"doubled": 32} for name, report in summary.poor if "Score" in name
    )
