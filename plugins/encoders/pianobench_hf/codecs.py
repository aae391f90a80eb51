"""Neural codecs: what their encoder says before it is rounded to codes."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, ClassVar

from .family import Facts, Family

__all__ = ["Dac", "Encodec", "Mimi"]


class Encodec(Family):
    """EnCodec: convolutions and an LSTM; one state."""

    models: ClassVar[Mapping[str, str]] = {"encodec": "EncodecModel"}
    extractor_class = "EncodecFeatureExtractor"
    unused = ("decoder", "quantizer")

    @property
    def facts(self) -> Facts:
        """The model for stereo takes a second at a time."""
        rate = self.extractor.sampling_rate
        chunk_s = self.config.chunk_length_s
        return Facts(
            layers=0,
            sample_rate=rate,
            hop_samples=prod(self.config.upsampling_ratios),
            longest_samples=None if chunk_s is None else round(chunk_s * rate),
        )

    def states(self, model: Any, waveforms: Any) -> list[Any]:
        """Both channels of a stereo model hear the same."""
        self.require_short(waveforms)
        if self.config.normalize:
            waveforms = waveforms / (waveforms.square().mean(-1, keepdim=True).sqrt() + 1e-8)
        channels = waveforms[:, None].expand(-1, self.config.audio_channels, -1)
        return [model.encoder(channels).transpose(1, 2)]


class Dac(Family):
    """The Descript audio codec: convolutions; one state."""

    models: ClassVar[Mapping[str, str]] = {"dac": "DacModel"}
    extractor_class = "DacFeatureExtractor"
    unused = ("decoder", "quantizer")

    @property
    def facts(self) -> Facts:
        """Frames are as far apart as the strides multiply to."""
        hop = prod(self.config.downsampling_ratios)
        return Facts(
            layers=0, sample_rate=self.extractor.sampling_rate, hop_samples=hop, minimum_samples=hop
        )

    def states(self, model: Any, waveforms: Any) -> list[Any]:
        """Take the output of the convolutions."""
        return [model.encoder(waveforms[:, None]).transpose(1, 2)]


class Mimi(Family):
    """Mimi: convolutions, a causal transformer, and every second frame kept; one state."""

    models: ClassVar[Mapping[str, str]] = {"mimi": "MimiModel"}
    extractor_class = "EncodecFeatureExtractor"
    unused = ("decoder", "decoder_transformer", "upsample", "quantizer")

    @property
    def facts(self) -> Facts:
        """The configuration states the rate of its frames."""
        rate = self.extractor.sampling_rate
        return Facts(layers=0, sample_rate=rate, hop_samples=round(rate / self.config.frame_rate))

    def states(self, model: Any, waveforms: Any) -> list[Any]:
        """Take what would be quantised."""
        encoded = model.encoder(waveforms[:, None])
        if hasattr(encoded, "latents"):
            return [encoded.latents.transpose(1, 2)]
        # In older versions the three steps are parts of the whole model.
        frames = model.encoder_transformer(encoded.transpose(1, 2))[0]
        return [model.downsample(frames.transpose(1, 2)).transpose(1, 2)]
