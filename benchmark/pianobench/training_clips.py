"""What a fitted model remembers of the clips it was fitted on, to read its predictions by.

Their vectors tell how new a new clip is; their labels, and what models say of them that had not
seen their passages, tell what distribution of predictions is usual. Predictions of the model itself
would not: it has seen these clips, and spreads wider on them than on any others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array_files import read_arrays, write_arrays
from .components import Dataset
from .errors import ResultError, SplitError
from .evaluate import evaluate
from .fitted_model import FittedModel
from .inputs import Vectors
from .metrics import pooled_r2
from .novelty import Novelty, measure_novelty
from .sequences import Sequences
from .split import inner_groups, load_split
from .stored_features import StoredFeatures
from .values import Corpus, Split

__all__ = ["TrainingClips", "predict_held_out", "vectors_of"]

Floats = NDArray[np.float64]
_PROTOCOL = "piece"


@dataclass(frozen=True)
class TrainingClips:
    """The clips a model was fitted on.

    Attributes
    ----------
    ids : tuple of str
    passages : str array, shape (clips,)
        Each clip's own id where passages are not known.
    vectors : float32 array, shape (clips, features)
        See `vectors_of`.
    targets : float array, shape (clips, dimensions)
    held_out : float array, shape (clips, dimensions), or None
        What models say that had not seen the clip's passage; None where there are too few.
    """

    ids: tuple[str, ...]
    passages: NDArray[np.str_]
    vectors: NDArray[np.float32]
    targets: Floats
    held_out: Floats | None

    @classmethod
    def of(
        cls, corpus: Corpus, features: StoredFeatures | Sequences, held_out: Floats | None
    ) -> TrainingClips:
        """Take from a corpus and its features what is to be remembered."""
        passages = inner_groups(corpus, Split("", (), (), ""))
        vectors = vectors_of(features).astype(np.float32)
        return cls(corpus.ids, passages, vectors, corpus.targets, held_out)

    @property
    def r2(self) -> float | None:
        """Pooled R2 of `held_out`, averaged over dimensions."""
        if self.held_out is None:
            return None
        return float(pooled_r2(self.targets, self.held_out).mean())

    def novelty(self, features: StoredFeatures | Sequences) -> Novelty:
        """Measure how far clips lie from these; see `pianobench.novelty`."""
        return measure_novelty(self.vectors.astype(np.float64), self.passages, vectors_of(features))

    def write(self, path: Path) -> None:
        """Write them to a ``.safetensors`` file; StoreError where that fails."""
        arrays: dict[str, NDArray[Any]] = {"vectors": self.vectors, "targets": self.targets}
        if self.held_out is not None:
            arrays["held_out"] = self.held_out
        names = {"ids": list(self.ids), "passages": self.passages.tolist()}
        write_arrays(path, arrays, {what: json.dumps(said) for what, said in names.items()})

    @classmethod
    def read(cls, path: Path) -> TrainingClips:
        """Read them back.

        Raises
        ------
        ResultError
            If the file is absent, damaged or another.
        """
        stored = read_arrays(path)
        try:
            if stored is None:
                raise KeyError("it cannot be opened")
            arrays = stored.arrays
            return cls(
                tuple(json.loads(stored.words["ids"])),
                np.array(json.loads(stored.words["passages"]), dtype=np.str_),
                arrays["vectors"],
                arrays["targets"],
                arrays.get("held_out"),
            )
        except (KeyError, ValueError) as error:
            raise ResultError(
                f"{path} does not hold the clips that a model was fitted on: {error}. Fit it again."
            ) from error


def vectors_of(features: StoredFeatures | Sequences) -> Floats:
    """Read one vector per clip, shape (clips, features); of frames their mean over time."""
    if isinstance(features, Sequences):
        frames = (features.read(clip)[0] for clip in range(len(features)))
        return np.array([values.mean(axis=0) for values in frames])
    read = features.read()
    return read.x if isinstance(read, Vectors) else read


def predict_held_out(
    model: FittedModel,
    corpus: Corpus,
    features: StoredFeatures | Sequences,
    dataset: Dataset,
    jobs: int,
) -> Floats | None:
    """Predict the clips of a corpus by models that did not see their passages.

    Returns
    -------
    float array, shape (clips, dimensions), or None
        None where passages are unknown or too few for the protocol `piece`.
    """
    try:
        split = load_split(corpus, _PROTOCOL, dataset)
    except SplitError:
        return None
    plan = model.plan
    (found,) = evaluate(
        plan.head,
        features,
        corpus,
        [split],
        model.seeds,
        weighting=plan.config.weighting,
        jobs=jobs,
    )
    predicted: Floats = found.values.mean(axis=0)
    return predicted
