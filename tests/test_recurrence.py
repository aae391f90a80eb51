from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianobench import Notes, read_notes
from pianobench.recurrence import (
    contained_takes,
    identical_groups,
    passages,
    shared_share,
)


def notes(
    onset: list[float],
    pitch: list[int],
    velocity: int | list[int] = 64,
    duration: float | list[float] = 0.5,
) -> Notes:
    starts = np.array(onset, dtype=np.float64)
    return Notes(
        onset=starts,
        offset=starts + duration,
        pitch=np.array(pitch, dtype=np.int64),
        velocity=np.broadcast_to(np.array(velocity, dtype=np.int64), starts.shape),
        control_time=np.zeros(0),
        control_number=np.zeros(0, dtype=np.int64),
        control_value=np.zeros(0, dtype=np.int64),
    )


def cut(whole: Notes, first: int, last: int, shift: float = 0.0) -> Notes:
    return notes(
        (whole.onset[first:last] + shift).tolist(),
        whole.pitch[first:last].tolist(),
        whole.velocity[first:last].tolist(),
        (whole.offset - whole.onset)[first:last].tolist(),
    )


@pytest.fixture
def take() -> Notes:
    rng = np.random.default_rng(1)
    return notes(
        np.cumsum(rng.uniform(0.1, 0.5, 200)).tolist(),
        rng.integers(40, 90, 200).tolist(),
        rng.integers(30, 100, 200).tolist(),
        rng.uniform(0.1, 1.0, 200).tolist(),
    )


scores = st.lists(
    st.tuples(st.integers(0, 40), st.integers(60, 66)), min_size=1, max_size=15, unique=True
)


