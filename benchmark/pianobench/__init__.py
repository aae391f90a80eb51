"""A benchmark harness: how well an encoder and a head judge piano performance.

These are the names a plugin may import. Nothing here imports torch, transformers, scikit-learn,
scipy or pandas.
"""

from __future__ import annotations

from .components import (
    AudioEncoder,
    Clip,
    Component,
    Corpus,
    Dataset,
    Dimension,
    Fold,
    Frames,
    Head,
    NetworkHead,
    Pooling,
    Predictor,
    Ratings,
    Remote,
    Renderer,
    ScoreEncoder,
    Split,
)
from .errors import (
    AudioError,
    DataError,
    DependencyError,
    EncodingError,
    MidiError,
    PianobenchError,
    UsageError,
)
from .hookspecs import hookimpl
from .notes import Notes, read_notes, write_notes

__version__ = "0.1.0"

__all__ = [
    "AudioEncoder",
    "AudioError",
    "Clip",
    "Component",
    "Corpus",
    "DataError",
    "Dataset",
    "DependencyError",
    "Dimension",
    "EncodingError",
    "Fold",
    "Frames",
    "Head",
    "MidiError",
    "NetworkHead",
    "Notes",
    "PianobenchError",
    "Pooling",
    "Predictor",
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
