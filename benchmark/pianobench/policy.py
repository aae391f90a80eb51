"""How waveforms pass an encoder: pieces, precision and device.

The features depend on it, so that all but the device is part of every stored key, and all of it is
kept with every result.
"""

from __future__ import annotations

from dataclasses import dataclass

from .components import AudioEncoder
from .config import Precision
from .errors import UsageError

__all__ = ["Policy", "choose_policy"]


@dataclass(frozen=True, slots=True)
class Policy:
    """How waveforms pass an encoder.

    Attributes
    ----------
    chunk_samples : int or None
        Longest piece that is passed at once; None passes whole clips.
    overlap_samples : int
        How much of a piece belongs to the next one as well. Each frame is taken from the piece
        in which it lies farther from an edge.
    precision : {"float32", "tf32", "bfloat16"}
        Of a torch encoder's arithmetic. ``tf32`` rounds the factors of matrix products to 10 bits
        of fraction, ``bfloat16`` also keeps products and sums of layers in 8; states leave the
        encoder in float32 in any case.
    device : str
        Such as ``cpu`` or ``cuda``.
    """

    chunk_samples: int | None
    overlap_samples: int = 0
    precision: Precision = "float32"
    device: str = "cpu"


def choose_policy(
    encoder: AudioEncoder,
    *,
    chunk_s: float | None = None,
    overlap_s: float | None = None,
    precision: Precision | None = None,
    device: str = "cpu",
) -> Policy:
    """Fill in an encoder's own choices where none are made.

    Raises
    ------
    UsageError
        If the encoder cannot work so: pieces that are too short or not a multiple of its frames,
        an overlap of half a piece or more, a precision its arithmetic or the device does not have.

    Examples
    --------
    >>> class Steps(AudioEncoder):
    ...     name, sample_rate, chunk_s, hop_samples = "steps", 1000, 2.0, 10
    >>> choose_policy(Steps(), overlap_s=0.5)
    Policy(chunk_samples=2000, overlap_samples=500, precision='float32', device='cpu')
    """
    if encoder.backend != "torch" and precision is not None:
        raise UsageError(
            f"The encoder {encoder.name!r} does not run on torch, so --precision {precision} has "
            "nothing to do. Leave it out."
        )
    if precision == "tf32" and not device.startswith("cuda"):
        raise UsageError(
            f"Precision tf32 is a mode of NVIDIA GPUs; the device is {device!r}. Use float32 or "
            "bfloat16, or --device cuda."
        )
    length_s = encoder.chunk_s if chunk_s is None else chunk_s
    overlap = _samples(encoder, "overlap", overlap_s or 0.0)
    if length_s is None:
        if overlap:
            raise UsageError(
                f"The encoder {encoder.name!r} is passed whole clips, so that an overlap of "
                f"{overlap_s} s has nothing to do. Give --chunk as well, or leave it out."
            )
        return Policy(None, 0, precision or "float32", device)
    length = _samples(encoder, "chunk", length_s)
    if length < max(1, encoder.minimum_samples):
        raise UsageError(
            f"Chunks of {length_s} s are shorter than the {encoder.minimum_samples} samples at "
            f"{encoder.sample_rate} Hz that the encoder {encoder.name!r} needs. Choose longer ones."
        )
    if 2 * overlap >= length:
        raise UsageError(
            f"An overlap of {overlap_s} s is half of a chunk of {length_s} s or more. Choose a "
            "smaller overlap or longer chunks."
        )
    return Policy(length, overlap, precision or "float32", device)


def _samples(encoder: AudioEncoder, what: str, seconds: float) -> int:
    samples = round(seconds * encoder.sample_rate)
    if samples % encoder.hop_samples:
        hop_s = encoder.hop_samples / encoder.sample_rate
        nearest = max(1, round(samples / encoder.hop_samples)) * hop_s
        raise UsageError(
            f"A {what} of {seconds} s is not a whole number of frames of the encoder "
            f"{encoder.name!r}, which come every {hop_s:.6g} s. The nearest is {nearest:.6g} s."
        )
    return samples