def by_every_shift(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> float:
    """Share of the shorter's notes, by trying every shift one after the other."""
    there = set(b)
    best = max(sum((o + s, p) in there for o, p in a) for s in range(-50, 51))
    return best / min(len(a), len(b))


@given(scores, scores)
def test_the_shared_share_is_the_best_over_all_shifts(
    a: list[tuple[int, int]], b: list[tuple[int, int]]
) -> None:
    first, second = (notes([o / 96 for o, _ in s], [p for _, p in s]) for s in (a, b))
    assert shared_share(first, second) == by_every_shift(a, b)
    assert shared_share(first, second) == shared_share(second, first)


@given(scores, st.integers(-20, 400))
def test_music_shares_all_its_notes_with_itself_wherever_it_begins(
    a: list[tuple[int, int]], shift: int
) -> None:
    here = notes([o / 96 for o, _ in a], [p for _, p in a])
    there = notes([(o + shift) / 96 for o, _ in a], [p for _, p in a])
    assert shared_share(here, there) == 1.0


def test_a_note_doubled_in_two_tracks_counts_once() -> None:
    doubled = notes([0, 0, 1, 2], [60, 60, 62, 64])
    assert shared_share(doubled, notes([0, 1, 5], [60, 62, 72])) == pytest.approx(2 / 3)


def test_onsets_within_one_step_of_the_grid_are_the_same() -> None:
    straight = notes([0, 1, 2, 3], [60, 62, 64, 65])
    loose = notes([0, 1.004, 1.996, 3.004], [60, 62, 64, 65])
    assert shared_share(straight, loose) == 1.0
    assert shared_share(straight, loose, grid_per_quarter=480) < 1.0


def test_passages_join_through_others_but_not_across_works() -> None:
    tune = notes([0, 1, 2, 3, 4, 5, 6, 7], [60, 62, 64, 65, 67, 69, 71, 72])
    start, end = cut(tune, 0, 4), cut(tune, 4, 8)
    other = notes([0, 0.5, 1], [50, 40, 30])
    assert shared_share(start, end) == 0.0
    labels = passages([start, other, end, tune, tune], ["w", "w", "w", "w", "x"])
    assert labels.tolist() == [0, 1, 0, 0, 4]


def test_half_of_the_shorter_is_enough_to_join() -> None:
    a = notes([0, 1, 2, 3], [60, 62, 64, 65])
    b = notes([0, 1, 2, 3, 4], [60, 62, 50, 30, 90])
    assert passages([a, b], ["w", "w"]).tolist() == [0, 0]
    assert passages([a, b], ["w", "w"], share=0.51).tolist() == [0, 1]


def test_a_cut_of_a_take_is_contained_in_it_by_the_same_performer_only(take: Notes) -> None:
    part = cut(take, 50, 120, shift=-7.3)
    assert contained_takes([take, part], ["p", "p"]) == [(1, 0, 1.0)]
    assert contained_takes([part, take], ["p", "q"]) == []


def test_another_performance_of_the_same_notes_is_not_contained(take: Notes) -> None:
    rng = np.random.default_rng(2)
    again = notes(
        (take.onset * 1.05).tolist(),
        take.pitch.tolist(),
        (take.velocity + rng.integers(-3, 4, 200)).tolist(),
    )
    assert contained_takes([take, again], ["p", "p"]) == []


@pytest.mark.parametrize(("late_s", "found"), [(0.019, 1), (0.021, 0)])
def test_onsets_may_be_late_by_the_tolerance_under_one_shift(late_s: float, found: int) -> None:
    pitch = list(range(40, 80))
    onset = np.arange(40) * 0.5
    # Half of the notes are early and half late, so no shift brings them nearer than late_s.
    moved = onset + np.where(np.arange(40) % 2, late_s, -late_s) + 3
    takes = [notes(onset.tolist(), pitch), notes(moved.tolist(), pitch)]
    assert len(contained_takes(takes, ["p", "p"])) == found


@pytest.mark.parametrize(("wrong", "found"), [(5, 1), (6, 0)])
def test_one_note_in_twenty_may_be_missing(wrong: int, found: int, take: Notes) -> None:
    part = cut(take, 0, 100)
    velocity = part.velocity.copy()
    velocity[:wrong] = 1
    part = notes(part.onset.tolist(), part.pitch.tolist(), velocity.tolist())
    contained = contained_takes([take, part], ["p", "p"])
    assert len(contained) == found
    assert all(c.share == 0.95 for c in contained)


def test_identical_takes_are_grouped_wherever_they_begin(take: Notes) -> None:
    later = cut(take, 0, 200, shift=12.5)
    other = cut(take, 0, 199)
    assert identical_groups([other, take, other, later, later]) == [(0, 2), (1, 3, 4)]


@pytest.mark.parametrize(
    ("onset_s", "duration_s", "velocity", "pitch", "same"),
    [
        (0.0009, 0, 0, 0, True),
        (0.0011, 0, 0, 0, False),
        (0, 0.0009, 0, 0, True),
        (0, 0.0011, 0, 0, False),
        (0, 0, 1, 0, False),
        (0, 0, 0, 1, False),
    ],
)
def test_identity_allows_a_millisecond_and_no_other_note(
    onset_s: float, duration_s: float, velocity: int, pitch: int, same: bool, take: Notes
) -> None:
    change = np.arange(200) == 77
    changed = notes(
        (take.onset + onset_s * change).tolist(),
        (take.pitch + pitch * change).tolist(),
        (take.velocity + velocity * change).tolist(),
        (take.offset - take.onset + duration_s * change).tolist(),
    )
    assert bool(identical_groups([take, changed])) == same


@pytest.fixture(scope="module")
def clips() -> dict[str, Notes]:
    folder = Path(os.environ["PIANOBENCH_DATA"]) / "percepiano" / "virtuoso/data/all_2rounds"
    return {path.stem.strip(): read_notes(path) for path in sorted(folder.glob("*.mid"))}


def performer(clip: str) -> str:
    return clip.split("_")[-2]


@pytest.mark.data
def test_percepiano_holds_246_pairs_of_a_take_and_its_part(clips: dict[str, Notes]) -> None:
    human = [clip for clip in clips if not performer(clip).startswith("Score")]
    found = contained_takes([clips[c] for c in human], [performer(c) for c in human])
    pairs = [(human[c.shorter], human[c.longer]) for c in found]
    assert len(pairs) == 246
    bars = Counter(frozenset(clip.split("_")[-3] for clip in pair) for pair in pairs)
    assert bars == {frozenset({"8bars", "16bars"}): 246}


@pytest.mark.data
def test_percepiano_holds_28_groups_of_identical_clips(clips: dict[str, Notes]) -> None:
    groups = identical_groups(list(clips.values()))
    assert len(groups) == 28
    assert sum(map(len, groups)) == 64
    names = list(clips)
    machines = [g for g in groups if all(performer(names[i]).startswith("Score") for i in g)]
    assert len(machines) == 14
