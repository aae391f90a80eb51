"""A benchmark harness: how well an encoder and a head judge piano performance.

These are the names a plugin may import. Nothing here imports torch, transformers, scikit-learn,
scipy or pandas.
"""

from __future__ import annotations

from .components import (
    AudioEncoder,
    Component,
    Dataset,
    Head,
    NetworkHead,
    PairwiseHead,
    Pooling,
    PretrainedEncoder,
    Renderer,
    ScoreEncoder,
)
from .errors import (
    AudioError,
    CheckpointError,
    DataError,
    DependencyError,
    EncodingError,
    MidiError,
    PianobenchError,
    UsageError,
)
from .hookspecs import hookimpl
from .notes import Notes, read_notes, write_notes
from .pairs import Pairs
from .predictors import PairPredictor, Predictor
from .values import (
    Clip,
    Corpus,
    DatasetCard,
    Dimension,
    Fold,
    Frames,
    LeftOut,
    Ratings,
    Remote,
    Split,
)

__version__ = "0.1.0"

__all__ = [
    "AudioEncoder",
    "AudioError",
    "CheckpointError",
    "Clip",
    "Component",
    "Corpus",
    "DataError",
    "Dataset",
    "DatasetCard",
    "DependencyError",
    "Dimension",
    "EncodingError",
    "Fold",
    "Frames",
    "Head",
    "LeftOut",
    "MidiError",
    "NetworkHead",
    "Notes",
    "PairPredictor",
    "Pairs",
    "PairwiseHead",
    "PianobenchError",
    "Pooling",
    "Predictor",
    "PretrainedEncoder",
    "Ratings",
    "Remote",
    "Renderer",
    "ScoreEncoder",
    "Split",
    "UsageError",
    "hookimpl",
    "read_notes",
    "write_notes",
]
