import numpy as np
import pytest

from pianobench import Renderer, read_notes


class GoodRenderer(Renderer):
    """One decaying sine per note."""

    name = "good-renderer"
    gain: float = 0.02
    """Amplitude at full velocity."""

    def render(self, midi, sample_rate):
        notes = read_notes(midi)
        samples = np.zeros(int((notes.offset.max() + 2) * sample_rate))
        for onset, pitch, velocity in zip(notes.onset, notes.pitch, notes.velocity, strict=True):
            start = round(onset * sample_rate)
            t = np.arange(sample_rate) / sample_rate
            tone = np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t) * np.exp(-4 * t)
            samples[start : start + sample_rate] += self.gain * velocity / 127 * tone
        return samples.astype(np.float32)


class StereoRenderer(GoodRenderer):
    """Two channels."""

    def render(self, midi, sample_rate):
        return np.stack([super().render(midi, sample_rate)] * 2)


class ClippingRenderer(GoodRenderer):
    """Too loud."""

    gain: float = 5.0
    """Amplitude at full velocity."""


class SilentRenderer(GoodRenderer):
    """Found no instrument."""

    def render(self, midi, sample_rate):
        return np.zeros_like(super().render(midi, sample_rate))


class VersionedRenderer(GoodRenderer):
    """Has another version whenever it is asked."""

    def version(self):
        return str(np.random.default_rng().random())


class NoisyRenderer(GoodRenderer):
    """Dithers without a seed."""

    def render(self, midi, sample_rate):
        samples = super().render(midi, sample_rate)
        noise = 1e-7 * np.random.default_rng().normal(size=len(samples))
        return samples + noise.astype(np.float32)


class CroppingRenderer(GoodRenderer):
    """Begins at the first note."""

    def render(self, midi, sample_rate):
        return super().render(midi, sample_rate)[sample_rate // 2 :]


class FixedRateRenderer(GoodRenderer):
    """Knows but one sample rate."""

    def render(self, midi, sample_rate):
        return super().render(midi, 24_000)


class NormalisingRenderer(GoodRenderer):
    """Brings every clip to full scale."""

    def render(self, midi, sample_rate):
        samples = super().render(midi, sample_rate)
        return samples / np.abs(samples).max()


FAULTS = {
    StereoRenderer: {"renders mono float32"},
    ClippingRenderer: {"renders mono float32"},
    SilentRenderer: {"renders mono float32"},
    VersionedRenderer: {"tells its version"},
    NoisyRenderer: {"renders the same every time"},
    CroppingRenderer: {"starts at time zero"},
    FixedRateRenderer: {"keeps time at other rates"},
    NormalisingRenderer: {"keeps loudness"},
}


def test_a_renderer_that_keeps_its_contract_fails_no_check(failed):
    assert failed(GoodRenderer()) == set()


@pytest.mark.parametrize("faulty", FAULTS)
def test_a_renderer_that_breaks_it_fails_the_checks_of_what_it_breaks(failed, faulty):
    assert failed(faulty()) == FAULTS[faulty]
