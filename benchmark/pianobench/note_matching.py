"""Which note of the score a performed note is: dynamic time warping from both ends.

References
----------
parangonar's DualDTWNoteMatcher, https://github.com/sildater/parangonar
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, DependencyError
from .symbolic import import_symbolic, quiet

__all__ = ["match_notes"]


def match_notes(
    onset_q: NDArray[np.float64],
    score_pitch: NDArray[np.int64],
    onset_s: NDArray[np.float64],
    pitch: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Match performed notes to those of a score, each to one at most and of its own pitch.

    Parameters
    ----------
    onset_q : array, shape (score notes,)
        In quarter notes, rising.
    score_pitch : array, shape (score notes,)
    onset_s : array, shape (performed notes,)
        In seconds, rising.
    pitch : array, shape (performed notes,)

    Returns
    -------
    int array, shape (performed notes,)
        Index of the score note; -1 for none.

    Raises
    ------
    DataError
        If either has no two onsets that differ, or the notes cannot be brought together.
    DependencyError
        If parangonar is not installed.
    """
    for whose, onset in (("score", onset_q), ("performance", onset_s)):
        if len(np.unique(onset)) < 2:
            raise DataError(
                f"The {whose} holds {len(onset)} note(s) at one time; at least two times are "
                "needed to align it."
            )
    matcher = import_symbolic("parangonar").DualDTWNoteMatcher()
    score = _note_array("beat", onset_q, score_pitch)
    performance = _note_array("sec", onset_s, pitch)
    try:
        with quiet():
            # Ornaments on fails on a quarter of PercePiano's excerpts, and gains nothing where
            # the score's ornaments are played out.
            found = matcher(score, performance, process_ornaments=False)
    except DependencyError:
        raise
    except Exception as error:
        raise DataError(
            f"The performance cannot be matched with its score ({type(error).__name__}: {error}). "
            "They are most likely not the same music."
        ) from error
    matched = np.full(len(pitch), -1, dtype=np.int64)
    for pair in found:
        if pair["label"] == "match":
            matched[int(pair["performance_id"])] = int(pair["score_id"])
    return matched


def _note_array(
    unit: str, onset: NDArray[np.float64], pitch: NDArray[np.int64]
) -> NDArray[np.void]:
    kinds = [(f"onset_{unit}", "f8"), (f"duration_{unit}", "f8"), ("pitch", "i8")]
    notes = np.zeros(len(onset), dtype=[*kinds, ("id", "U12"), ("is_grace", "?")])
    notes[f"onset_{unit}"] = onset
    notes["pitch"] = pitch
    notes["id"] = [str(index) for index in range(len(onset))]
    return notes
