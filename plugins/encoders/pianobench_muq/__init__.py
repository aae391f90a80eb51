"""MuQ: a conformer trained on music without labels; see `Muq`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from pianobench import Component, DependencyError, PretrainedEncoder, hookimpl
from pianobench.checkpoints import count_weights, digest_weights, fill_weights, find_checkpoint

from .configuration import Configuration

__all__ = ["Muq"]

_PUBLISHED = "OpenMuQ/MuQ-large-msd-iter"
# A checkpoint also holds what training alone uses: the targets' codebooks, the mask token, the
# output projection and a position embedding that rotary positions take the place of.
_FOR_TRAINING = (
    "model.cls_token",
    "model.linear.",
    "model.recon_proj.",
    "model.quantizer_",
    "model.rvq.",
    "model.preprocessor_",
    "model.conformer.pos_conv_embed.",
    "model.conformer.embed_positions.",
)


class Muq(PretrainedEncoder):
    """MuQ (Zhu et al. 2025): log-mel, convolutional stem, 12 conformer layers; 25 frames a second.

    The network is written in plain torch and computes what the original package computes. State 0
    is the stem's output, state k the output of layer k; the last one also passes the final layer
    norm. The published weights may be used for non-commercial purposes.

    References
    ----------
    Zhu et al.: MuQ: self-supervised music representation learning with mel residual vector
    quantization. 2025. https://doi.org/10.48550/arXiv.2501.01108
    """

    name = "muq"
    licence = "MIT (code), CC BY-NC 4.0 (weights)"
    citation = "Zhu et al. 2025, doi:10.48550/arXiv.2501.01108"
    pretraining = "Million Song Dataset, self-supervised (OpenMuQ/MuQ-large-msd-iter)"
    sample_rate = 24_000
    minimum_samples = 1_025
    hop_samples = 960

    checkpoint: str = _PUBLISHED
    """A folder, or an id on the Hugging Face hub with an optional revision: ``org/model@main``."""

    @property
    def layers(self) -> int:  # type: ignore[override] # facts may depend on options
        """Number of conformer layers."""
        return self._configuration().encoder_depth

    def load(self, device: str) -> LoadedMuq:
        """Read the weights, or draw them.

        Raises
        ------
        CheckpointError
            If the checkpoint is absent, incomplete or of another model.
        """
        try:
            import torch
        except ImportError as error:
            raise DependencyError(
                'MuQ needs torch, which is not installed: pip install "pianobench[models]"'
            ) from error
        from .network import LogMel, Network

        configuration = self._configuration()
        if self.weights == "random":
            with torch.random.fork_rng(devices=()):
                torch.manual_seed(self.weights_seed)
                network = Network(configuration)
            source = f"random, seed {self.weights_seed}"
        else:
            checkpoint = find_checkpoint(self.checkpoint)
            with torch.device("meta"):
                network = Network(configuration)
            # Neither its window nor its filters are part of a checkpoint.
            network.spectrogram = LogMel(configuration)
            fill_weights(network, checkpoint.tensors(), checkpoint.name, _FOR_TRAINING)
            source = checkpoint.source
        return LoadedMuq(network.eval().to(device), configuration, source)

    def _configuration(self) -> Configuration:
        # The published architecture is known without its file, so that its untrained control
        # needs no download.
        if self.weights == "random" and self.checkpoint == _PUBLISHED:
            return Configuration()
        return Configuration.read(find_checkpoint(self.checkpoint).config, self.checkpoint)


class LoadedMuq:
    """A MuQ with its weights: waveforms (batch, samples) to states, one by one."""

    frame_rate_hz: ClassVar[float] = 25.0

    def __init__(self, network: Any, configuration: Configuration, source: str) -> None:
        self._network = network
        self.source = source
        self.weights_digest = digest_weights(network, configuration.model_dump(mode="json"))
        self.parameter_count = count_weights(network)

    def __call__(self, waveforms: Any) -> Iterator[Any]:
        """Yield the states 0 to the last, each (batch, frames, width)."""
        return iter(self._network(waveforms))


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the encoder."""
    return [Muq]
