"""What a renderer promises, tried on a few bars written for it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ..components import Renderer
from .checks import require, require_equal
from .music import write_music

RATE_HZ = 24_000
FIRST_ONSET_S = 0.5
LAST_ONSET_S = 8.0


def _render(renderer: Renderer, rate_hz: int = RATE_HZ, velocity: int = 80) -> NDArray[np.float32]:
    with TemporaryDirectory() as folder:
        return renderer.render(write_music(Path(folder) / "music.mid", velocity), rate_hz)


def renders_mono_float32(renderer: Renderer) -> None:
    """Shape (samples,), finite, within [-1, 1], and not silent."""
    samples = np.asarray(_render(renderer))
    require(
        samples.ndim == 1 and samples.dtype == np.float32,
        f"It returns {samples.dtype} of shape {samples.shape}; expected float32 (samples,).",
    )
    require(bool(np.isfinite(samples).all()), "Some samples are not finite.")
    peak = float(np.abs(samples).max(initial=0.0))
    require(0.0 < peak <= 1.0, f"The largest sample is {peak:.3g}; expected above 0, at most 1.")


def tells_its_version(renderer: Renderer) -> None:
    """Name what the cache of renders depends on, the same each time."""
    first, second = renderer.version(), renderer.version()
    require(isinstance(first, str) and first == second, f"version() is {first!r}, then {second!r}.")


def renders_the_same_every_time(renderer: Renderer) -> None:
    """Bit for bit: clips share features by the hash of their samples."""
    require_equal("One file rendered twice", _render(renderer), _render(renderer))


def starts_at_time_zero(renderer: Renderer) -> None:
    """Silence before the first note, and sound to the end of the last."""
    samples = _render(renderer)
    before = np.abs(samples[: int((FIRST_ONSET_S - 0.05) * RATE_HZ)]).max(initial=0.0)
    peak = np.abs(samples).max()
    require(
        bool(before <= 1e-3 * peak),
        f"Before the first note the samples reach {before:.3g}, with a peak of {peak:.3g}.",
    )
    require(
        len(samples) >= LAST_ONSET_S * RATE_HZ,
        f"It ends after {len(samples) / RATE_HZ:.2f} s; the last note begins at {LAST_ONSET_S} s.",
    )


def keeps_time_at_other_rates(renderer: Renderer) -> None:
    """Render at the sample rate that was asked for."""
    one, other = _onset_s(renderer, RATE_HZ), _onset_s(renderer, 16_000)
    require(
        abs(one - other) < 0.02,
        f"The first note sounds at {one:.3f} s at {RATE_HZ} Hz and at {other:.3f} s at 16000 Hz.",
    )


def keeps_loudness(renderer: Renderer) -> None:
    """Loudness is a label: no clip is normalised."""
    soft, loud = (float(np.std(_render(renderer, velocity=v))) for v in (30, 100))
    require(loud > 1.2 * soft, f"RMS is {soft:.3g} at velocity 30 and {loud:.3g} at 100.")


def _onset_s(renderer: Renderer, rate_hz: int) -> float:
    samples = np.abs(_render(renderer, rate_hz))
    return float(np.argmax(samples > 0.1 * samples.max())) / rate_hz


PROMISES = (
    renders_mono_float32,
    tells_its_version,
    renders_the_same_every_time,
    starts_at_time_zero,
    keeps_time_at_other_rates,
    keeps_loudness,
)
