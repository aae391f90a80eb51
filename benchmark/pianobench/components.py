"""The contracts a plugin fulfils, and the values that travel between the stages.

A *component* is a frozen pydantic model. Its fields are its options: validated, documented and
hashed by one mechanism for every kind. Its facts (name, sample rate, licence, ...) are class
variables of the contract, so a subclass assigns them, or makes them properties where they depend
on an option. A component holds no state: `load` and `fit` return the thing that has some.

Axis order is fixed once: layers, frames, width; clips, dimensions. Times are seconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveFloat, PositiveInt

from .errors import DataError, EncodingError, SplitError

__all__ = [
    "AudioEncoder",
    "Clip",
    "Component",
    "Corpus",
    "Dataset",
    "Dimension",
    "Fold",
    "Frames",
    "Head",
    "NetworkHead",
    "Pooling",
    "Predictor",
    "Ratings",
    "Remote",
    "Renderer",
    "ScoreEncoder",
    "Split",
]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Clip:
    """One rated performance of one excerpt.

    Attributes
    ----------
    id : str
        Unique within its corpus.
    midi, audio : Path or None
        The performance as MIDI or as recorded audio; at least one is set.
    score_midi, score_xml : Path or None
        The notated music, where the dataset has it.
    start_s, end_s : float
        The part of `audio` that is the clip, in seconds; `end_s` None means to the end.
    """

    id: str
    midi: Path | None = None
    audio: Path | None = None
    score_midi: Path | None = None
    score_xml: Path | None = None
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Dimension:
    """One labelled quality: its name, the words at its two ends, and its category."""

    name: str
    low: str = ""
    high: str = ""
    category: str = ""


@dataclass(frozen=True)
class Ratings:
    """The raw ratings behind the targets.

    Attributes
    ----------
    rater, clip : int array, shape (ratings,)
        Who rated, and the index of the clip in the corpus.
    values : float array, shape (ratings, dimensions)
        On the scale of the targets; NaN where the rater gave none.
    """

    rater: NDArray[np.int64]
    clip: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Corpus:
    """Clips, what is known of each, and what is to be predicted.

    Attributes
    ----------
    name, version : str
        The dataset and the revision or variant of it.
    clips : tuple of Clip
    dimensions : tuple of Dimension
    targets : float array, shape (clips, dimensions)
        In [0, 1] by convention.
    groups : mapping of str to tuple of str
        Per kind of group, the group of each clip. ``passage`` (music that shares notes),
        ``performer`` and ``work`` are used by the standard protocols.
    human : bool array, shape (clips,)
        False for machine renditions.
    raters : int array, shape (clips,)
        Number of distinct raters behind each clip's targets; 1 where unknown.
    ratings : Ratings or None

    Raises
    ------
    DataError
        If it is empty, an id occurs twice, a length disagrees or a target is not finite.
    """

    name: str
    version: str
    clips: tuple[Clip, ...]
    dimensions: tuple[Dimension, ...]
    targets: NDArray[np.float64]
    groups: Mapping[str, tuple[str, ...]]
    human: NDArray[np.bool_]
    raters: NDArray[np.int64]
    ratings: Ratings | None = None

    def __post_init__(self) -> None:
        where = f"dataset {self.name!r}"
        if not self.clips or not self.dimensions:
            raise DataError(
                f"{where} is empty: {len(self.clips)} clips, {len(self.dimensions)} dimensions. "
                "Check the data root."
            )
        ids = [clip.id for clip in self.clips]
        if len(set(ids)) != len(ids):
            twice = next(i for i in ids if ids.count(i) > 1)
            raise DataError(f"{where} holds the clip id {twice!r} more than once.")
        expected = (len(self.clips), len(self.dimensions))
        if self.targets.shape != expected:
            raise DataError(f"{where}: targets have shape {self.targets.shape}, not {expected}.")
        if not np.isfinite(self.targets).all():
            row, column = np.argwhere(~np.isfinite(self.targets))[0]
            raise DataError(
                f"{where}: the target of clip {ids[row]!r} in {self.dimensions[column].name!r} is "
                f"{self.targets[row, column]}. Every clip needs every label."
            )
        lengths = {kind: len(of) for kind, of in self.groups.items()}
        lengths |= {"human": len(self.human), "raters": len(self.raters)}
        for kind, length in lengths.items():
            if length != len(ids):
                raise DataError(f"{where}: {kind!r} names {length} clips, not {len(ids)}.")

    @property
    def ids(self) -> tuple[str, ...]:
        """Clip ids, in order."""
        return tuple(clip.id for clip in self.clips)

    def group(self, kind: str) -> NDArray[np.str_]:
        """Group of each clip, shape (clips,); SplitError where the corpus has no such group."""
        if kind not in self.groups:
            raise SplitError(
                f"Dataset {self.name!r} does not say which {kind} its clips belong to; "
                f"it knows {', '.join(sorted(self.groups))}. Choose another protocol."
            )
        return np.asarray(self.groups[kind], dtype=np.str_)

    def ordered(self) -> Corpus:
        """Return the corpus with its clips sorted by id, so that no file listing shows through."""
        order = sorted(range(len(self.clips)), key=lambda i: self.clips[i].id)
        ratings = self.ratings
        if ratings is not None:
            rank = np.empty(len(order), dtype=np.int64)
            rank[order] = np.arange(len(order))
            ratings = replace(ratings, clip=rank[ratings.clip])
        return replace(
            self,
            clips=tuple(self.clips[i] for i in order),
            targets=self.targets[order],
            groups={kind: tuple(of[i] for i in order) for kind, of in self.groups.items()},
            human=self.human[order],
            raters=self.raters[order],
            ratings=ratings,
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything a score depends on: ids, names, groups, targets, weights."""
        h = hashlib.sha256()
        facts = [
            self.name,
            self.version,
            self.ids,
            [d.name for d in self.dimensions],
            {kind: self.groups[kind] for kind in sorted(self.groups)},
            self.human.tolist(),
            self.raters.tolist(),
        ]
        h.update(json.dumps(facts, separators=(",", ":")).encode())
        h.update(np.ascontiguousarray(self.targets, dtype="<f8").tobytes())
        return h.hexdigest()


