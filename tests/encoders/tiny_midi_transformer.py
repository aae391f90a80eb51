"""A MIDI foundation model as a plugin of one class; its transformer is tiny and random.

A real one differs in `_model` alone: it loads a tokenizer's vocabulary and trained weights.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from pianobench import Clip, Frames, ScoreEncoder, hookimpl, read_notes

_WIDTH, _LAYERS = 16, 2
_PITCHES, _VELOCITIES, _INTERVALS = 128, 16, 32


class TinyMidiTransformer(ScoreEncoder):
    """States of a causal transformer over notes, one frame per note."""

    name = "tiny-midi-transformer"
    licence = "MIT"
    layers = _LAYERS
    requires = ("midi",)

    weights_seed: int = 0
    """Seed of the weights."""

    def encode(self, clip: Clip) -> Frames:
        """States 0 to 2, values of shape (3, notes, 16)."""
        import torch

        notes = read_notes(clip.midi)
        interval_s = np.diff(notes.onset, prepend=notes.onset[0])
        tokens = np.stack(
            [
                notes.pitch,
                _PITCHES + notes.velocity // 8,
                _PITCHES + _VELOCITIES + np.minimum(interval_s * 16, _INTERVALS - 1).astype(int),
            ],
            axis=1,
        )
        with torch.inference_mode():
            states = _model(self.weights_seed)(torch.from_numpy(tokens)[None])
        values = np.stack([state[0].numpy() for state in states])
        beat = np.floor((notes.onset - notes.onset[0]) / 0.5).astype(np.int64)
        return Frames(values, notes.onset, {"beat": beat})


# A component holds no state: what is heavy is made once per process.
@cache
def _model(seed: int) -> Any:
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        embed = nn.EmbeddingBag(_PITCHES + _VELOCITIES + _INTERVALS, _WIDTH, mode="sum")
        blocks = [
            nn.TransformerEncoderLayer(_WIDTH, 2, 32, dropout=0, batch_first=True, norm_first=True)
            for _ in range(_LAYERS)
        ]
    for module in (embed, *blocks):
        module.eval()

    def states(tokens: Any) -> list[Any]:
        found = [embed(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2])]
        causal = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        for block in blocks:
            found.append(block(found[-1], src_mask=causal))
        return found

    return states


@hookimpl
def bench_components() -> list[type[ScoreEncoder]]:
    """Register the encoder."""
    return [TinyMidiTransformer]
