"""The contracts a plugin fulfils; the values that travel between them are in `values`.

A *component* is a frozen pydantic model. Its fields are its options: validated, documented and
hashed by one mechanism for every kind. Its facts (name, sample rate, licence, ...) are class
variables of the contract, so a subclass assigns them, or makes them properties where they depend
on an option. A component holds no state: `load` and `fit` return the thing that has some.

Axis order is fixed once: layers, frames, width; clips, dimensions. Times are seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)

from .pairs import Pairs
from .predictors import PairPredictor, Predictor
from .values import Clip, Corpus, DatasetCard, Floats, Frames, Remote

__all__ = [
    "AudioEncoder",
    "Component",
    "Dataset",
    "Head",
    "LossName",
    "NetworkHead",
    "PairwiseHead",
    "Pooling",
    "PretrainedEncoder",
    "Renderer",
    "ScoreEncoder",
]


LossName = Literal["mse", "ccc", "hybrid", "huber", "rank"]


def _untouched(default: object) -> Callable[[object], bool]:
    """Leave out an option of this value: configurations older than it keep their digest."""
    return lambda value: value == default


class Component(BaseModel):
    """What every plugin class is: fields are options, class variables are facts."""

    # Listing components needs no validator: they are built when the first is made.
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, defer_build=True
    )

    kind: ClassVar[str]
    """What it is: dataset, renderer, encoder, pooling or head."""
    name: ClassVar[str]
    """What users type. Lower case, words joined by hyphens."""
    licence: ClassVar[str] = "unknown"
    """Licence of the weights or of the data."""
    citation: ClassVar[str] = ""
    """Whom to cite: authors, year, DOI or URL."""
    argument: ClassVar[str] = ""
    """Option that text after a colon sets: ``hf:org/model`` is ``hf`` with this option."""

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
    recorded: ClassVar[bool] = False
    """True where every clip is a recording, so that nothing is ever rendered."""
    default_renderer: ClassVar[str] = "fluidsynth"
    """Renderer used when an audio encoder is run and none is asked for."""
    notice: ClassVar[str] = ""
    """What a user must know of the licence before downloading, or how else to get it."""
    card: ClassVar[DatasetCard] = DatasetCard()
    """Its size, what is wrong with it, and which studies take it."""

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
    tail_s: ClassVar[float] = 2.0
    """How long a render goes on after the last note-off, at least; the harness cuts there."""
    card: ClassVar[str] = ""
    """What the rendering loses (pedal, tuning, ...), shown with every result."""
    instruments: ClassVar[tuple[str, ...]] = ()
    """What its argument may be, where that is the installed program's to say."""
    ensembles: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Names that stand for several values of its argument, one render each."""

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
    overlaps: ClassVar[tuple[str, ...]] = ()
    """Datasets whose music it is known to have learned from, or to have been chosen on."""
    disjoint: ClassVar[tuple[str, ...]] = ()
    """Datasets whose music it is known not to have learned from; of others that is unknown, unless
    `pretraining` is ``none``."""


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
    hop_samples: ClassVar[int] = 1
    """Samples from one frame to the next: chunks are cut at multiples, so that frames meet."""
    runs_code: ClassVar[bool] = False
    """True where `argument` names code that is run, such as a module or a Python file: a model that
    somebody shared is not applied with it before the user has named it."""
    weights_options: ClassVar[tuple[str, ...]] = ()
    """Options that only say which weights are loaded: `weights_digest` stands for them in the
    keys of stored features, so that a moved checkpoint is not encoded again."""

    def load(self, device: str) -> Callable[[Any], Iterable[Any]]:
        """Load the weights; heavy imports belong here and nowhere else.

        Returns
        -------
        callable
            (batch, samples) -> the states 0 to `layers`, each (batch, frames, width): all at
            once, or one by one, so that the harness can stop after the last it wants. It may
            carry `weights_digest` (str, of the weights and of the configuration that came with
            them) and `frame_rate_hz` (float); without them the harness measures the rate and
            hashes the outputs on three fixed signals. It may also carry `parameter_count` (int),
            which results tell.
        """
        raise NotImplementedError


class PretrainedEncoder(AudioEncoder):
    """An audio encoder whose weights lie in a folder or on the Hugging Face hub."""

    argument: ClassVar[str] = "checkpoint"
    weights_options: ClassVar[tuple[str, ...]] = ("checkpoint", "weights", "weights_seed")

    checkpoint: str
    """A folder, or an id on the Hugging Face hub with an optional revision: ``org/model@main``."""
    weights: Literal["pretrained", "random"] = "pretrained"
    """``random`` keeps the architecture and draws the weights: what training has to beat."""
    weights_seed: NonNegativeInt = 0
    """Seed of random weights."""


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
    linear: ClassVar[bool] = False
    """True where a weighted sum of layers is pooled to the weighted sum of what each is pooled to,
    so that layers can be weighted after they are pooled."""
    standardised: ClassVar[bool] = True
    """Of a learned pooling: whether the head is given columns that are standardised over the
    training clips, as other heads are. They are measured once, on the untrained network."""
    farthest: ClassVar[float] = 10.0
    """Standard deviations to which such columns are bounded: those that are nearly constant in
    training, such as the highest bands of a spectrum, reach hundreds of them on other music, where
    8 are rarely passed in training. Infinite where the network bounds what it returns."""

    @property
    def learned(self) -> bool:
        """Whether it is trained with the head, and does not pool alone."""
        return type(self).pool is Pooling.pool

    def pool(self, frames: Frames) -> Floats:
        """Pool one clip, its chunks already joined, to shape (layers, width_out)."""
        raise NotImplementedError

    def network(self, width: int) -> Any:
        """Return a torch module, not yet trained; it is trained with the head, fold by fold.

        Parameters
        ----------
        width : int
            Of the frames: chosen layers are side by side, or averaged.

        Returns
        -------
        torch.nn.Module
            Of ``values`` (float32, shape (clips, frames, width), standardised), ``mask`` (bool,
            shape (clips, frames), False where a clip has ended and there is only padding) and
            ``levels`` (dict of str to int64, shape (clips, frames), as in `Frames`); it returns
            (clips, any width). What it makes of a clip depends neither on the padding nor on the
            other clips.
        """
        raise NotImplementedError


class Head(Component):
    """Features to labels; a head that is trained by gradient is a `NetworkHead`."""

    kind: ClassVar[str] = "head"
    stochastic: ClassVar[bool] = False
    """True where the seed changes the fit; other heads are fitted once whatever the seeds."""
    slow: ClassVar[bool] = False
    """True where a fit takes more than seconds; then only the ranking protocol runs by default."""
    predictor: ClassVar[type[Predictor] | None] = None
    """The dataclass that `fit` returns, where its fields are arrays, what JSON holds, or such
    dataclasses: `bench fit` keeps it in files that hold no code. None where it cannot be kept;
    networks are kept without it."""

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


class PairwiseHead(Head):
    """A head that knows clips only by how two of them compare, in sums over features.

    Where several layers are side by side the harness adds up what `compare` says of each layer
    and calls `fit_pairs`; a sweep compares by each layer once, whatever choices of layers it
    holds. Both ways predict the same within rounding: columns have to be scaled one by one.
    """

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the measures that `compare` takes; all that its result depends on."""
        raise NotImplementedError

    def compare(self, x: NDArray[np.float64], x_new: NDArray[np.float64]) -> Pairs:
        """Compare training clips (clips, features) with each other, and new clips with them.

        Whatever is measured to scale a column is measured on the training clips.
        """
        raise NotImplementedError

    def fit_pairs(
        self,
        pairs: Pairs,
        y: NDArray[np.float64],
        groups: NDArray[np.str_],
        sample_weight: NDArray[np.float64] | None = None,
    ) -> PairPredictor:
        """Fit on the training part of a fold; see `Head.fit`."""
        raise NotImplementedError


