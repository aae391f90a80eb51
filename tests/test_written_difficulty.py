"""Proxies of difficulty, on scores whose numbers can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pianobench import Notes, write_notes
from pianobench.written_difficulty import (
    PROXIES,
    note_density,
    note_span,
    pitch_entropy,
    written_difficulty,
)


def written(onset: list[float], pitch: list[int]) -> Notes:
    start, none = np.array(onset), np.zeros(0, dtype=np.int64)
    loud = np.full(len(pitch), 64)
    return Notes(start, start + 0.5, np.array(pitch), loud, start[:0], none, none)


def test_each_measure_is_what_can_be_counted() -> None:
    notes = written([0, 0, 0.5, 1, 1.5, 3.5], [48, 60, 64, 60, 72, 60])
    assert note_density(notes) == pytest.approx(6 / 4)
    # Quarters 0, 1 and 3 have notes: 64 - 48, 72 - 60 and 0.
    assert note_span(notes) == pytest.approx((16 + 12 + 0) / 3)
    share = np.array([1, 3, 1, 1]) / 6
    assert pitch_entropy(notes) == pytest.approx(-(share * np.log2(share)).sum())


def test_one_note_is_as_easy_as_can_be() -> None:
    notes = written([0], [60])
    assert (note_span(notes), pitch_entropy(notes)) == (0, 0)


def test_the_default_is_the_mean_rank_and_knows_no_tempo(tmp_path: Path) -> None:
    pieces = [
        written([0, 1, 2, 3], [60, 60, 60, 60]),
        written([0, 0, 1, 2, 2], [60, 64, 62, 60, 67]),
        written([0, 0, 0.5, 0.5, 1], [40, 80, 45, 82, 61]),
    ]
    scores = []
    for number, piece in enumerate(pieces):
        scores.append(tmp_path / f"{number}.mid")
        write_notes(scores[-1], piece)
    assert next(iter(PROXIES)) == "written"
    np.testing.assert_allclose(written_difficulty(scores, "written"), np.array([1, 2, 3]) / 3)
    # Pieces are ranked, so that one of many takes weighs no more than another.
    takes, of_take = [*scores, *scores[2:] * 5], np.array([0, 1, 2, 2, 2, 2, 2, 2])
    np.testing.assert_allclose(
        written_difficulty(takes, "written", of_take), np.array([1, 2, 3]) / 3
    )
    # Two scores of one piece are averaged before they are ranked.
    both, density = (
        written_difficulty(scores, "density", of) for of in (np.array([0, 1, 1]), np.arange(3))
    )
    np.testing.assert_allclose(both, [density[0], density[1:].mean()])
    # Files of 120 beats a minute: two quarter notes a second.
    rate, density = (written_difficulty(scores, proxy) for proxy in ("note-rate", "density"))
    np.testing.assert_allclose(rate, 2 * density, rtol=1e-3)
