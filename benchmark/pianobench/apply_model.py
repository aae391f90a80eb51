"""A kept model applied to clips: checked to be the same model, one bad clip costing no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clip_features import load_encoder
from .components import AudioEncoder
from .encoding import describe_encoder
from .errors import DataError, PianobenchError, ResultError, UsageError
from .file_clips import unlabelled
from .fingerprint import describe_signals
from .fitted_model import encode_clips
from .model_folder import KeptModel
from .novelty import Novelty
from .run import Workplace, require_device
from .values import Clip

__all__ = ["Applied", "apply_model", "require_same_encoder"]

# Figures of signals are kept to four digits of the standard deviation.
_ROUNDING = 2e-3


@dataclass(frozen=True)
class Applied:
    """What a model says of clips.

    Attributes
    ----------
    clips : tuple of Clip
        Those that it could be applied to.
    values : float array, shape (clips, dimensions)
    novelty : Novelty or None
        How far they lie from the clips it was fitted on; None where there is no clip.
    failures : mapping of str to PianobenchError
        Why the others could not be predicted, by id.
    notes : tuple of str
        What differs from how the training clips were made, as sentences.
    """

    clips: tuple[Clip, ...]
    values: NDArray[np.float64]
    novelty: Novelty | None
    failures: Mapping[str, PianobenchError]
    notes: tuple[str, ...] = ()

    @property
    def percentiles(self) -> list[float]:
        """Novelty of each clip, as a percentile of the training clips."""
        return [] if self.novelty is None else list(map(float, self.novelty.percentile))


def apply_model(kept: KeptModel, clips: Sequence[Clip], workplace: Workplace) -> Applied:
    """Encode clips as those that the model was fitted on, and predict them.

    Parameters
    ----------
    kept : KeptModel
    clips : sequence of Clip
        MIDI is rendered by the model's renderer where its encoder hears; recordings are read.
    workplace : Workplace

    Raises
    ------
    ResultError
        If the installed encoder is another than the model's.
    UsageError
        If the model needs scores that clips do not have.
    PianobenchError
        Whatever is no single clip's fault.
    """
    plan = kept.model.plan
    require_device(plan.encoder, workplace.device)
    require_same_encoder(kept, workplace.device)
    failures = {clip.id: error for clip in clips if (error := _unfit(kept, clip)) is not None}
    while left := [clip for clip in clips if clip.id not in failures]:
        try:
            features = encode_clips(plan, unlabelled("the files", left), workplace).features
        except PianobenchError as error:
            if not error.failures:
                raise
            failures |= error.failures
            continue
        values = kept.model.predict(features)
        novelty = kept.training.novelty(features)
        return Applied(tuple(left), values, novelty, failures, _notes(kept, left))
    return Applied((), np.empty((0, len(kept.model.dimensions))), None, failures)


def require_same_encoder(kept: KeptModel, device: str) -> None:
    """Refuse an encoder that is not the one the model was fitted on.

    It is the same if its fingerprint is; or, where that is of what it makes of fixed signals, if it
    makes the same of them within rounding, which differs from machine to machine.

    Raises
    ------
    ResultError
        If it is another.
    """
    plan = kept.model.plan
    encoder, policy = plan.encoder, plan.policy(device)
    _, fingerprint = describe_encoder(encoder, policy)
    facts = kept.record.components["encoder"].facts
    if fingerprint == facts.get("fingerprint") and encoder.revision == facts.get("revision"):
        return
    if isinstance(encoder, AudioEncoder) and policy is not None:
        loaded = load_encoder(encoder, device)
        measured = not hasattr(loaded, "weights_digest")
        signals = describe_signals(encoder, loaded, policy) if measured else {}
        if measured and _same_signals(facts.get("signals"), signals):
            return
    origin = kept.record.components["encoder"].origin
    raise ResultError(
        f"The model {kept.record.name} was fitted on the encoder {encoder.name!r} with fingerprint "
        f"{facts.get('fingerprint')} ({origin}, revision {facts.get('revision')}); the one "
        f"installed here has {fingerprint} ({plan.origins.get('encoder')}, revision "
        f"{encoder.revision}). Its features mean something else to the head: install or name (with "
        "--encoder) the encoder that the model was fitted on, or fit the model again."
    )


def _notes(kept: KeptModel, clips: Sequence[Clip]) -> tuple[str, ...]:
    """Tell what is heard of new clips that is not what was heard in training."""
    renderer = kept.model.plan.renderer
    if renderer is None:
        return ()
    notes = []
    recorded = sum(clip.audio is not None for clip in clips)
    if recorded:
        notes.append(
            f"{recorded} of {len(clips)} are recordings, and the model was fitted on renders by "
            f"{renderer.name!r}: it does not know their instrument and room."
        )
    then = kept.record.components["renderer"].facts.get("version")
    if recorded < len(clips) and renderer.version() != then:
        notes.append(
            f"the renderer {renderer.name!r} is {renderer.version()!r} here, and was {then!r} when "
            "the model was fitted."
        )
    return tuple(notes)


def _same_signals(kept: Any, now: Mapping[str, Mapping[str, Any]]) -> bool:
    """Compare what `describe_signals` gave; what was kept may be anything."""
    try:
        return set(kept) == set(now) and all(
            kept[name]["frames"] == found["frames"]
            and np.allclose(
                [kept[name]["std"], *kept[name]["means"]],
                [found["std"], *found["means"]],
                rtol=0,
                atol=_ROUNDING * (found["std"] or 1.0),
            )
            for name, found in now.items()
        )
    except (KeyError, TypeError, ValueError):
        return False


def _unfit(kept: KeptModel, clip: Clip) -> PianobenchError | None:
    """Say why a clip is nothing for a model."""
    plan = kept.model.plan
    encoder = plan.encoder
    if isinstance(encoder, AudioEncoder):
        if clip.audio is None and plan.renderer is None:
            return DataError(
                f"{clip.midi} is MIDI, and the model was fitted on recordings, without a renderer. "
                "Render it to audio first."
            )
        return None
    lacking = [kind for kind in encoder.requires if getattr(clip, kind) is None]
    if lacking == ["midi"] or (lacking and clip.midi is None):
        return DataError(
            f"{clip.audio} is audio, and the model's encoder {encoder.name!r} reads notes. Give "
            "the performance as MIDI."
        )
    if lacking:
        raise UsageError(
            f"The model's encoder {encoder.name!r} reads {' and '.join(lacking)} beside the "
            f"performance, which {clip.id!r} does not have. Apply it to a dataset that has them, "
            "or fit a model on an encoder of performances alone, such as midi-stats."
        )
    return None