class NetworkHead(Head):
    """A head trained by gradient: `network` says what is trained, the options say how.

    The harness standardises inputs and labels on the training part and trains with Adam; it keeps
    the epoch that does best on an inner validation part. The defaults are the study's, but for the
    labels.
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
    gradient_norm: PositiveFloat | None = Field(None, exclude_if=_untouched(None))
    """Gradients longer than this are shortened to it; recurrent networks need a bound."""
    decay: Annotated[float, Field(gt=0, le=1)] = Field(1.0, exclude_if=_untouched(1.0))
    """Factor by which the step size shrinks every `decay_steps` steps."""
    decay_steps: PositiveInt = Field(3000, exclude_if=_untouched(3000))
    """Steps between two such factors."""
    loss: LossName = Field("mse", exclude_if=_untouched("mse"))
    """What is minimised: the squared error (``mse``), one minus the concordance correlation over
    the batch (``ccc``), both (``hybrid``), Huber's (``huber``), or the squared error and the order
    of clips of one passage (``rank``)."""
    loss_weight: Annotated[float, Field(gt=0, lt=1)] = Field(0.5, exclude_if=_untouched(0.5))
    """Weight of ``ccc`` in ``hybrid`` and of the order in ``rank``; the squared error has the
    rest."""
    huber_delta: PositiveFloat = Field(1.0, exclude_if=_untouched(1.0))
    """Error beyond which ``huber`` grows linearly: standard deviations of the labels, where they
    are standardised."""
    refit: bool = Field(False, exclude_if=_untouched(False))
    """True trains anew on the whole training part, for as many epochs as the inner validation
    part chose."""
    standardise_labels: bool = True
    """False trains on the labels as they are, as the study did. Their spread is small, so that
    what the initial weights made of unseen music is then hardly ever unlearned."""

    def network(self, width: int, dimensions: int) -> Any:
        """Return a torch module of (batch, width) -> (batch, dimensions), not yet trained."""
        raise NotImplementedError
