"""Log-mel spectrogram, its rises and its attacks: the baseline every learned encoder should beat.

Nothing is learned, and levels are never normalised, since loudness is a label. The mel scale is
2595 log10(1 + f / 700 Hz), its filters are triangles of height 1 that overlap by half. Levels are
in dB against a full-scale sine. A *rise* is how much higher a band is than some frames before, 0
where it is not higher: it shows onsets, how dense and how strong they are. The *attacks* weight
every frame's spectrum by its share in the rises of the clip, so that their mean is the spectrum of
the clearest onsets, where a key's velocity shows best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NegativeFloat, PositiveInt, model_validator

from pianobench import AudioEncoder, Component, hookimpl

__all__ = ["LogMel", "attack_weights", "hz_to_mel", "mel_filters", "mel_to_hz", "rises"]

Floats = NDArray[np.floating[Any]]

_FRAMES_AT_ONCE = 1024  # an hour of audio is 180,000 frames: 1.4 GB as windows


class LogMel(AudioEncoder):
    """Log-mel bands, 50 frames a second, with their rises over 20, 80 and 320 ms and attacks.

    One state, of width `bands` times two plus the number of `lags`: the levels of all bands from
    low to high, then their rises, lag by lag, then the attacks.

    References
    ----------
    Stevens, Volkmann, Newman: A scale for the measurement of the psychological magnitude pitch.
    JASA 8(3), 1937. https://doi.org/10.1121/1.1915893

    Bello et al.: A tutorial on onset detection in music signals. IEEE Transactions on Speech and
    Audio Processing 13(5), 2005. https://doi.org/10.1109/TSA.2005.851998
    """

    name = "mel"
    licence = "MIT"
    citation = "Stevens, Volkmann, Newman 1937, doi:10.1121/1.1915893"
    sample_rate = 24_000
    backend = "numpy"
    layers = 0
    pretraining = "none; its lags and its attack power were chosen on PercePiano, protocol piece"
    overlaps = ("percepiano",)
    chunk_s = None
    default_pooling = "mean+std+max"
    default_head = "ridge"

    bands: PositiveInt = 64
    """Number of mel bands."""
    window: int = Field(2048, ge=16)
    """Samples in the periodic Hann window and in the transform (85 ms)."""
    hop: PositiveInt = 480
    """Samples from one frame to the next (20 ms)."""
    low_hz: float = Field(30.0, ge=0)
    """Lower edge of the lowest band; the lowest note of a piano is 27.5 Hz."""
    high_hz: float = Field(11_000.0, le=12_000)
    """Upper edge of the highest band."""
    floor_db: NegativeFloat = -100.0
    """Lower levels are raised to this one: silence is finite."""
    lags: tuple[PositiveInt, ...] = (1, 4, 16)
    """Frames over which rises are measured."""
    attack_lag: PositiveInt = 4
    """Frames over which the rises are measured that weight the attacks."""
    attack_power: float = Field(6.0, ge=0, le=20)
    """Power of the mean rise in the weight of a frame; 0 weights all frames alike."""

    @model_validator(mode="after")
    def _each_band_holds_a_frequency(self) -> Self:
        if self.hop > self.window:
            raise ValueError(f"a hop of {self.hop} skips samples of a window of {self.window}")
        if not self.low_hz < self.high_hz:
            raise ValueError(f"low_hz {self.low_hz} is not below high_hz {self.high_hz}")
        if (self._filters().max(axis=0) == 0).any():
            raise ValueError(
                f"a window of {self.window} is too short for {self.bands} bands from "
                f"{self.low_hz} Hz: some hold no frequency. Lengthen it or take fewer bands"
            )
        return self

    def load(self, device: str) -> Callable[[Any], list[Floats]]:  # noqa: ARG002 - numpy only
        """Prepare the window and the filters; the result turns waveforms into one state."""
        import scipy.sparse

        window = np.hanning(self.window + 1)[:-1].astype(np.float32)
        # Sparse: a dense product's last bits depend on how many threads take part in it.
        filters = scipy.sparse.csr_array(self._filters().T)

        def encode(waveform: NDArray[np.float32]) -> Floats:
            level = self._levels(waveform, window, filters)
            rise = [rises(level, lag) for lag in self.lags]
            weight = attack_weights(rises(level, self.attack_lag), self.attack_power)
            return np.concatenate([level, *rise, (level - self.floor_db) * weight], axis=1)

        return lambda waveforms: [np.stack([encode(waveform) for waveform in waveforms])]

    def _filters(self) -> NDArray[np.float32]:
        filters = mel_filters(self.window, self.sample_rate, self.bands, self.low_hz, self.high_hz)
        return filters.astype(np.float32)

    def _levels(
        self,
        waveform: NDArray[np.float32],
        window: NDArray[np.float32],
        filters: Any,
    ) -> Floats:
        """Level of every band in dB, shape (frames, bands), for filters (bands, frequencies)."""
        import scipy.fft

        frames = self._frames(waveform)
        full_scale = float(window.sum() / 2) ** 2
        power = np.empty((len(frames), self.bands), dtype=np.float32)
        for start in range(0, len(frames), _FRAMES_AT_ONCE):
            part = slice(start, start + _FRAMES_AT_ONCE)
            spectrum = scipy.fft.rfft(frames[part] * window)
            power[part] = (filters @ (spectrum.real**2 + spectrum.imag**2).T).T
        level = 10 * np.log10(np.maximum(power / full_scale, np.finfo(np.float32).tiny))
        floored: Floats = np.maximum(level, np.float32(self.floor_db))
        return floored

    def _frames(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """View as windows, shape (frames, window): the i-th is centred on sample (i + 1/2) hop."""
        count = -(-len(waveform) // self.hop)
        before = (self.window - self.hop) // 2
        after = (count - 1) * self.hop + self.window - before - len(waveform)
        padded = np.pad(waveform, (before, after))
        return np.lib.stride_tricks.sliding_window_view(padded, self.window)[:: self.hop]


def hz_to_mel(hz: Floats) -> Floats:
    """Mel of a frequency: 2595 log10(1 + f / 700 Hz), so that 1000 Hz is 1000 mel."""
    mel: Floats = 2595 * np.log10(1 + hz / 700)
    return mel


def mel_to_hz(mel: Floats) -> Floats:
    """Frequency of a mel."""
    hz: Floats = 700 * (10 ** (mel / 2595) - 1)
    return hz


def mel_filters(window: int, sample_rate: int, bands: int, low_hz: float, high_hz: float) -> Floats:
    """Triangular filters, equally spaced in mel, of height 1.

    Parameters
    ----------
    window : int
        Length of the transform in samples.
    sample_rate : int
        Hz.
    bands : int
    low_hz, high_hz : float
        Where the first filter begins and the last one ends.

    Returns
    -------
    array, shape (window // 2 + 1, bands)
    """
    hz = np.arange(window // 2 + 1) * sample_rate / window
    ends = hz_to_mel(np.array([low_hz, high_hz]))
    edges = mel_to_hz(np.linspace(ends[0], ends[1], bands + 2))
    up = (hz[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    down = (edges[2:] - hz[:, None]) / np.diff(edges)[1:]
    filters: Floats = np.maximum(0, np.minimum(up, down))
    return filters


def rises(level: Floats, lag: int) -> Floats:
    """How much higher each band is than `lag` frames before; 0 where lower.

    Parameters
    ----------
    level : array, shape (frames, bands)
        In dB.
    lag : int
        The first frames are compared with the very first.

    Returns
    -------
    array, shape (frames, bands)
    """
    before = np.concatenate([np.repeat(level[:1], lag, axis=0), level])[: len(level)]
    rise: Floats = np.maximum(level - before, 0)
    return rise


def attack_weights(rise: Floats, power: float) -> Floats:
    """Weight of every frame: a power of its mean rise, scaled to a mean of 1 over the clip.

    Parameters
    ----------
    rise : array, shape (frames, bands)
        In dB.
    power : float

    Returns
    -------
    array, shape (frames, 1)
        All 1 where nothing rises.
    """
    weight: Floats = rise.mean(axis=1, keepdims=True, dtype=np.float64) ** power
    total = weight.mean()
    return (weight / total if total > 0 else np.ones_like(weight)).astype(rise.dtype)


@hookimpl
def bench_components() -> Iterable[type[Component]]:
    """Return the encoder."""
    return [LogMel]
