"""Weights and waveforms that any environment rebuilds from names, shapes and a seed.

A full-size checkpoint is too large to keep beside the tests, so the weights are a rule: every
tensor has a generator of its own, seeded by its name, and a scale that keeps activations healthy.
Only numpy is needed. The makers of the fixtures fill the original models by this rule, the tests
fill pianobench's own models by it, and both must then say the same.
"""

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

__all__ = ["published_name", "seeded_tensor", "seeded_waveforms", "seeded_weights"]

NORMS = ("norm.weight", "bn1.weight", "bn2.weight", "bn3.weight")


def seeded_weights(
    shapes: Mapping[str, Iterable[int]], seed: int = 0
) -> dict[str, npt.NDArray[np.generic]]:
    """Fill a state dict from the names and shapes of its tensors.

    Parameters
    ----------
    shapes : mapping of str to iterable of int
        Shape of each tensor by its name in the state dict.
    seed : int
        Another seed gives other weights for every tensor.

    Returns
    -------
    dict of str to np.ndarray
        float32, but int64 for ``num_batches_tracked``. A tensor depends on its own name and shape
        alone, so a part of a state dict is filled as the whole would be.
    """
    return {name: seeded_tensor(name, tuple(shape), seed) for name, shape in shapes.items()}


def seeded_tensor(name: str, shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.generic]:
    """Draw one tensor of a state dict.

    Matrices and convolutions are normal over the root of their fan-in; the weights of norms lie
    around 1, biases, means and single vectors around 0, variances and the gains of a weight norm
    in 0.5 to 1.5. No tensor is left at its usual initial value, so that each one matters.

    Parameters
    ----------
    name : str
        Name in the state dict, such as ``model.conv.linear.weight``; both namings of a weight
        norm draw the same.
    shape : tuple of int
        Its shape.
    seed : int
        Mixed with the name.

    Returns
    -------
    np.ndarray [shape]
        float32, but int64 zero for ``num_batches_tracked``.
    """
    name = published_name(name)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, dtype=np.int64)
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    if name.endswith(("running_var", "weight_g")):
        return (0.5 + random.random(shape, dtype=np.float32)).astype(np.float32)
    drawn = random.standard_normal(shape, dtype=np.float32)
    if name.endswith(NORMS) and len(shape) == 1:
        return 1 + np.float32(0.1) * drawn
    if len(shape) < 2:
        return np.float32(0.1) * drawn
    drawn /= np.float32(np.sqrt(np.prod(shape[1:])))  # in place: the full size is gigabytes
    return drawn


def published_name(name: str) -> str:
    """Name a tensor as the published checkpoints do.

    They call the two tensors of a weight norm ``weight_g`` and ``weight_v``; newer torch calls
    them ``parametrizations.weight.original0`` and ``original1``.
    """
    for ours, published in (("original0", "weight_g"), ("original1", "weight_v")):
        name = name.replace(f"parametrizations.weight.{ours}", published)
    return name


def seeded_waveforms(
    batch: int, samples: int, rate_hz: int = 24_000, seed: int = 0
) -> npt.NDArray[np.float32]:
    """Make decaying tones over noise, the last tenth of each digital silence.

    The silence makes the floor of a decibel scale matter, and noise everywhere else keeps quiet
    mel bands far above rounding, where a logarithm would compare nothing but rounding.

    Parameters
    ----------
    batch : int
        How many waveforms.
    samples : int
        Length of each.
    rate_hz : int
        Their sample rate.
    seed : int
        Seed of the noise and the tones.

    Returns
    -------
    np.ndarray [batch, samples]
        float32 on the grid of 16-bit audio, within -1 to 1.
    """
    random = np.random.default_rng(seed)
    time_s = np.arange(samples) / rate_hz
    waveforms = 0.02 * random.standard_normal((batch, samples))
    for waveform in waveforms:
        for midi_pitch in random.integers(36, 96, size=4):
            hertz = 440 * 2 ** ((midi_pitch - 69) / 12)
            onset_s = random.uniform(0, time_s[-1])
            sounding = np.where(time_s >= onset_s, np.exp(-3 * (time_s - onset_s)), 0)
            waveform += 0.15 * sounding * np.sin(2 * np.pi * hertz * time_s)
    waveforms[:, samples - samples // 10 :] = 0
    return (np.round(np.clip(waveforms, -1, 1) * 32767) / 32768).astype(np.float32)
