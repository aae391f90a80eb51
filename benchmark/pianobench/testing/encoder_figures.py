"""Figures of an audio encoder that nothing promises: chunks against the whole, speed, memory."""

from __future__ import annotations

import sys
import time

import numpy as np

from ..errors import EncodingError
from ..fingerprint import describe_signals, fingerprint_audio
from ..forward import encode_waveform
from ..policy import Policy, choose_policy
from .audio_encoders import Trial, noise
from .checks import NotRunError

__all__ = ["FIGURES"]


def frames_a_second(trial: Trial) -> str:
    """Count those of the longest waveform that is passed at once, up to ten seconds."""
    samples = _samples(trial)
    rate_hz = trial.frames(samples) / samples * trial.encoder.sample_rate
    declared = getattr(trial.loaded, "frame_rate_hz", None)
    said = "it declares none" if declared is None else f"it declares {declared:.6g}"
    return f"{rate_hz:.4g} over {samples / trial.encoder.sample_rate:.4g} s; {said}"


def chunks_against_the_whole(trial: Trial) -> str:
    """Compare the last state of two chunks with that of both at once."""
    e = trial.encoder
    policy = choose_policy(e)
    if policy.chunk_samples is None:
        raise NotRunError("It is passed whole clips.")
    waveform = noise(1, 2 * policy.chunk_samples)[0]
    cut = encode_waveform(e, trial.loaded, waveform, policy).layers[-1]
    try:
        whole = encode_waveform(e, trial.loaded, waveform, Policy(None)).layers[-1]
    except EncodingError as error:
        raise NotRunError(f"It does not take two chunks at once. {error}") from error
    frames = trial.frames(policy.chunk_samples)
    return (
        f"two of {policy.chunk_samples / e.sample_rate:.4g} s differ from one pass by "
        f"{_relative(cut[:frames], whole[:frames]):.2g} a frame, "
        f"{_relative(cut.mean(axis=0), whole.mean(axis=0)):.2g} after mean pooling"
    )


def speed(trial: Trial) -> str:
    """Measure the audio that one thread encodes in a second."""
    samples = _samples(trial)
    waveform = noise(1, samples)[0]
    policy = choose_policy(trial.encoder)
    took_s = []
    for _ in range(2):
        started = time.perf_counter()
        encode_waveform(trial.encoder, trial.loaded, waveform, policy)
        took_s.append(time.perf_counter() - started)
    per_s = samples / trial.encoder.sample_rate / min(took_s)
    return f"{per_s:.3g} audio s/s, passing {samples / trial.encoder.sample_rate:.4g} s at once"


def peak_memory(trial: Trial) -> str:
    """Read the most that this process has held so far, its libraries and two loads included."""
    if sys.platform == "win32":
        raise NotRunError("This system does not tell.")
    import resource

    # Kilobytes, but bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return f"{held / 1e9:.2f} GB, the libraries and two loads of {trial.encoder.name} included"


def fingerprint(trial: Trial) -> str:
    """Digest the weights or the states, with statistics to compare machines by."""
    policy = choose_policy(trial.encoder)
    digest = fingerprint_audio(trial.encoder, trial.loaded, policy)
    signals = describe_signals(trial.encoder, trial.loaded, policy)
    spreads = ", ".join(f"{name} {of['std']:.4g}" for name, of in signals.items())
    return f"{digest[:16]}; standard deviation on {spreads}"


def _samples(trial: Trial) -> int:
    longest = min(trial.longest_samples, 10 * trial.encoder.sample_rate)
    return max(trial.encoder.minimum_samples, longest)


def _relative(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other) / (np.linalg.norm(other) or 1.0))


FIGURES = (frames_a_second, chunks_against_the_whole, speed, peak_memory, fingerprint)
