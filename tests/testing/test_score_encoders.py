import numpy as np
import pytest

from pianobench import DataError, Frames, ScoreEncoder, read_notes


class GoodScoreEncoder(ScoreEncoder):
    """Pitch and velocity of every note."""

    name = "good-score-encoder"

    def encode(self, clip):
        notes = read_notes(clip.midi)
        values = np.stack([notes.pitch, notes.velocity], axis=1)[None].astype(float)
        return Frames(values, notes.onset, {"beat": np.floor(notes.onset).astype(np.int64)})


class BackwardsScoreEncoder(GoodScoreEncoder):
    """Returns the last note first."""

    def encode(self, clip):
        frames = super().encode(clip)
        return Frames(frames.values, frames.times_s[::-1], frames.levels)


class NegativeScoreEncoder(GoodScoreEncoder):
    """Counts measures from a pickup."""

    def encode(self, clip):
        frames = super().encode(clip)
        return Frames(frames.values, frames.times_s, {"measure": frames.levels["beat"] - 5})


class RandomScoreEncoder(GoodScoreEncoder):
    """Jitters the velocities."""

    def encode(self, clip):
        frames = super().encode(clip)
        jitter = np.random.default_rng().normal(size=frames.values.shape)
        return Frames(frames.values + jitter, frames.times_s, frames.levels)


class NamedScoreEncoder(GoodScoreEncoder):
    """Reads the name of the file."""

    def encode(self, clip):
        frames = super().encode(clip)
        return Frames(frames.values + len(clip.midi.stem), frames.times_s, frames.levels)


class SpreadScoreEncoder(GoodScoreEncoder):
    """Standardises by a deviation that one note does not have."""

    def encode(self, clip):
        frames = super().encode(clip)
        with np.errstate(all="ignore"):
            values = frames.values / np.ptp(frames.times_s)
        return Frames(values, frames.times_s, frames.levels)


class AlignedScoreEncoder(GoodScoreEncoder):
    """Reads the score, and refuses what has no second onset, as aligning does."""

    requires = ("midi", "score_midi", "score_xml")

    def encode(self, clip):
        if "<measure" not in clip.score_xml.read_text() or not len(read_notes(clip.score_midi)):
            raise AssertionError("the score is empty")
        if len(read_notes(clip.midi)) < 2:
            raise DataError("one note")
        return super().encode(clip)


FAULTS = {
    BackwardsScoreEncoder: {"encodes music"},
    NegativeScoreEncoder: {"numbers the units of each level"},
    RandomScoreEncoder: {"gives the same every time", "depends on the files alone"},
    NamedScoreEncoder: {"depends on the files alone"},
    SpreadScoreEncoder: {"encodes a single note"},
}


def test_a_score_encoder_that_keeps_its_contract_fails_no_check(failed):
    assert failed(GoodScoreEncoder()) == set()


@pytest.mark.parametrize("faulty", FAULTS)
def test_a_score_encoder_that_breaks_it_fails_the_checks_of_what_it_breaks(failed, faulty):
    assert failed(faulty()) == FAULTS[faulty]


def test_a_reader_of_scores_is_given_one_and_may_refuse_a_single_note(failed):
    assert failed(AlignedScoreEncoder()) == set()
