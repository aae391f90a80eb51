from __future__ import annotations

import numpy as np
import pytest

from pianobench import read_notes
from pianobench.probes import probe_midi, probe_notes


def test_the_notes_have_chords_dynamics_and_half_pedal() -> None:
    notes = probe_notes()
    assert len(notes) == 32
    assert np.all(notes.offset > notes.onset)
    assert len(set(notes.velocity.tolist())) > 16
    assert set(notes.control(64)[1].tolist()) == {127, 0, 80, 30}


def test_fewer_chords_are_the_first_of_them() -> None:
    few, all_notes = probe_notes(4), probe_notes()
    assert len(few) == 8
    np.testing.assert_array_equal(few.onset, all_notes.onset[:8])
    np.testing.assert_array_equal(few.pitch, all_notes.pitch[:8])
    np.testing.assert_array_equal(few.control(64)[1], all_notes.control(64)[1][:4])


def test_the_file_holds_the_notes_and_is_gone_afterwards() -> None:
    with probe_midi(4) as midi:
        read = read_notes(midi)
    assert sorted(read.pitch.tolist()) == sorted(probe_notes(4).pitch.tolist())
    assert np.sort(read.onset) == pytest.approx(np.sort(probe_notes(4).onset), abs=1e-3)
    assert not midi.exists()
