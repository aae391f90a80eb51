"""The part of a published MuQ configuration that decides what the encoder computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator

from pianobench.checkpoints import read_configuration

__all__ = ["Configuration"]


class Normalisation(BaseModel):
    """Mean and standard deviation, in dB, that the log-mel spectrogram is standardised with."""

    model_config = ConfigDict(frozen=True)

    melspec_2048_mean: float = 6.768444971712967
    melspec_2048_std: float = 18.417922652295623


class Conformer(BaseModel):
    """The conformer's layers; the published file says much more, none of which is used."""

    model_config = ConfigDict(frozen=True)

    hidden_act: Literal["swish"] = "swish"
    intermediate_size: PositiveInt = 4096
    num_attention_heads: PositiveInt = 16
    conv_depthwise_kernel_size: PositiveInt = 31
    layer_norm_eps: float = 1e-5
    position_embeddings_type: Literal["rotary"] = "rotary"
    rotary_embedding_base: PositiveInt = 10_000


class Configuration(BaseModel):
    """Architecture of a MuQ encoder; the defaults are MuQ-large.

    Keys it does not know are left alone, since training options share the file; a value of a key
    it knows that this code does not compute is refused.
    """

    model_config = ConfigDict(frozen=True)

    label_rate: Literal[25] = 25
    hop_length: Literal[240] = 240
    n_mels: Literal[128] = 128
    conv_dim: PositiveInt = 512
    encoder_dim: PositiveInt = 1024
    encoder_depth: PositiveInt = 12
    stat: Normalisation = Normalisation()
    w2v2_config: Conformer = Conformer()

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        heads = self.w2v2_config.num_attention_heads
        if self.encoder_dim % (2 * heads):
            raise ValueError(
                f"width {self.encoder_dim} is not a multiple of twice {heads} attention heads"
            )
        if not self.w2v2_config.conv_depthwise_kernel_size % 2:
            raise ValueError("the depthwise kernel has an even size, so that frames would shift")
        return self

    @classmethod
    def read(cls, published: Mapping[str, Any], checkpoint: str) -> Self:
        """Read a published configuration; every key that is used must be there.

        Raises
        ------
        CheckpointError
            If it lacks a key, or asks for something else than MuQ.
        """
        return read_configuration(cls, published, checkpoint, "MuQ")
