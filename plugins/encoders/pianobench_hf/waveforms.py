"""Models on the waveform: wav2vec 2.0 and its relatives."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, ClassVar

from .family import Facts, Family

__all__ = ["SqueezedWaveforms", "Waveforms"]


class Waveforms(Family):
    """Convolutions on the waveform, then transformer layers.

    Each waveform is standardised by itself where the checkpoint says so. There is no mask and no
    padding: a group norm runs over all of time.
    """

    models: ClassVar[Mapping[str, str]] = {
        "data2vec-audio": "Data2VecAudioModel",
        "hubert": "HubertModel",
        "unispeech": "UniSpeechModel",
        "unispeech-sat": "UniSpeechSatModel",
        "wav2vec2": "Wav2Vec2Model",
        "wav2vec2-conformer": "Wav2Vec2ConformerModel",
        "wavlm": "WavLMModel",
    }
    extractor_class = "Wav2Vec2FeatureExtractor"
    settings: ClassVar[Mapping[str, Any]] = {
        "mask_time_prob": 0.0,
        "mask_feature_prob": 0.0,
        "add_adapter": False,
    }
    unused = ("masked_spec_embed", "adapter")

    @property
    def facts(self) -> Facts:
        """Frames are as far apart as the strides of the convolutions multiply to."""
        return Facts(
            layers=self.config.num_hidden_layers,
            sample_rate=self.extractor.sampling_rate,
            hop_samples=prod(self.config.conv_stride),
            minimum_samples=self._samples_of(frames=1),
        )

    def states(self, model: Any, waveforms: Any) -> list[Any]:
        """State 0 enters the first layer; the last one has passed the final layer norm."""
        output = model(self._standardised(waveforms), output_hidden_states=True)
        # transformers 5.15 and later leave a final layer norm out of the last hidden state.
        return [*output.hidden_states[:-1], output.last_hidden_state]

    def _standardised(self, waveforms: Any) -> Any:
        if not self.extractor.do_normalize:
            return waveforms
        centred = waveforms - waveforms.mean(dim=-1, keepdim=True)
        return centred / (waveforms.var(dim=-1, correction=0, keepdim=True) + 1e-7).sqrt()

    def _samples_of(self, frames: int) -> int:
        samples = frames
        convolutions = zip(self.config.conv_kernel, self.config.conv_stride, strict=True)
        for kernel, stride in reversed(list(convolutions)):
            samples = (samples - 1) * stride + kernel
        return samples


class SqueezedWaveforms(Waveforms):
    """SEW: the layers work on frames that were averaged, before the last ones are spread again.

    The states are those of the layers, at their lower rate.
    """

    models: ClassVar[Mapping[str, str]] = {"sew": "SEWModel"}

    @property
    def facts(self) -> Facts:
        """Frames are as far apart as strides and squeezing multiply to."""
        squeeze = self.config.squeeze_factor
        return Facts(
            layers=self.config.num_hidden_layers,
            sample_rate=self.extractor.sampling_rate,
            hop_samples=prod(self.config.conv_stride) * squeeze,
            minimum_samples=self._samples_of(frames=squeeze),
        )

    def states(self, model: Any, waveforms: Any) -> list[Any]:
        """State 0 enters the first layer, state k is the output of layer k."""
        output = model(self._standardised(waveforms), output_hidden_states=True)
        return list(output.hidden_states)
