"""The encoder of plain statistics: what it makes of a file, and what it is known for."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import spearmanr

from pianobench import Clip, EncodingError, Notes, write_notes
from pianobench.note_statistics import FEATURES, statistics
from pianobench_midistats import MidiStatistics

NAMES = [feature.name for feature in FEATURES]

# Melody C5 D5 E5 over C3, the last chord alone; the pedal goes down with the second chord.
TUNE = Notes(
    onset=np.array([1.0, 1.01, 1.5, 2.0]),
    offset=np.array([1.25, 2.0, 2.1, 3.0]),
    pitch=np.array([72, 48, 74, 76]),
    velocity=np.array([80, 50, 90, 70]),
    control_time=np.array([0.0, 0.5, 1.5, 2.25]),
    control_number=np.array([64, 67, 64, 64]),
    control_value=np.array([0, 100, 127, 0]),
)


def test_the_encoder_returns_one_frame_of_the_file_s_statistics(tmp_path):
    write_notes(tmp_path / "tune.mid", TUNE)
    frames = MidiStatistics().encode(Clip(id="tune", midi=tmp_path / "tune.mid"))
    assert frames.values.shape == (1, 1, 98)
    np.testing.assert_allclose(frames.values[0, 0], statistics(TUNE), rtol=0.01, atol=0.02)


def test_a_clip_without_midi_is_refused_by_name(tmp_path):
    with pytest.raises(EncodingError, match=r"clip 'radio' has none.*transcribe"):
        MidiStatistics().encode(Clip(id="radio", audio=tmp_path / "radio.wav"))


@cache
def _encoded(folder):
    from pianobench_percepiano import PercePiano

    corpus = PercePiano().load(folder).ordered()
    return corpus, np.stack([MidiStatistics().encode(clip).values[0, 0] for clip in corpus.clips])


@pytest.fixture
def percepiano(data_root):
    return _encoded(data_root / "percepiano")


@pytest.mark.data
@pytest.mark.slow
def test_statistics_of_human_takes_agree_with_what_raters_heard(percepiano):
    corpus, x = percepiano
    labels = {d.name: corpus.targets[:, i] for i, d in enumerate(corpus.dimensions)}

    def rank_correlation(label, feature):
        values = x[:, NAMES.index(feature)]
        return spearmanr(labels[label][corpus.human], values[corpus.human]).statistic

    assert rank_correlation("tempo", "note_rate") == pytest.approx(-0.75, abs=0.02)
    assert rank_correlation("dynamic_range", "velocity_std") == pytest.approx(0.51, abs=0.02)
    assert rank_correlation("dynamic_range", "note_rate") == pytest.approx(-0.08, abs=0.03)
    assert rank_correlation("timbre_loudness", "velocity_mean") == pytest.approx(0.54, abs=0.02)
    assert rank_correlation("mood_energy", "velocity_mean") == pytest.approx(0.59, abs=0.02)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("protocol", "head", "least"),
    [
        ("piece", "kernel-ridge", 0.45),
        ("excerpt", "kernel-ridge", 0.54),
        ("work", "kernel-ridge", 0.20),
        ("piece", "ridge", 0.35),
    ],
)
def test_the_baseline_reaches_what_it_is_known_for(percepiano, protocol, head, least):
    from pianobench.metrics import pooled_r2
    from pianobench.split import inner_groups, make_split
    from pianobench_kernel import KernelRidge
    from pianobench_ridge import Ridge

    corpus, x = percepiano
    model = {"kernel-ridge": KernelRidge(), "ridge": Ridge()}[head]
    split = make_split(corpus, protocol)
    groups = inner_groups(corpus, split)
    predicted = np.empty_like(corpus.targets)
    for fold in split.folds:
        weight = corpus.raters[fold.train] / corpus.raters[fold.train].mean()
        fitted = model.fit(x[fold.train], corpus.targets[fold.train], groups[fold.train], 0, weight)
        predicted[fold.test] = fitted.predict(x[fold.test])
    assert pooled_r2(corpus.targets, predicted).mean() >= least
