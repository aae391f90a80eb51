import numpy as np
import pytest

from pianobench import Frames, ScoreEncoder, read_notes
from pianobench.testing import check_component


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


class XmlScoreEncoder(GoodScoreEncoder):
    """Reads MusicXML."""

    requires = ("midi", "score_xml")


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


def test_a_reader_of_music_xml_is_not_run():
    checks = {c.name: c for c in check_component(XmlScoreEncoder())}
    assert checks["encodes music"].passed is None
    assert "MusicXML" in checks["encodes a single note"].detail
