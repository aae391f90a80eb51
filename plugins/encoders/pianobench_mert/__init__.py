"""MERT: a transformer trained on music without labels; see `Mert`."""

from __future__ import annotations

from typing import Any, ClassVar

from pianobench import Component, DependencyError, PretrainedEncoder, hookimpl
from pianobench.checkpoints import count_weights, digest_weights, fill_weights, find_checkpoint

from .configuration import PUBLISHED, Configuration

__all__ = ["Mert"]


class Mert(PretrainedEncoder):
    """MERT (Li et al. 2024): convolutions on the waveform, 12 or 24 transformer layers; 75 Hz.

    The network is the HuBERT of `transformers`, which computes what the code published with the
    checkpoints does; that code is never run. State 0 is the input of the first layer, state k the
    output of layer k; the last one also passes the final layer norm of the larger model. Each
    waveform is standardised by itself. The published weights may be used for non-commercial
    purposes.

    References
    ----------
    Li et al.: MERT: acoustic music understanding model with large-scale self-supervised training.
    ICLR 2024. https://doi.org/10.48550/arXiv.2306.00107
    """

    name = "mert"
    licence = "CC BY-NC 4.0 (weights)"
    citation = "Li et al. 2024, doi:10.48550/arXiv.2306.00107"
    pretraining = "music recordings that were not published, self-supervised (MERT v1)"
    sample_rate = 24_000
    minimum_samples = 400
    hop_samples = 320

    checkpoint: str = "m-a-p/MERT-v1-95M"
    """A folder, or an id on the Hugging Face hub with an optional revision: ``org/model@main``."""

    @property
    def layers(self) -> int:  # type: ignore[override] # facts may depend on options
        """Number of transformer layers."""
        return self._configuration().num_hidden_layers

    def load(self, device: str) -> LoadedMert:
        """Read the weights, or draw them.

        Raises
        ------
        CheckpointError
            If the checkpoint is absent, incomplete or of another model.
        DependencyError
            If torch or transformers is not installed.
        """
        configuration = self._configuration()
        try:
            import torch
            import transformers  # noqa: F401 - the network needs it
        except ImportError as error:
            raise DependencyError(
                f"MERT needs torch and transformers, which cannot be imported: {error}. "
                'Install them: pip install "pianobench[models]"'
            ) from error
        from .network import build, draw_weights, rename

        if self.weights == "random":
            with torch.random.fork_rng(devices=()):
                network = build(configuration)
                torch.manual_seed(self.weights_seed)
                draw_weights(network)
            source = f"random, seed {self.weights_seed}"
        else:
            checkpoint = find_checkpoint(self.checkpoint)
            with torch.device("meta"):
                network = build(configuration)
            # The embedding that stands for masked frames is for training alone.
            fill_weights(
                network, rename(checkpoint.tensors()), checkpoint.name, ["masked_spec_embed"]
            )
            source = checkpoint.source
        return LoadedMert(network.eval().to(device), configuration, source)

    def _configuration(self) -> Configuration:
        # The published architectures are known without their files, so that their untrained
        # controls need no download.
        published = PUBLISHED.get(self.checkpoint.partition("@")[0])
        if self.weights == "random" and published is not None:
            return published
        return Configuration.read(find_checkpoint(self.checkpoint).config, self.checkpoint)


class LoadedMert:
    """A MERT with its weights: waveforms (batch, samples) to its states."""

    frame_rate_hz: ClassVar[float] = 75.0

    def __init__(self, network: Any, configuration: Configuration, source: str) -> None:
        self._network = network
        self.source = source
        self.weights_digest = digest_weights(network, configuration.model_dump(mode="json"))
        self.parameter_count = count_weights(network)

    def __call__(self, waveforms: Any) -> list[Any]:
        """Return the states 0 to the last, each (batch, frames, width)."""
        centred = waveforms - waveforms.mean(dim=-1, keepdim=True)
        variance = waveforms.var(dim=-1, correction=0, keepdim=True)
        output = self._network(centred / (variance + 1e-7).sqrt(), output_hidden_states=True)
        # transformers 5.15 and later leave the final layer norm out of the last hidden state.
        return [*output.hidden_states[:-1], output.last_hidden_state]


@hookimpl
def bench_components() -> list[type[Component]]:
    """Register the encoder."""
    return [Mert]
