from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from pianobench import AudioEncoder
from pianobench.testing import Check, check_component


class Smooth(AudioEncoder):
    """Blocks of 100 samples, each less half of the mean of what is passed with it."""

    name = "smooth"
    sample_rate = 8_000
    backend = "numpy"
    hop_samples = 100
    minimum_samples = 100
    chunk_s = 2.0
    share: float = 0.5
    """Of the mean."""

    def load(self, device: str) -> Any:
        def states(waveforms: np.ndarray) -> list[np.ndarray]:
            whole = np.abs(waveforms[:, : waveforms.shape[1] // 100 * 100])
            blocks = whole.reshape(len(whole), -1, 100).mean(2, keepdims=True)
            return [blocks - self.share * blocks.mean(1, keepdims=True)]

        return states


class Whole(Smooth):
    """Is passed whole clips."""

    chunk_s = None


class Limited(Smooth):
    """Takes no more than a chunk."""

    def load(self, device: str) -> Any:
        def states(waveforms: np.ndarray) -> Any:
            if waveforms.shape[1] > 16_000:
                raise ValueError("too long")
            return Smooth.load(self, device)(waveforms)

        return states


def figures(encoder: AudioEncoder) -> dict[str, Check]:
    """Figures by name; an encoder that keeps its contract fails nothing."""
    checks = check_component(encoder)
    assert [str(check) for check in checks if check.passed is False] == []
    return {check.name: check for check in checks if check.reported or check.passed is None}


def test_figures_are_neither_passed_nor_failed() -> None:
    found = figures(Smooth())
    assert list(found) == [
        "frames a second",
        "chunks against the whole",
        "speed",
        "peak memory",
        "fingerprint",
    ]
    assert all(check.reported and check.passed is None for check in found.values())
    assert str(found["frames a second"]) == "frames a second: 80 over 2 s; it declares none"
    assert re.match(r"speed: [\d.e+]+ audio s/s, passing 2 s at once", str(found["speed"]))
    gigabytes = re.match(r"peak memory: ([\d.]+) GB", str(found["peak memory"]))
    assert gigabytes is not None
    assert 0.02 < float(gigabytes[1]) < 64
    assert re.match(r"fingerprint: [0-9a-f]{16}; .* click .*, sweep ", str(found["fingerprint"]))


def test_two_chunks_are_compared_with_one_pass() -> None:
    same = figures(Smooth(share=0.0))["chunks against the whole"].detail
    assert same == "two of 2 s differ from one pass by 0 a frame, 0 after mean pooling"
    noise = np.abs(np.random.default_rng(0).uniform(-0.3, 0.3, 32_000).astype(np.float32))
    blocks = noise.reshape(-1, 100).mean(1)
    whole = blocks - 0.5 * blocks.mean()
    first = blocks[:160] - 0.5 * blocks[:160].mean()
    apart = np.linalg.norm(first - whole[:160]) / np.linalg.norm(whole[:160])
    cut = figures(Smooth())["chunks against the whole"].detail
    found = re.search(r"by ([\d.e-]+) a frame, ([\d.e-]+) after", cut)
    assert found is not None
    assert float(found[1]) == pytest.approx(apart, rel=0.05)
    assert float(found[2]) < 1e-6


@pytest.mark.parametrize(
    ("encoder", "reason"),
    [(Whole(), "It is passed whole clips."), (Limited(), "does not take two chunks at once")],
)
def test_what_cannot_be_compared_is_not_run_with_its_reason(
    encoder: AudioEncoder, reason: str
) -> None:
    check = figures(encoder)["chunks against the whole"]
    assert (check.passed, check.reported) == (None, False)
    assert reason in check.detail
