"""MuQ's encoder in plain torch: log-mel spectrogram, convolutional stem, conformer.

The modules are named after the tensors of the published checkpoint. Dropout, masking and the
training targets are left out; what is left computes the same states as the original package.

References
----------
Zhu et al.: MuQ: self-supervised music representation learning with mel residual vector
quantization. 2025. https://doi.org/10.48550/arXiv.2501.01108

Gulati et al.: Conformer: convolution-augmented transformer for speech recognition. Interspeech
2020. https://doi.org/10.21437/Interspeech.2020-3015

Su et al.: RoFormer: enhanced transformer with rotary position embedding. 2021.
https://doi.org/10.48550/arXiv.2104.09864
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from .configuration import Configuration, Conformer

__all__ = ["LogMel", "Network"]

SAMPLE_RATE = 24_000
_WINDOW = 2048


class Network(nn.Module):
    """Waveforms (batch, samples) to the states 0 to `encoder_depth`, one by one."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        self.spectrogram = LogMel(configuration)
        self.model = nn.ModuleDict(
            {"conv": _Stem(configuration), "conformer": _Conformer(configuration)}
        )

    def forward(self, waveforms: Tensor) -> Iterator[Tensor]:
        """Yield each state, (batch, frames, width), at 25 frames a second."""
        stem, conformer = self.model["conv"], self.model["conformer"]
        yield from conformer(stem(self.spectrogram(waveforms)))


