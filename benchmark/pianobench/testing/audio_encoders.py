"""What an audio encoder promises, tried on noise, a click and silence."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..components import AudioEncoder
from ..errors import DependencyError, PianobenchError
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
        longest = e.sample_rate if e.chunk_s is None else int(e.chunk_s * e.sample_rate)
        samples = max(e.minimum_samples, min(e.sample_rate, longest))
        random = np.random.default_rng(0)
        return random.uniform(-0.3, 0.3, (clips, samples)).astype(np.float32)

    def states(self, waveforms: NDArray[np.float32], loaded: Any = None) -> list[NDArray[Any]]:
        """Encode a batch; every state as an array."""
        encode = self.loaded if loaded is None else loaded
        if self.encoder.backend == "numpy":
            return [np.asarray(state) for state in encode(waveforms.copy())]
        torch = _torch()
        with torch.inference_mode():
            return [s.cpu().numpy() for s in encode(torch.from_numpy(waveforms.copy()))]


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
    require(
        e.chunk_s is None or e.chunk_s * e.sample_rate >= e.minimum_samples,
        f"Chunks of {e.chunk_s} s at {e.sample_rate} Hz are shorter than minimum_samples, "
        f"{e.minimum_samples}.",
    )


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
    waveform = np.random.default_rng(0).uniform(-0.3, 0.3, (1, shortest)).astype(np.float32)
    states = trial.states(waveform)
    require(
        all(state.shape[1] >= 1 for state in states),
        f"{shortest} samples give no frame; raise minimum_samples.",
    )
    _require_finite(f"A waveform of {shortest} samples", states)


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
    does_not_hide_nan,
)
