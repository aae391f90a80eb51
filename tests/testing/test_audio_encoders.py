import numpy as np
import pytest

from pianobench import AudioEncoder, DependencyError
from pianobench.errors import CheckpointAbsentError
from pianobench.testing import Check, check_component


class GoodEncoder(AudioEncoder):
    """Root mean square and peak of windows of 100 samples, and their squares as layer 1."""

    name = "good-encoder"
    sample_rate = 8_000
    layers = 1
    backend = "numpy"
    minimum_samples = 100

    def load(self, device):
        return self.encode

    def encode(self, waveforms):
        frames = waveforms.shape[1] // 100
        windows = waveforms[:, : frames * 100].reshape(len(waveforms), frames, 100)
        state = np.stack([np.sqrt((windows**2).mean(2)), np.abs(windows).max(2)], axis=2)
        return [state, state**2]


class TorchEncoder(GoodEncoder):
    """The same, in torch."""

    backend = "torch"

    def load(self, device):
        torch = pytest.importorskip("torch", reason="torch is not installed")
        return lambda waveforms: [torch.from_numpy(s) for s in self.encode(waveforms.numpy())]


class ShortEncoder(GoodEncoder):
    """Promises more layers than it has."""

    layers = 3


class ChunkedEncoder(GoodEncoder):
    """Takes chunks that it is too short for."""

    chunk_s = 0.01


class DroppingEncoder(GoodEncoder):
    """Forgot to switch dropout off."""

    def encode(self, waveforms):
        keep = np.random.default_rng().random(2) + 0.5
        return [s * keep for s in super().encode(waveforms)]


class UntrainedEncoder(GoodEncoder):
    """Leaves a weight at random."""

    def load(self, device):
        weight = np.random.default_rng().normal()
        return lambda waveforms: [weight * s for s in self.encode(waveforms)]


class BatchEncoder(GoodEncoder):
    """Centres over the batch."""

    def encode(self, waveforms):
        return [s - s.mean(axis=0) / 2 for s in super().encode(waveforms)]


class MutatingEncoder(GoodEncoder):
    """Standardises in place."""

    def encode(self, waveforms):
        waveforms -= waveforms.mean(axis=1, keepdims=True)
        return super().encode(waveforms)


class LogEncoder(GoodEncoder):
    """Takes the logarithm of silence."""

    def encode(self, waveforms):
        with np.errstate(divide="ignore"):
            return [np.log(s) for s in super().encode(waveforms)]


class HungryEncoder(GoodEncoder):
    """Takes one sample and makes no frame of it."""

    minimum_samples = 1


class NanHidingEncoder(GoodEncoder):
    """Replaces what is not a number."""

    def encode(self, waveforms):
        return super().encode(np.nan_to_num(waveforms))


class FramedEncoder(GoodEncoder):
    """States the hop and the rate that it has."""

    hop_samples = 100

    def load(self, device):
        def encode(waveforms):
            return self.encode(waveforms)

        encode.frame_rate_hz = self.rate_hz
        return encode

    rate_hz: float = 80.0
    """Frames a second, as it says."""


class HoppingEncoder(FramedEncoder):
    """States half of the hop that it has."""

    hop_samples = 50


class UncuttableEncoder(GoodEncoder):
    """Takes chunks that are no whole number of frames."""

    hop_samples = 100
    chunk_s = 0.9951


class AbsentEncoder(GoodEncoder):
    """Needs a library that is not there."""

    def load(self, device):
        raise DependencyError("install it")


class UnreachableEncoder(GoodEncoder):
    """Its weights cannot be downloaded."""

    def load(self, device):
        raise CheckpointAbsentError("connect")


FAULTS = {
    ShortEncoder: {"gives every state"},
    ChunkedEncoder: {"states its facts"},
    DroppingEncoder: {
        "gives the same every time",
        "gives the same when loaded again",
        "encodes each waveform on its own",
    },
    UntrainedEncoder: {"gives the same when loaded again"},
    BatchEncoder: {"encodes each waveform on its own"},
    MutatingEncoder: {"leaves the waveforms alone"},
    LogEncoder: {"bears silence", "bears a click"},
    HungryEncoder: {"encodes the shortest waveform"},
    NanHidingEncoder: {"does not hide nan"},
    HoppingEncoder: {"keeps its frame rate"},
    UncuttableEncoder: {"states its facts"},
}


@pytest.mark.parametrize("good", [GoodEncoder, TorchEncoder, FramedEncoder])
def test_an_audio_encoder_that_keeps_its_contract_fails_no_check(failed, good):
    assert failed(good()) == set()


@pytest.mark.parametrize("faulty", FAULTS)
def test_an_audio_encoder_that_breaks_it_fails_the_checks_of_what_it_breaks(failed, faulty):
    assert failed(faulty()) == FAULTS[faulty]


@pytest.mark.parametrize("rate_hz", [40.0, 77.0, 160.0])
def test_a_frame_rate_that_is_not_measured_is_a_fault(failed, rate_hz):
    assert failed(FramedEncoder(rate_hz=rate_hz)) == {"keeps its frame rate"}


def test_what_is_not_installed_is_not_run_with_its_reason():
    checks = {c.name: c for c in check_component(AbsentEncoder())}
    assert checks["gives every state"] == Check("gives every state", None, "install it")
    assert checks["does not hide nan"] == Check("does not hide nan", None, "install it")
    assert checks["says what it is"].passed


def test_weights_that_cannot_be_reached_are_not_a_fault_of_the_encoder():
    checks = {c.name: c for c in check_component(UnreachableEncoder())}
    assert checks["gives every state"] == Check("gives every state", None, "connect")


def test_checks_that_build_on_one_that_failed_are_not_run():
    checks = {c.name: c for c in check_component(ShortEncoder())}
    assert str(checks["bears a click"]) == "bears a click: not run. 'gives every state' failed."
