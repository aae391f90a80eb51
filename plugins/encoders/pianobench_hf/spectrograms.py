"""Models on a spectrogram, which the checkpoint's own feature extractor makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .family import Facts, Family

__all__ = ["Clap", "LogMelFrames", "Patches", "Whisper"]

# Window and hop of the spectrograms that imitate Kaldi's, which no configuration states.
_KALDI_WINDOW, _KALDI_HOP = 400, 160


class LogMelFrames(Family):
    """wav2vec 2.0 BERT: pairs of log-mel frames; a last frame without a partner is left out."""

    models: ClassVar[Mapping[str, str]] = {"wav2vec2-bert": "Wav2Vec2BertModel"}
    extractor_class = "SeamlessM4TFeatureExtractor"
    settings: ClassVar[Mapping[str, Any]] = {
        "mask_time_prob": 0.0,
        "mask_feature_prob": 0.0,
        "add_adapter": False,
    }
    unused = ("masked_spec_embed", "adapter")

    @property
    def facts(self) -> Facts:
        """A frame is as many log-mel frames as the extractor stacks."""
        stacked = self.extractor.stride
        return Facts(
            layers=self.config.num_hidden_layers,
            sample_rate=self.extractor.sampling_rate,
            hop_samples=stacked * _KALDI_HOP,
            # The bands are standardised over time with the variance of a sample.
            minimum_samples=_KALDI_WINDOW + (max(stacked, 2) - 1) * _KALDI_HOP,
        )

    def states(self, model: Any, waveforms: Any) -> list[Any]:
        """State 0 enters the first layer, state k is the output of layer k."""
        features = self.features(waveforms, pad_to_multiple_of=None)
        output = model(features["input_features"], output_hidden_states=True)
        return [*output.hidden_states[:-1], output.last_hidden_state]


class Whisper(Family):
    """The encoder of Whisper, which takes 30 s: shorter waveforms are followed by silence.

    Frames of that silence are dropped; it does reach the others through attention, as it did in
    training.
    """

    models: ClassVar[Mapping[str, str]] = {"whisper": "WhisperModel"}
    extractor_class = "WhisperFeatureExtractor"
    unused = ("decoder",)

    @property
    def facts(self) -> Facts:
        """A frame is two log-mel frames."""
        return Facts(
            layers=self.config.encoder_layers,
            sample_rate=self.extractor.sampling_rate,
            hop_samples=2 * self.extractor.hop_length,
            longest_samples=self.extractor.n_samples,
        )

    def states(self, model: Any, waveforms: Any) -> list[Any]:
        """State 0 enters the first layer; the last one has passed the final layer norm."""
        features = self.features(waveforms)["input_features"]
        output = model.encoder(features, output_hidden_states=True)
        frames = -(-waveforms.shape[1] // self.facts.hop_samples)
        states = [*output.hidden_states[:-1], output.last_hidden_state]
        return [state[:, :frames] for state in states]


class Patches(Family):
    """The audio spectrogram transformer: patches of a spectrogram of a fixed length.

    The patches of one moment, low to high, are averaged to its frame, so that the mean over frames
    is the mean over patches. The two tokens that stand for the whole are dropped, and so are
    patches in which nothing of the waveform lies; these do reach the others through attention, as
    they did in training.
    """

    models: ClassVar[Mapping[str, str]] = {"audio-spectrogram-transformer": "ASTModel"}
    extractor_class = "ASTFeatureExtractor"

    @property
    def facts(self) -> Facts:
        """As many frames as there are columns of patches; a window more may hang over."""
        hop = self.config.time_stride * _KALDI_HOP
        columns = self._patches(self.config.max_length, self.config.time_stride)
        return Facts(
            layers=self.config.num_hidden_layers,
            sample_rate=self.extractor.sampling_rate,
            hop_samples=hop,
            minimum_samples=_KALDI_WINDOW,
            longest_samples=columns * hop + _KALDI_WINDOW - 1,
        )

    def states(self, model: Any, waveforms: Any) -> list[Any]:
        """State 0 enters the first layer; the last one has passed the final layer norm."""
        output = model(self.features(waveforms)["input_values"], output_hidden_states=True)
        states = [*output.hidden_states[:-1], output.last_hidden_state]
        bands = self._patches(self.config.num_mel_bins, self.config.frequency_stride)
        spectra = (waveforms.shape[1] - _KALDI_WINDOW) // _KALDI_HOP + 1
        frames = -(-spectra // self.config.time_stride)
        return [state[:, 2:].unflatten(1, (bands, -1)).mean(dim=1)[:, :frames] for state in states]

    def _patches(self, length: int, stride: int) -> int:
        patches: int = (length - self.config.patch_size) // stride + 1
        return patches


class Clap(Family):
    """CLAP's audio tower: one vector for up to 10 s, before the projection to the text's space.

    Shorter waveforms are repeated, as the checkpoint's feature extractor says.
    """

    models: ClassVar[Mapping[str, str]] = {"clap": "ClapModel"}
    extractor_class = "ClapFeatureExtractor"
    unused = ("text_model", "text_projection", "audio_projection", "logit_scale")

    @property
    def facts(self) -> Facts:
        """There is one state."""
        return Facts(
            layers=0,
            sample_rate=self.extractor.sampling_rate,
            hop_samples=1,
            longest_samples=self.extractor.nb_max_samples,
            pooled=True,
        )

    def states(self, model: Any, waveforms: Any) -> list[Any]:
        """One frame."""
        import torch

        # In a batch the extractor picks one waveform by chance and treats it as a longer one.
        frames = []
        for waveform in waveforms:
            prepared = self.features(waveform[None])
            output = model.audio_model(prepared["input_features"], is_longer=prepared["is_longer"])
            frames.append(output.pooler_output)
        return [torch.stack(frames)]
