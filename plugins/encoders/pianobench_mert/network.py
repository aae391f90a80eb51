"""MERT's network: the HuBERT of transformers, which its checkpoints fit tensor by tensor.

References
----------
Hsu et al.: HuBERT: self-supervised speech representation learning by masked prediction of hidden
units. IEEE/ACM TASLP 29, 2021. https://doi.org/10.1109/TASLP.2021.3122291
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import HubertConfig, HubertModel

from .configuration import Configuration

__all__ = ["build", "draw_weights", "rename"]

# Of a weight norm: as checkpoints name its two tensors, and as torch does now.
_WEIGHT_NORM = {
    "conv.weight_g": "conv.parametrizations.weight.original0",
    "conv.weight_v": "conv.parametrizations.weight.original1",
}


def build(configuration: Configuration) -> Any:
    """Build the network; its weights mean nothing yet."""
    settings: dict[str, Any] = configuration.model_dump(
        exclude={"sample_rate", "deepnorm", "feature_extractor_cqt"}
    )
    # Frames are masked in training alone; without it there is no embedding for them.
    settings |= {"mask_time_prob": 0.0, "mask_feature_prob": 0.0, "attn_implementation": "sdpa"}
    return HubertModel(HubertConfig(**settings))


def rename(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name a checkpoint's tensors as the network does, whichever way it names its weight norm."""
    renamed = {}
    for key, tensor in tensors.items():
        for published, ours in _WEIGHT_NORM.items():
            key = key.replace(published, ours)
        renamed[key] = tensor
    return renamed


@torch.no_grad()
def draw_weights(network: nn.Module) -> None:
    """Draw the weights as HuBERT's training does before it starts.

    The order is that of their names: transformers draws in another with every version, and an
    untrained control must be the same in all.
    """
    for _, module in sorted(network.named_modules()):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
        elif parametrize.is_parametrized(module, "weight"):
            kernel, width = module.kernel_size[0], module.in_channels
            module.weight = torch.randn_like(module.weight) * 2 / (kernel * width) ** 0.5
        elif isinstance(module, nn.Conv1d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.Linear | nn.Conv1d) and module.bias is not None:
            nn.init.zeros_(module.bias)