@dataclass(frozen=True)
class Frames:
    """What an encoder made of one clip.

    Attributes
    ----------
    values : float array, shape (layers, frames, width)
    times_s : float array, shape (frames,)
        Centre of each frame, or onset of each note.
    levels : mapping of str to int array, shape (frames,)
        Index of each frame's unit on a coarser level (``beat``, ``measure``, ``voice``).
    """

    values: Floats
    times_s: Floats
    levels: Mapping[str, NDArray[np.int64]]

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.shape[1] == 0:
            raise EncodingError(
                f"Frames have shape {self.values.shape}; expected (layers, frames, width) with at "
                "least one frame."
            )
        for what, index in {"times_s": self.times_s, **self.levels}.items():
            if index.shape != (self.values.shape[1],):
                raise EncodingError(
                    f"{what} has shape {index.shape} for {self.values.shape[1]} frames."
                )


@dataclass(frozen=True)
class Fold:
    """Indices of the clips a model is trained on and of those it is scored on."""

    name: str
    train: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Folds of one protocol over one corpus.

    Attributes
    ----------
    protocol : str
    unit : tuple of str
        Kinds of group that no fold may share between training and test, such as
        ``("passage", "performer")``; empty for `random` and for a user's file.
    folds : tuple of Fold
    digest : str
        SHA-256 of the clip ids on both sides of every fold.
    unknown : tuple of str
        Ids that a user's fold file names and the corpus does not have.
    """

    protocol: str
    unit: tuple[str, ...]
    folds: tuple[Fold, ...]
    digest: str
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remote:
    """A file a dataset is downloaded from: where, its SHA-256, and where it goes."""

    url: str
    sha256: str
    path: str


class Component(BaseModel):
    """What every plugin class is: fields are options, class variables are facts."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    kind: ClassVar[str]
    """What it is: dataset, renderer, encoder, pooling or head."""
    name: ClassVar[str]
    """What users type. Lower case, words joined by hyphens."""
    licence: ClassVar[str] = "unknown"
    """Licence of the weights or of the data."""
    citation: ClassVar[str] = ""
    """Whom to cite: authors, year, DOI or URL."""

    @property
    def options(self) -> dict[str, Any]:
        """Every option with its value, as JSON holds it."""
        return self.model_dump(mode="json")


class Dataset(Component):
    """Clips and labels. `load` reads files only; downloading is the harness's business."""

    kind: ClassVar[str] = "dataset"
    remotes: ClassVar[tuple[Remote, ...]] = ()
    """Files that `bench fetch` downloads; empty where nothing is needed."""
    generated: ClassVar[bool] = False
    """True where `load` makes its own files in the folder it is given."""
    default_renderer: ClassVar[str] = "fluidsynth"
    """Renderer used when an audio encoder is run and none is asked for."""
    notice: ClassVar[str] = ""
    """What a user must know of the licence before downloading."""

    def load(self, root: Path) -> Corpus:
        """Read the corpus from its folder.

        Parameters
        ----------
        root : Path
            The dataset's own folder. It may not exist.

        Raises
        ------
        DataError
            If it is absent or incomplete: what is missing, and the command that fetches it.
        """
        raise NotImplementedError

    def fold_file(self, protocol: str) -> Path | None:  # noqa: ARG002 - for subclasses
        """Find the committed fold file of a protocol; None where the harness makes the folds."""
        return None


class Renderer(Component):
    """MIDI to waveform. Cropping, fading and caching are the harness's business."""

    kind: ClassVar[str] = "renderer"
    card: ClassVar[str] = ""
    """What the rendering loses (pedal, tuning, ...), shown with every result."""

    def version(self) -> str:
        """Name what the samples depend on besides the options: library and SoundFont digests.

        Raises
        ------
        DependencyError
            If something it needs is not installed, with the command that installs it.
        """
        return ""

    def render(self, midi: Path, sample_rate: int) -> NDArray[np.float32]:
        """Mono samples from time 0 of the file to its end, shape (samples,), within [-1, 1]."""
        raise NotImplementedError


