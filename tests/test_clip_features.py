from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pianobench import AudioEncoder, Clip, Frames, Pooling, ScoreEncoder
from pianobench.clip_features import (
    encode_notes,
    encode_waveform_source,
    encode_waveform_sources,
    forget_loaded,
    load_encoder,
)
from pianobench.errors import AudioError, DependencyError, EncodingError, MidiError, PluginError
from pianobench.policy import choose_policy
from pianobench.sources import NoteSource
from pianobench.store import Row


class Sum(Pooling):
    name = "sum"

    def pool(self, frames: Frames) -> Any:
        return np.concatenate([frames.values.sum(axis=1), frames.times_s[None, -1:]], axis=1)


class Steps(AudioEncoder):
    """One frame a sample; layer k is the sample times k."""

    name = "steps"
    sample_rate = 10
    backend = "numpy"
    layers = 1
    chunk_s = 0.4
    loads: int = 0

    def load(self, device: str) -> Any:
        LOADED.append((self.loads, device))
        return lambda waveforms: [k * waveforms[:, :, None] for k in (0, 1)]


class Source:
    key = "k"

    def waveform(self, sample_rate: int) -> np.ndarray:
        return np.arange(10, dtype=np.float32)


LOADED: list[tuple[int, str]] = []


@pytest.fixture(autouse=True)
def nothing_loaded() -> None:
    forget_loaded()
    LOADED.clear()


def test_chunks_are_joined_before_they_are_pooled() -> None:
    done = encode_waveform_source(Steps(), Sum(), choose_policy(Steps()), Source())  # type: ignore[arg-type]  # a stand-in
    assert done.key == "k"
    np.testing.assert_allclose(done.layers, [[0.0, 0.95], [45.0, 0.95]])


def test_clips_that_share_batches_have_an_outcome_each() -> None:
    class Silent(Source):
        def waveform(self, sample_rate: int) -> np.ndarray:
            raise AudioError("nothing there")

    class Positive(Sum):
        def pool(self, frames: Frames) -> Any:
            if frames.values.sum() == 0:
                raise EncodingError("all zero")
            return super().pool(frames)

    policy = choose_policy(Steps(), device="accelerator")
    sources: Any = [Source(), Silent(), Source()]
    rows = dict(encode_waveform_sources(Steps(), Sum(), policy, sources))
    assert isinstance(rows[1], AudioError)
    for index in (0, 2):
        row = rows[index]
        assert isinstance(row, Row)
        np.testing.assert_allclose(row.layers, [[0.0, 0.95], [45.0, 0.95]])
    assert [
        str(outcome)
        for _, outcome in encode_waveform_sources(Steps(), Positive(), policy, sources[:1])
    ] == ["all zero"]
    assert LOADED == [(0, "accelerator")]


def test_an_encoder_is_loaded_once_until_another_is() -> None:
    one = load_encoder(Steps(), "cpu")
    assert load_encoder(Steps(), "cpu") is one
    assert load_encoder(Steps(loads=1), "cpu") is not one
    load_encoder(Steps(), "cpu")
    assert LOADED == [(0, "cpu"), (1, "cpu"), (0, "cpu")]


def test_an_encoder_that_cannot_be_loaded_is_named_with_the_cause() -> None:
    class Torn(Steps):
        name = "torn"

        def load(self, device: str) -> Any:
            raise FileNotFoundError("weights.bin")

    with pytest.raises(
        PluginError, match=r"'torn' cannot be loaded on 'cpu': FileNotFoundError: weights\.bin"
    ):
        load_encoder(Torn(), "cpu")


def test_what_loading_raises_deliberately_stays_what_it_is() -> None:
    class Lacking(Steps):
        def load(self, device: str) -> Any:
            raise DependencyError("pip install torch")

    with pytest.raises(DependencyError, match="pip install torch"):
        load_encoder(Lacking(), "cpu")


def test_an_encoder_of_notes_must_return_frames() -> None:
    class Empty(ScoreEncoder):
        name = "empty"

        def encode(self, clip: Clip) -> Any:
            return None

    with pytest.raises(EncodingError, match="'empty' returned NoneType; expected Frames"):
        encode_notes(Empty(), Sum(), SOURCE)


def notes_encoder(outcome: Any) -> ScoreEncoder:
    class Notes(ScoreEncoder):
        name = "notes"

        def encode(self, clip: Clip) -> Frames:
            if isinstance(outcome, Exception):
                raise outcome
            return Frames(outcome, np.arange(outcome.shape[1]) / 2, {})

    return Notes()


SOURCE = NoteSource(Clip("a"), "k")


def test_notes_are_pooled_with_their_times() -> None:
    done = encode_notes(notes_encoder(np.ones((1, 3, 2))), Sum(), SOURCE)
    np.testing.assert_array_equal(done.layers, [[3.0, 3.0, 1.0]])


def test_errors_of_the_input_pass_and_others_name_the_encoder() -> None:
    with pytest.raises(MidiError, match="no note"):
        encode_notes(notes_encoder(MidiError("no note")), Sum(), SOURCE)
    with pytest.raises(EncodingError, match="'notes' failed: ZeroDivisionError: by zero"):
        encode_notes(notes_encoder(ZeroDivisionError("by zero")), Sum(), SOURCE)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((2, 3, 1)), "2 states; its layers = 0 promises 1"),
        (np.full((1, 3, 1), np.nan), "values that are not finite"),
    ],
)
def test_frames_that_break_the_contract_are_refused(values: np.ndarray, message: str) -> None:
    with pytest.raises(EncodingError, match=f"'notes' returned {message}"):
        encode_notes(notes_encoder(values), Sum(), SOURCE)