class LogMel(nn.Module):
    """Standardised mel spectrogram in dB: (batch, samples) to (batch, bands, frames)."""

    window: Tensor
    filters: Tensor

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        self.hop = configuration.hop_length
        self.mean = configuration.stat.melspec_2048_mean
        self.std = configuration.stat.melspec_2048_std
        # Neither is part of a checkpoint.
        self.register_buffer("window", torch.hann_window(_WINDOW), persistent=False)
        self.register_buffer("filters", _mel_filters(configuration.n_mels), persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the spectrogram; the frame at the very end is left out."""
        # In single precision whatever the rest is computed in: levels span 100 dB and more.
        with torch.autocast(waveforms.device.type, enabled=False):
            spectrum = torch.stft(
                waveforms,
                _WINDOW,
                self.hop,
                window=self.window,
                center=True,
                pad_mode="reflect",
                return_complex=True,
            )
            mel = torch.matmul(spectrum.abs().pow(2).mT, self.filters).mT[..., :-1]
            return (10 * mel.clamp(min=1e-10).log10() - self.mean) / self.std


def _mel_filters(bands: int) -> Tensor:
    """Triangles of height 1, equally spaced in mel up to half the sampling rate."""
    frequencies = torch.linspace(0, SAMPLE_RATE // 2, _WINDOW // 2 + 1)
    highest_mel = 2595.0 * math.log10(1.0 + SAMPLE_RATE / 2 / 700.0)
    edges = 700.0 * (10 ** (torch.linspace(0, highest_mel, bands + 2) / 2595.0) - 1.0)
    slopes = edges - frequencies[:, None]
    widths = edges.diff()
    down, up = slopes[:, :-2] / -widths[:-1], slopes[:, 2:] / widths[1:]
    return torch.minimum(down, up).clamp(min=0)


class _Stem(nn.Module):
    """(batch, bands, frames) to (batch, frames / 4, width)."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        channels = configuration.conv_dim
        self.conv = nn.Sequential(_Residual(1, channels), _Residual(channels, channels))
        self.linear = nn.Linear(channels * (configuration.n_mels // 4), configuration.encoder_dim)

    def forward(self, mel: Tensor) -> Tensor:
        convolved = self.conv(mel[:, None])
        projected: Tensor = self.linear(convolved.permute(0, 3, 1, 2).flatten(2))
        return projected


class _Residual(nn.Module):
    """Two convolutions beside one, both halving bands and frames."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1, stride=2)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels_in, channels, 3, padding=1, stride=2)
        self.bn3 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        deep = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(self.bn3(self.conv3(x)) + deep)


class _Conformer(nn.Module):
    """The stem's output, then the output of every layer; the last passes a layer norm."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__()
        part, width = configuration.w2v2_config, configuration.encoder_dim
        self.head_width = width // part.num_attention_heads
        self.rotary_base = part.rotary_embedding_base
        self.layers = nn.ModuleList(_Layer(width, part) for _ in range(configuration.encoder_depth))
        self.layer_norm = nn.LayerNorm(width, eps=part.layer_norm_eps)

    def forward(self, x: Tensor) -> Iterator[Tensor]:
        turns = self._turns(x)
        for layer in self.layers:
            yield x
            x = layer(x, turns)
        yield self.layer_norm(x)

    def _turns(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine of the rotary angles, each (frames, head width)."""
        even = torch.arange(0, self.head_width, 2, dtype=torch.int64, device=x.device).float()
        inverse = 1.0 / (self.rotary_base ** (even / self.head_width))
        angles = torch.outer(torch.arange(x.shape[1], device=x.device).float(), inverse)
        angles = torch.cat([angles, angles], dim=-1)
        return angles.cos(), angles.sin()


class _Layer(nn.Module):
    """Half a feed-forward step, attention, convolution, half a feed-forward step, layer norm."""

    def __init__(self, width: int, part: Conformer) -> None:
        super().__init__()

        def norm() -> nn.LayerNorm:
            return nn.LayerNorm(width, eps=part.layer_norm_eps)

        self.ffn1_layer_norm, self.ffn1 = norm(), _FeedForward(width, part.intermediate_size)
        self.self_attn_layer_norm = norm()
        self.self_attn = _Attention(width, part.num_attention_heads)
        self.conv_module = _Convolution(width, part.conv_depthwise_kernel_size)
        self.ffn2_layer_norm, self.ffn2 = norm(), _FeedForward(width, part.intermediate_size)
        self.final_layer_norm = norm()

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        x = 0.5 * self.ffn1(self.ffn1_layer_norm(x)) + x
        x = x + self.self_attn(self.self_attn_layer_norm(x), turns)
        x = x + self.conv_module(x)
        x = 0.5 * self.ffn2(self.ffn2_layer_norm(x)) + x
        normalised: Tensor = self.final_layer_norm(x)
        return normalised


class _FeedForward(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.intermediate_dense = nn.Linear(width, inner)
        self.output_dense = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.output_dense(F.silu(self.intermediate_dense(x)))
        return projected


class _Attention(nn.Module):
    """Self-attention; positions turn its input before the projections to queries and keys."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear_q, self.linear_k, self.linear_v, self.linear_out = (
            nn.Linear(width, width) for _ in range(4)
        )

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        cosine, sine = (turn[:, None] for turn in turns)
        by_head = self._split(x)
        first, second = by_head.chunk(2, dim=-1)
        turned = (by_head * cosine + torch.cat([-second, first], dim=-1) * sine).flatten(2)
        query, key, value = (
            self._split(projected).transpose(1, 2)
            for projected in (self.linear_q(turned), self.linear_k(turned), self.linear_v(x))
        )
        mixed = F.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.linear_out(mixed.transpose(1, 2).flatten(2))
        return projected

    def _split(self, x: Tensor) -> Tensor:
        """(batch, frames, width) to (batch, frames, heads, head width)."""
        return x.view(*x.shape[:2], self.heads, -1)


class _Convolution(nn.Module):
    """Gated pointwise, depthwise and pointwise convolutions along time."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(width)
        self.pointwise_conv1 = nn.Conv1d(width, 2 * width, 1, bias=False)
        self.depthwise_conv = nn.Conv1d(
            width, width, kernel, padding=(kernel - 1) // 2, groups=width, bias=False
        )
        self.batch_norm = nn.BatchNorm1d(width)
        self.pointwise_conv2 = nn.Conv1d(width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.glu(self.pointwise_conv1(self.layer_norm(x).mT), dim=1)
        x = F.silu(self.batch_norm(self.depthwise_conv(x)))
        convolved: Tensor = self.pointwise_conv2(x).mT
        return convolved