class _Encoder(Component):
    kind: ClassVar[str] = "encoder"
    layers: ClassVar[int] = 0
    """Number of layers; states run from 0 (the embedding) to this number."""
    default_layers: ClassVar[str] = "last"
    """Layers taken when none are asked for."""
    default_pooling: ClassVar[str] = "mean"
    """Pooling used when none is asked for."""
    default_head: ClassVar[str] = "mlp"
    """Head used when none is asked for."""
    revision: ClassVar[str] = "1"
    """Raise it when the same input gives other features: it is part of every stored key."""
    pretraining: ClassVar[str] = "none"
    """What it was trained on, and whether that overlaps the benchmark's data."""


class AudioEncoder(_Encoder):
    """Waveforms to frames.

    The harness decodes, mixes to mono, resamples, cuts into chunks, batches chunks of equal
    length, moves between devices and caches; an encoder never learns which dataset it serves.
    """

    sample_rate: ClassVar[int]
    """Hz."""
    backend: ClassVar[Literal["torch", "numpy"]] = "torch"
    """What the loaded callable takes: a float32 torch tensor on its device, or a numpy array."""
    chunk_s: ClassVar[float | None] = 10.0
    """Longest piece of audio passed at once, in seconds; None passes the whole clip."""
    minimum_samples: ClassVar[int] = 1
    """Shortest waveform it accepts; the harness joins a shorter last chunk to the one before."""

    def load(self, device: str) -> Callable[[Any], Sequence[Any]]:
        """Load the weights; heavy imports belong here and nowhere else.

        Returns
        -------
        callable
            (batch, samples) -> the states 0 to `layers`, each (batch, frames, width). It may
            carry `weights_digest` (str) and `frame_rate_hz` (float); without them the harness
            measures the rate and hashes the outputs on three fixed signals.
        """
        raise NotImplementedError


class ScoreEncoder(_Encoder):
    """Notes to frames: statistics of a performance, or notes with features and levels."""

    requires: ClassVar[tuple[str, ...]] = ("midi",)
    """The clip's files it reads: ``midi``, ``score_midi``, ``score_xml``."""

    def encode(self, clip: Clip) -> Frames:
        """Encode one clip; the values must depend on the files named in `requires` only."""
        raise NotImplementedError


class Pooling(Component):
    """Frames to one vector per layer: `pool` where nothing is learned, else `network`."""

    kind: ClassVar[str] = "pooling"

    def pool(self, frames: Frames) -> Floats:
        """Pool one clip, its chunks already joined, to shape (layers, width_out)."""
        raise NotImplementedError

    def network(self, width: int) -> Any:
        """Return a torch module of (values, mask, levels), trained with the head per fold."""
        raise NotImplementedError


@runtime_checkable
class Predictor(Protocol):
    """A fitted head."""

    @property
    def selected(self) -> Mapping[str, Any]:
        """What was chosen inside the training part (penalty, epochs, ...), as JSON holds it."""
        ...

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict (clips, features) -> (clips, dimensions)."""
        ...


class Head(Component):
    """Features to labels; a head that is trained by gradient is a `NetworkHead`."""

    kind: ClassVar[str] = "head"
    stochastic: ClassVar[bool] = False
    """True where the seed changes the fit; other heads are fitted once whatever the seeds."""
    slow: ClassVar[bool] = False
    """True where a fit takes more than seconds; then only the ranking protocol runs by default."""

    def fit(
        self,
        x: NDArray[np.float64],
        y: NDArray[np.float64],
        groups: NDArray[np.str_],
        seed: int,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> Predictor:
        """Fit on the training part of a fold.

        Parameters
        ----------
        x : array, shape (clips, features)
        y : array, shape (clips, dimensions)
        groups : array of str, shape (clips,)
            Unit that any inner split must keep whole.
        seed : int
        sample_weight : array, shape (clips,), optional
            Ignored, and said so in the class docstring, where the method has no weights.
        """
        raise NotImplementedError


class NetworkHead(Head):
    """A head trained by gradient: `network` says what is trained, the options say how.

    The harness standardises the inputs and trains with Adam and a mean squared error; it keeps
    the epoch that does best on an inner validation part. The defaults are the study's.
    """

    stochastic: ClassVar[bool] = True
    slow: ClassVar[bool] = True
    learning_rate: PositiveFloat = 1e-4
    """Step size of Adam."""
    weight_decay: NonNegativeFloat = 1e-5
    """L2 penalty, added to the gradient."""
    batch_size: PositiveInt = 64
    """Clips per step."""
    epochs: PositiveInt = 200
    """Most passes over the training part."""
    patience: PositiveInt = 15
    """Passes without a better validation R2 after which training stops."""

    def network(self, width: int, dimensions: int) -> Any:
        """Return a torch module of (batch, width) -> (batch, dimensions), not yet trained."""
        raise NotImplementedError
