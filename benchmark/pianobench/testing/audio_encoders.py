"""What an audio encoder promises, tried on noise, a click and silence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..components import AudioEncoder
from ..errors import DependencyError, PianobenchError, UsageError
from ..policy import choose_policy
from .checks import require, require_equal

# Batches may be summed in another order than single waveforms; measured on 13 states of a
# conformer of 300 M parameters, this stays below 1e-6.
ROUNDING = 1e-4


@dataclass(frozen=True)
class Trial:
    """An encoder, loaded when first used."""

    encoder: AudioEncoder

    @cached_property
    def loaded(self) -> Any:
        """What `load` returned."""
        return self.encoder.load("cpu")

    def noise(self, clips: int = 1) -> NDArray[np.float32]:
        """About a second, shape (clips, samples)."""
        e = self.encoder
        samples = max(e.minimum_samples, min(e.sample_rate, self.longest_samples))
        return noise(clips, samples)

    @property
    def longest_samples(self) -> int:
        """Samples that are passed at once, at most; a minute where whole clips are."""
        e = self.encoder
        return 60 * e.sample_rate if e.chunk_s is None else int(e.chunk_s * e.sample_rate)

    def frames(self, samples: int) -> int:
        """Count the frames of a waveform."""
        return len(self.states(noise(1, samples))[0][0])

    def states(self, waveforms: NDArray[np.float32], loaded: Any = None) -> list[NDArray[Any]]:
        """Encode a batch; every state as an array."""
        encode = self.loaded if loaded is None else loaded
        if self.encoder.backend == "numpy":
            return [np.asarray(state) for state in encode(waveforms.copy())]
        torch = _torch()
        with torch.inference_mode():
            return [s.cpu().numpy() for s in encode(torch.from_numpy(waveforms.copy()))]


def noise(clips: int, samples: int) -> NDArray[np.float32]:
    """Uniform noise, the same every time, shape (clips, samples)."""
    return np.random.default_rng(0).uniform(-0.3, 0.3, (clips, samples)).astype(np.float32)


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise DependencyError(
            f"torch cannot be imported: {error}. "
            'Install it with `pip install "pianobench[models]"`.'
        ) from error
    return torch


def states_its_facts(trial: Trial) -> None:
    """Rate, layers, chunks and shortest waveform are numbers that can be used."""
    e = trial.encoder
    require(e.sample_rate > 0, f"sample_rate is {e.sample_rate}.")
    require(e.layers >= 0, f"layers is {e.layers}.")
    require(e.minimum_samples >= 1, f"minimum_samples is {e.minimum_samples}.")
    require(e.hop_samples >= 1, f"hop_samples is {e.hop_samples}.")
    try:
        choose_policy(e)
    except UsageError as error:
        require(False, f"Its own chunk_s cannot be used: {error}")


def gives_every_state(trial: Trial) -> None:
    """States 0 to `layers`, each (batch, frames, width), finite."""
    states = trial.states(trial.noise(2))
    layers = trial.encoder.layers
    require(
        len(states) == layers + 1,
        f"It returns {len(states)} states; layers = {layers} promises {layers + 1}, counting 0.",
    )
    shapes = sorted({state.shape for state in states})
    require(
        len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][0] == 2 and min(shapes[0]) > 0,
        f"2 waveforms become states of shape {', '.join(map(str, shapes))}; expected one shape "
        "(2, frames, width).",
    )
    require(all(np.isfinite(s).all() for s in states), "Noise gives values that are not finite.")


def gives_the_same_every_time(trial: Trial) -> None:
    """No dropout, no random crop."""
    _require_same("Noise encoded twice", trial.states(trial.noise()), trial.states(trial.noise()))


def gives_the_same_when_loaded_again(trial: Trial) -> None:
    """No weights left at random."""
    again = trial.states(trial.noise(), trial.encoder.load("cpu"))
    _require_same("Noise encoded by two loads", trial.states(trial.noise()), again)


def encodes_each_waveform_on_its_own(trial: Trial) -> None:
    """Encode a batch as its waveforms one by one."""
    batch = trial.noise(3)
    alone = [trial.states(waveform[None]) for waveform in batch]
    joined = [np.concatenate(states) for states in zip(*alone, strict=True)]
    _require_same("Waveforms in a batch and alone", trial.states(batch), joined)


def leaves_the_waveforms_alone(trial: Trial) -> None:
    """They are not standardised in place."""
    given = trial.noise()
    waveforms = given if trial.encoder.backend == "numpy" else _torch().from_numpy(given)
    list(trial.loaded(waveforms))
    require(bool(np.array_equal(given, trial.noise())), "It changes the waveforms it is given.")


def bears_silence(trial: Trial) -> None:
    """Zeros give finite values."""
    _require_finite("Silence", trial.states(np.zeros_like(trial.noise())))


def bears_a_click(trial: Trial) -> None:
    """So does one full-scale sample in silence."""
    click = np.zeros_like(trial.noise())
    click[0, click.shape[1] // 2] = 1.0
    _require_finite("A click", trial.states(click))


def encodes_the_shortest_waveform(trial: Trial) -> None:
    """Of `minimum_samples`, to at least one frame."""
    shortest = trial.encoder.minimum_samples
    states = trial.states(noise(1, shortest))
    require(
        all(state.shape[1] >= 1 for state in states),
        f"{shortest} samples give no frame; raise minimum_samples.",
    )
    _require_finite(f"A waveform of {shortest} samples", states)


def keeps_its_frame_rate(trial: Trial) -> None:
    """Give a frame more every `hop_samples`, and `frame_rate_hz` a second."""
    e = trial.encoder
    rate_hz = getattr(trial.loaded, "frame_rate_hz", None)
    shorter, longer, hops = _lengths(trial)
    if hops == 0 or (e.hop_samples == 1 and rate_hz is None):
        return
    more = trial.frames(longer) - trial.frames(shorter)
    # A frame more or less is how both lengths happen to end.
    require(
        e.hop_samples == 1 or abs(more - hops) <= 1,
        f"{longer - shorter} samples more give {more} frames more; hop_samples = {e.hop_samples} "
        f"says {hops}.",
    )
    if rate_hz is not None:
        expected = (longer - shorter) / e.sample_rate * rate_hz
        require(
            abs(more - expected) <= 1,
            f"{(longer - shorter) / e.sample_rate:.4g} s more give {more} frames more; "
            f"frame_rate_hz = {rate_hz:.6g} says {expected:.4g}.",
        )


def _lengths(trial: Trial) -> tuple[int, int, int]:
    """Two lengths in samples, and how many hops they differ by: a second's, or what fits."""
    e = trial.encoder
    shorter = trial.noise().shape[1]
    room = max(trial.longest_samples, shorter) - shorter
    hops = min(round(2 * e.sample_rate / e.hop_samples), room // e.hop_samples)
    return shorter, shorter + hops * e.hop_samples, hops


def does_not_hide_nan(trial: Trial) -> None:
    """Show in the states that a sample is NaN, or refuse it."""
    broken = trial.noise()
    broken[0, broken.shape[1] // 2] = np.nan
    try:
        states = trial.states(broken)
    except (PianobenchError, ValueError):
        return
    require(
        not all(np.isfinite(state).all() for state in states),
        "A waveform with a NaN becomes finite values; let it through or refuse it.",
    )


def _require_same(what: str, one: list[NDArray[Any]], other: list[NDArray[Any]]) -> None:
    for layer, (a, b) in enumerate(zip(one, other, strict=True)):
        require_equal(f"{what}, state {layer}", a, b, ROUNDING)


def _require_finite(what: str, states: list[NDArray[Any]]) -> None:
    broken = [layer for layer, state in enumerate(states) if not np.isfinite(state).all()]
    require(not broken, f"{what} gives values that are not finite, in states {broken}.")


PROMISES = (
    gives_every_state,
    states_its_facts,
    gives_the_same_every_time,
    gives_the_same_when_loaded_again,
    encodes_each_waveform_on_its_own,
    leaves_the_waveforms_alone,
    bears_silence,
    bears_a_click,
    encodes_the_shortest_waveform,
    keeps_its_frame_rate,
    does_not_hide_nan,
)
