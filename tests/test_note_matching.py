"""Matching against what was done to a performance before it was matched."""

from __future__ import annotations

import numpy as np
import pytest

from pianobench import DataError
from pianobench.note_matching import match_notes

QUARTERS = np.arange(24) * 0.5
PITCH = 60 + np.array([0, 4, 7, 12, 11, 7, 5, 2] * 3)


def played(seed=0, slow=1.3):
    rng = np.random.default_rng(seed)
    return 2 + slow * QUARTERS + 0.02 * rng.normal(size=24)


def test_a_performance_at_another_tempo_is_matched_note_for_note():
    np.testing.assert_array_equal(match_notes(QUARTERS, PITCH, played(), PITCH), np.arange(24))


def test_a_note_left_out_and_a_wrong_note_have_no_partner():
    onset, pitch = np.delete(played(), 5), np.delete(PITCH, 5).copy()
    pitch[10] = 90
    matched = match_notes(QUARTERS, PITCH, onset, pitch)
    expected = np.delete(np.arange(24), 5)
    expected[10] = -1
    np.testing.assert_array_equal(matched, expected)


def test_no_score_note_is_matched_twice():
    onset = np.sort(np.concatenate([played(), played() + 0.2]))
    pitch = np.repeat(PITCH, 2)
    matched = match_notes(QUARTERS, PITCH, onset, pitch)
    found = matched[matched >= 0]
    assert len(found) == len(set(found.tolist()))
    np.testing.assert_array_equal(PITCH[found], pitch[matched >= 0])


@pytest.mark.parametrize("onset", [np.array([1.0]), np.array([1.0, 1.0, 1.0])])
def test_notes_at_one_time_cannot_be_matched(onset):
    pitch = np.full(len(onset), 60)
    with pytest.raises(DataError, match=rf"performance holds {len(onset)} note.*two times"):
        match_notes(QUARTERS, PITCH, onset, pitch)
    with pytest.raises(DataError, match="score holds"):
        match_notes(onset, pitch, QUARTERS, PITCH)


def test_a_performance_without_a_pitch_of_the_score_matches_nowhere():
    assert (match_notes(QUARTERS, PITCH, played(), PITCH + 37) == -1).all()
