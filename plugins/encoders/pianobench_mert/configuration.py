"""The part of a published MERT configuration that decides what the encoder computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator

from pianobench import CheckpointError
from pianobench.checkpoints import read_configuration

__all__ = ["PUBLISHED", "Configuration"]

# The model as it is called by its training code, by that code's export and on the hub.
_MODEL_TYPES = ("music_hubert", "hubert", "mert_model")
_KERNELS = (10, 3, 3, 3, 3, 2, 2)
_STRIDES = (5, 2, 2, 2, 2, 2, 2)
# One of the published files leaves these out; every one must say the rest.
_MAY_LACK = {"feat_proj_layer_norm", "conv_pos_batch_norm", "deepnorm", "feature_extractor_cqt"}


class Configuration(BaseModel):
    """Architecture of a MERT encoder; the defaults are MERT-v1-95M.

    Keys it does not know are left alone: what concerns training shares the file, and
    ``attention_relax`` subtracts a maximum within a softmax, which changes nothing. A value of a
    key it knows that is not computed here is refused.
    """

    model_config = ConfigDict(frozen=True)

    sample_rate: Literal[24_000] = 24_000
    conv_dim: tuple[PositiveInt, ...] = (512,) * 7
    conv_kernel: tuple[PositiveInt, ...] = _KERNELS
    conv_stride: tuple[PositiveInt, ...] = _STRIDES
    conv_bias: bool = False
    feat_extract_norm: Literal["group", "layer"] = "group"
    feat_extract_activation: Literal["gelu"] = "gelu"
    feat_proj_layer_norm: bool = True
    hidden_size: PositiveInt = 768
    num_hidden_layers: PositiveInt = 12
    num_attention_heads: PositiveInt = 12
    intermediate_size: PositiveInt = 3072
    hidden_act: Literal["gelu"] = "gelu"
    layer_norm_eps: float = 1e-5
    num_conv_pos_embeddings: PositiveInt = 128
    num_conv_pos_embedding_groups: PositiveInt = 16
    conv_pos_batch_norm: Literal[False] = False
    do_stable_layer_norm: bool = False
    deepnorm: Literal[False] = False
    feature_extractor_cqt: Literal[False] = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.conv_kernel, self.conv_stride) != (_KERNELS, _STRIDES):
            raise ValueError(
                f"its convolutions have kernels {self.conv_kernel} and strides "
                f"{self.conv_stride}, MERT's {_KERNELS} and {_STRIDES}"
            )
        if len(self.conv_dim) != len(_KERNELS):
            raise ValueError(
                f"it gives {len(self.conv_dim)} widths to {len(_KERNELS)} convolutions"
            )
        for part in ("num_attention_heads", "num_conv_pos_embedding_groups"):
            if self.hidden_size % getattr(self, part):
                raise ValueError(
                    f"its width {self.hidden_size} is not a multiple of {part}, "
                    f"{getattr(self, part)}"
                )
        return self

    @classmethod
    def read(cls, published: Mapping[str, Any], checkpoint: str) -> Self:
        """Read a published configuration; every key that is used must be there.

        Raises
        ------
        CheckpointError
            If it lacks a key, or asks for something else than MERT.
        """
        model_type = published.get("model_type")
        if model_type not in _MODEL_TYPES:
            raise CheckpointError(
                f"config.json of the checkpoint {checkpoint!r} is of a model of type "
                f"{model_type!r}; a MERT's is one of {', '.join(_MODEL_TYPES)}. Name a MERT "
                "checkpoint, or try the encoder hf."
            )
        return read_configuration(cls, published, checkpoint, "MERT", _MAY_LACK)


PUBLISHED = {
    "m-a-p/MERT-v1-95M": Configuration(),
    "m-a-p/MERT-v1-330M": Configuration(
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        do_stable_layer_norm=True,
    ),
}
"""Architectures by the ids of their checkpoints."""
