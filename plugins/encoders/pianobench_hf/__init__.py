"""Any published audio model of a type that `transformers` knows; see `HuggingFace`."""

from __future__ import annotations

from typing import Any

from pianobench import Component, PretrainedEncoder, hookimpl
from pianobench.checkpoints import count_weights, digest_weights

from .family import Facts
from .published import Published, read
from .weights import draw_model, load_model

__all__ = ["HuggingFace"]


class HuggingFace(PretrainedEncoder):
    """A published audio model: ``hf:org/model``, ``hf:org/model@revision`` or ``hf:folder``.

    What it is, its `config.json` says: wav2vec 2.0 and its relatives (plain, conformer, BERT,
    HuBERT, WavLM, data2vec, UniSpeech, SEW), Whisper's encoder, the audio spectrogram transformer,
    CLAP, and the codecs EnCodec, DAC and Mimi before they quantise. The code is that of
    `transformers`; code that comes with a checkpoint is never run. The last state always passes
    the final layer norm.

    References
    ----------
    Wolf et al.: Transformers: state-of-the-art natural language processing. EMNLP 2020 (system
    demonstrations). https://doi.org/10.18653/v1/2020.emnlp-demos.6
    """

    name = "hf"
    licence = "that of the checkpoint, on its page; code Apache 2.0"
    citation = "the checkpoint's authors; Wolf et al. 2020, doi:10.18653/v1/2020.emnlp-demos.6"
    pretraining = "what the checkpoint's page says"

    checkpoint: str = ""
    """A folder, or an id on the Hugging Face hub with an optional revision: ``org/model@main``."""

    @property
    def layers(self) -> int:  # type: ignore[override] # facts depend on the checkpoint
        """Number of layers; 0 for models that give one state."""
        return self._facts.layers

    @property
    def sample_rate(self) -> int:  # type: ignore[override] # as above
        """Hz, as the checkpoint's feature extractor says."""
        return self._facts.sample_rate

    @property
    def chunk_s(self) -> float:  # type: ignore[override] # as above
        """About 10 s, or the longest that the model takes."""
        return self._facts.chunk_s

    @property
    def hop_samples(self) -> int:  # type: ignore[override] # as above
        """Samples from one frame to the next."""
        return self._facts.hop_samples

    @property
    def minimum_samples(self) -> int:  # type: ignore[override] # as above
        """Samples that give one frame."""
        return self._facts.minimum_samples

    def load(self, device: str) -> LoadedModel:
        """Read the weights, or draw them.

        Raises
        ------
        CheckpointError
            If the checkpoint is absent, incomplete or of a type that is not known.
        DependencyError
            If torch or transformers is not installed.
        """
        published = read(self.checkpoint)
        if self.weights == "random":
            model = draw_model(published, self.weights_seed)
            source = f"random, seed {self.weights_seed}"
        else:
            model = load_model(published)
            source = published.checkpoint.source
        return LoadedModel(published, model, device, source)

    @property
    def _facts(self) -> Facts:
        return read(self.checkpoint).family.facts


class LoadedModel:
    """A model with its weights: waveforms (batch, samples) to its states."""

    def __init__(self, published: Published, model: Any, device: str, source: str) -> None:
        self._family = published.family
        self.source = source
        self.frame_rate_hz = published.family.facts.frame_rate_hz
        self.weights_digest = digest_weights(model, published.configuration)
        self.parameter_count = count_weights(model)
        self._model = model.to(device)

    def __call__(self, waveforms: Any) -> list[Any]:
        """Return the states 0 to the last, each (batch, frames, width)."""
        return self._family.states(self._model, waveforms)


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the encoder."""
    return [HuggingFace]
