"""What tests of learned poolings share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def padded() -> Callable[..., Any]:
    """Pad clips, (frames, width), to more than the longest: values, mask and levels."""

    def pad(clips: list[Any], junk: float = 0.0, extra: int = 0) -> Any:
        import torch

        longest = max(len(values) for values in clips) + extra
        values = torch.full((len(clips), longest, clips[0].shape[1]), junk)
        mask = torch.zeros(len(clips), longest, dtype=torch.bool)
        for row, own in enumerate(clips):
            values[row, : len(own)] = own
            mask[row, : len(own)] = True
        return values, mask, {}

    return pad
