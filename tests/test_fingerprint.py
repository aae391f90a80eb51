from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from pianobench import AudioEncoder, Clip, Frames, Pooling, ScoreEncoder, read_notes
from pianobench.errors import DependencyError, EncodingError, UsageError
from pianobench.fingerprint import (
    describe_signals,
    fingerprint_audio,
    fingerprint_levels,
    fingerprint_pooling,
    fingerprint_score,
)
from pianobench.policy import Policy


class Gain(AudioEncoder):
    name = "gain"
    sample_rate = 100
    backend = "numpy"
    chunk_s = None
    minimum_samples = 500
    gain: float = 1.0

    def load(self, device: str) -> Any:
        return Amplifier(self.gain)


class Amplifier:
    def __init__(self, gain: float) -> None:
        self.gain = gain
        self.lengths: list[int] = []

    def __call__(self, waveforms: np.ndarray) -> list[np.ndarray]:
        self.lengths.append(waveforms.shape[1])
        return [self.gain * waveforms[:, :, None]]


class Pitches(ScoreEncoder):
    name = "pitches"
    above: int = 0

    def encode(self, clip: Clip) -> Frames:
        assert clip.midi is not None
        notes = read_notes(clip.midi)
        values = np.maximum(notes.pitch, self.above)[None, :, None].astype(np.float64)
        return Frames(values, notes.onset, {})


def fingerprint(gain: float) -> str:
    encoder = Gain(gain=gain)
    return fingerprint_audio(encoder, encoder.load("cpu"), Policy(None))


def test_equal_weights_have_one_fingerprint_and_changed_ones_another() -> None:
    assert fingerprint(1.0) == fingerprint(1.0)
    assert re.fullmatch("[0-9a-f]{64}", fingerprint(1.0))
    assert fingerprint(1.0) != fingerprint(1.0 + 1e-6)


def test_three_signals_are_tried_as_long_as_the_encoder_needs() -> None:
    loaded = Amplifier(1.0)
    fingerprint_audio(Gain(), loaded, Policy(None))
    assert loaded.lengths == [500, 500, 500]


def test_a_digest_of_the_weights_is_taken_without_encoding() -> None:
    loaded = Amplifier(1.0)
    loaded.weights_digest = "abc"  # type: ignore[attr-defined]  # optional in the contract
    assert fingerprint_audio(Gain(), loaded, Policy(None)) == "abc"
    assert loaded.lengths == []


def test_statistics_on_the_signals_agree_within_rounding_and_tell_encoders_apart() -> None:
    def described(gain: float) -> Any:
        return describe_signals(Gain(), Amplifier(gain), Policy(None))

    ours = described(1.0)
    assert list(ours) == ["click", "sweep", "noise"]
    assert ours == described(1.0 + 1e-6) != described(1.01)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 500)
    assert ours["noise"]["frames"] == 500
    assert ours["noise"]["std"] == pytest.approx(noise.std(), abs=1e-5)
    assert ours["noise"]["means"] == [pytest.approx(noise.mean(), abs=1e-5)]
    assert ours["click"]["std"] == pytest.approx(0.5 / np.sqrt(500), rel=2e-3)
    assert len(f"{described(10.0)['sweep']['std']:g}") <= 5


def test_constant_states_have_statistics_too() -> None:
    assert describe_signals(Gain(), Amplifier(0.0), Policy(None))["noise"] == {
        "frames": 500,
        "std": 0.0,
        "means": [0.0],
    }


def test_an_encoder_of_notes_is_tried_on_fixed_notes() -> None:
    assert fingerprint_score(Pitches()) == fingerprint_score(Pitches())
    assert fingerprint_score(Pitches()) != fingerprint_score(Pitches(above=60))


def test_an_encoder_that_needs_a_score_is_known_by_its_revision() -> None:
    class Aligned(Pitches):
        requires = ("midi", "score_midi")
        revision = "7"

    assert fingerprint_score(Aligned()) == "revision 7"


def test_an_encoder_that_fails_on_the_notes_is_named() -> None:
    class Broken(Pitches):
        name = "broken"

        def encode(self, clip: Clip) -> Frames:
            raise KeyError("tempo")

    with pytest.raises(EncodingError, match=r"'broken' failed on the notes .*KeyError: 'tempo'"):
        fingerprint_score(Broken())


def test_what_an_encoder_raises_deliberately_on_the_notes_stays_what_it_is() -> None:
    class Lacking(Pitches):
        def encode(self, clip: Clip) -> Frames:
            raise DependencyError("pip install harmony")

    with pytest.raises(DependencyError, match="pip install harmony"):
        fingerprint_score(Lacking())


def test_an_encoder_that_returns_something_else_than_frames_is_named() -> None:
    class Empty(Pitches):
        name = "empty"

        def encode(self, clip: Clip) -> Any:
            return None

    with pytest.raises(EncodingError, match=r"'empty' failed on the notes .*AttributeError"):
        fingerprint_score(Empty())


class ByMeasure(Pooling):
    name = "by-measure"
    exponent: float = 1.0

    def pool(self, frames: Frames) -> Any:
        measures = frames.levels["measure"]
        first = frames.values[:, measures == measures[0]]
        return np.sign(first.sum(1)) * np.abs(first.sum(1)) ** self.exponent


def test_changed_code_of_a_pooling_changes_its_fingerprint() -> None:
    assert fingerprint_pooling(ByMeasure()) == fingerprint_pooling(ByMeasure())
    assert fingerprint_pooling(ByMeasure()) != fingerprint_pooling(ByMeasure(exponent=2.0))


def test_a_learned_pooling_is_refused() -> None:
    class Attention(Pooling):
        name = "attention"

    with pytest.raises(UsageError, match="'attention' is learned"):
        fingerprint_pooling(Attention())


class Levelled(Pitches):
    """Pitches with a level whose units are as long as asked for, under a name."""

    level: str = "beat"
    notes: int = 2

    def encode(self, clip: Clip) -> Frames:
        frames = super().encode(clip)
        units = np.arange(len(frames.times_s)) // self.notes
        return Frames(frames.values, frames.times_s, {self.level: units, "voice": 0 * units})


def test_levels_have_a_fingerprint_of_their_own() -> None:
    one = fingerprint_levels(Levelled())
    assert re.fullmatch("[0-9a-f]{64}", one)
    assert fingerprint_levels(Levelled()) == fingerprint_levels(Levelled(above=70)) == one
    others = [Pitches(), Levelled(notes=3), Levelled(level="measure")]
    assert len({one, *map(fingerprint_levels, others)}) == 4
    assert fingerprint_score(Levelled()) == fingerprint_score(Pitches())


def test_levels_of_an_encoder_that_needs_a_score_are_known_by_its_revision() -> None:
    class Aligned(Levelled):
        requires = ("midi", "score_midi")
        revision = "7"

    assert fingerprint_levels(Aligned()) == "revision 7"
