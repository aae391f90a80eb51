"""The statistics against values worked out by hand, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pianobench import Notes
from pianobench.note_statistics import FEATURES, statistics

NAMES = [feature.name for feature in FEATURES]


def notes(rows, controls=()):
    """Rows of (onset, offset, pitch, velocity) and of (time, controller, value)."""
    onset, offset, pitch, velocity = np.array(rows, dtype=float).reshape(-1, 4).T
    time, number, value = np.array(controls, dtype=float).reshape(-1, 3).T
    return Notes(
        onset=onset,
        offset=offset,
        pitch=pitch.astype(np.int64),
        velocity=velocity.astype(np.int64),
        control_time=time,
        control_number=number.astype(np.int64),
        control_value=value.astype(np.int64),
    )


def measured(rows, controls=()):
    return dict(zip(NAMES, statistics(notes(rows, controls)), strict=True))


# Melody C5 D5 E5 over C3, the last chord alone; the pedal goes down with the second chord.
TUNE = [
    (1.000, 1.250, 72, 80),
    (1.010, 2.000, 48, 50),
    (1.500, 2.100, 74, 90),
    (2.000, 3.000, 76, 70),
]
PEDAL = [(0.0, 64, 0), (1.5, 64, 127), (2.25, 64, 0), (0.5, 67, 100)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("velocity_mean", 72.5),
        ("velocity_std", np.std([80, 50, 90, 70])),
        ("velocity_melody_mean", 80),
        ("velocity_bass_mean", (50 + 90 + 70) / 3),
        ("velocity_tenor", 50),
        ("velocity_high", 80),
        ("velocity_low", 72.5),
        ("velocity_by_octave", 12 * np.polyfit([72, 48, 74, 76], [80, 50, 90, 70], 1)[0]),
        ("velocity_by_time", 2 * np.polyfit([1, 1.5, 2], [65, 90, 70], 1)[0]),
        ("velocity_step", (25 + 20) / 2),
        ("chord_lead", 30),
        ("phrase_velocity_range", 0),
        ("accent_std", np.std([65, 90, 70])),
        ("length", 1),
        ("note_rate", 2),
        ("chord_rate", 1.5),
        ("ioi_mean", -1),
        ("ioi_std", 0),
        ("tempo_std", 0),
        ("tempo_with_loudness", 0),
        ("duration_mean", np.log2([0.25, 0.99, 0.6, 1]).mean()),
        ("articulation_mean", np.log2([0.5, 1.98, 1.2]).mean()),
        ("articulation_bass", np.log2([1.98, 1.2]).mean()),
        ("staccato", 0),
        ("legato", 2 / 3),
        ("melody_overlap", (-0.25 + 0.1) / 2),
        ("chord_size", 4 / 3),
        ("single_notes", 2 / 3),
        ("chord_spread_mean", 0.01),
        ("melody_lead_mean", 0.01),
        ("melody_interval", 2),
        ("pitch_range", 28),
        # The pedal holds the C3, released at 2.0, and the D5, released at 2.1, until 2.25.
        ("sounding_mean", np.log2([0.25, 1.24, 0.75, 1]).mean()),
        ("polyphony_keys", (0.25 + 0.99 + 0.6 + 1) / 2),
        ("polyphony_sounding", (0.25 + 1.24 + 0.75 + 1) / 2),
        ("pedal_prolongation", np.log(3.24 / 2.84)),
        ("sounding_notes_mean", (2 + 2 + 3) / 3),
        ("silence", 0),
        ("melody_blur", (0 + 0.25) / 2),
        ("pedal_mean", 127 * 0.75 / 2),
        ("pedal_down", 0.75 / 2),
        ("pedal_half", 0),
        ("pedal_floored", 0.75 / 2),
        ("pedal_speed", 127),
        ("pedal_changes", 0.5),
        ("pedal_press_mean", np.log2(0.75)),
        ("pedal_gap_mean", np.log2([0.5, 0.75]).mean()),
        ("pedalled_onsets", 2 / 3),
        ("pedal_at_offset", 127 * 2 / 4),
        ("pedal_press_lag_mean", 0),
        ("pedal_release_lag_mean", 0.25),
        ("soft_mean", 100),
        ("soft_down", 1),
    ],
)
def test_a_tune_measures_what_one_works_out_by_hand(name, value):
    assert measured(TUNE, PEDAL)[name] == pytest.approx(value, abs=1e-5)


def test_a_slowing_scale_has_a_ritardando_and_a_falling_tempo():
    onsets = np.cumsum([0, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.4, 0.8])
    scale = [(t, t + 0.1, 60 + i, 64) for i, t in enumerate(onsets)]
    values = measured(scale)
    assert values["ritardando"] == pytest.approx(np.log(0.6 / 0.2), abs=1e-5)
    assert values["opening"] == pytest.approx(0, abs=1e-5)
    assert values["tempo_by_time"] < 0
    assert values["unevenness"] == pytest.approx(0, abs=1e-5)
    assert values["ioi_ratio"] == pytest.approx(2 * np.log(2) / 7, abs=1e-5)


def test_silence_is_the_share_of_time_in_which_nothing_sounds():
    broken = [(0, 0.5, 60, 64), (1.0, 2.0, 62, 64)]
    assert measured(broken)["silence"] == pytest.approx(0.25)
    assert measured(broken, [(0.2, 64, 127), (0.9, 64, 0)])["silence"] == pytest.approx(0.05)


def test_there_are_98_features_and_each_has_its_own_name_a_unit_and_a_meaning():
    assert len(FEATURES) == 98
    assert len(set(NAMES)) == 98
    assert all(feature.unit and feature.meaning for feature in FEATURES)


@pytest.mark.parametrize(
    ("rows", "controls"),
    [
        pytest.param([(3.0, 3.5, 60, 64)], [], id="one note"),
        pytest.param([(3.0, 3.0, 60, 64)], [(1.0, 64, 127)], id="one note of no length"),
        pytest.param([(1.0, 2.0, p, 64) for p in (48, 60, 64)], [], id="one chord"),
        pytest.param([(1.0, 2.0, 60, 64)] * 5, [], id="the same note five times"),
        pytest.param([(0.0, 1.0, 60, 64), (5.0, 6.0, 60, 64)], [(0.0, 64, 127)], id="always down"),
        pytest.param(TUNE, [(9.0, 64, 127)], id="pedal after the end"),
        pytest.param(TUNE, [(1.2, 64, v) for v in (0, 127, 0)], id="pedal all at once"),
    ],
)
def test_clips_with_next_to_nothing_in_them_have_finite_statistics(rows, controls):
    assert np.isfinite(list(measured(rows, controls).values())).all()


def test_a_clip_without_pedal_messages_has_its_pedals_up():
    values = measured(TUNE)
    assert values["pedal_mean"] == values["pedal_down"] == values["soft_mean"] == 0
    assert values["pedal_prolongation"] == 0


# On a grid of 1/1024 s, sums and differences of times are exact.
_TICK = st.integers(0, 8192).map(lambda t: t / 1024)
_ROW = st.tuples(_TICK, _TICK, st.integers(21, 108), st.integers(1, 127)).map(
    lambda row: (row[0], row[0] + row[1], *row[2:])
)
_ROWS = st.lists(_ROW, min_size=1, max_size=30)
_CONTROLS = st.lists(
    st.tuples(_TICK, st.sampled_from([64, 67]), st.integers(0, 127)), max_size=20
).map(sorted)


@settings(deadline=None)
@given(rows=_ROWS, controls=_CONTROLS, shift=st.integers(0, 100))
def test_the_place_in_time_does_not_matter(rows, controls, shift):
    moved = [(on + shift, off + shift, *rest) for on, off, *rest in rows]
    later = [(time + shift, *rest) for time, *rest in controls]
    np.testing.assert_allclose(
        statistics(notes(moved, later)), statistics(notes(rows, controls)), atol=2e-5
    )


@settings(deadline=None)
@given(rows=_ROWS, controls=_CONTROLS, seed=st.integers(0, 99))
def test_the_order_of_the_notes_does_not_matter(rows, controls, seed):
    shuffled = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
    values = statistics(notes(rows, controls))
    np.testing.assert_array_equal(statistics(notes(shuffled, controls)), values)
    assert np.isfinite(values).all()


@settings(deadline=None)
@given(rows=_ROWS)
def test_shares_lie_between_zero_and_one_and_spreads_are_not_negative(rows):
    values = measured(rows)
    for name in ("staccato", "legato", "silence", "single_notes", "pedal_down"):
        assert 0 <= values[name] <= 1
    assert all(value >= 0 for name, value in values.items() if name.endswith("_std"))


def test_half_the_tempo_doubles_the_intervals_and_leaves_articulation_and_loudness():
    slow = [(2 * on, 2 * off, *rest) for on, off, *rest in TUNE]
    fast, half = measured(TUNE), measured(slow)
    assert half["ioi_mean"] == pytest.approx(fast["ioi_mean"] + 1)
    assert half["note_rate"] == pytest.approx(fast["note_rate"] / 2)
    assert half["articulation_mean"] == pytest.approx(fast["articulation_mean"], abs=1e-4)
    assert half["velocity_mean"] == fast["velocity_mean"]
