"""What the cells of a sweep read: rendered once for each input, encoded in one pass of an encoder.

Cells that differ in layers only read the same features. Where cells of one encoder and input keep
different things of it (poolings, frames of some layers), a single pass makes all of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import NamedTuple

from .encode import Encoded
from .errors import PianobenchError
from .frame_encoding import EncodedFrames
from .plan import Plan
from .render import Rendered
from .run import Workplace, encode, render, require_device
from .shared_encoding import encode_once
from .values import Corpus

__all__ = ["Encoding", "Encodings"]


class Encoding(NamedTuple):
    """What was encoded, and the seconds that it took, by stage."""

    encoded: Encoded | EncodedFrames
    timings: dict[str, float]


class Encodings:
    """What the cells of a sweep read, each rendered and encoded when it is first asked for."""

    def __init__(self, plans: list[Plan], corpus: Corpus, workplace: Workplace) -> None:
        self._plans = plans
        self._corpus = corpus
        self._workplace = workplace
        self._passed: set[str] = set()
        self._known: dict[str, Encoding | PianobenchError] = {}

    def of(self, plan: Plan) -> Encoding:
        """Find what a cell reads; an error is raised for every cell that reads it."""
        key = f"{_pass_key(plan)} {_kept(plan)}"
        if key not in self._known:
            try:
                self._known[key] = self._encode(plan)
            except PianobenchError as error:
                self._known[key] = error
        found = self._known[key]
        if isinstance(found, PianobenchError):
            raise found
        return found

    def _encode(self, plan: Plan) -> Encoding:
        require_device(plan.encoder, self._workplace.device)
        started = time.perf_counter()
        waveforms = render(plan, self._corpus, self._workplace)
        rendered = time.perf_counter()
        self._pass_once(plan, waveforms)
        encoded = encode(plan, self._corpus, waveforms, self._workplace)
        done = time.perf_counter()
        return Encoding(encoded, {"render": rendered - started, "encode": done - rendered})

    def _pass_once(self, plan: Plan, waveforms: Mapping[str, Rendered] | None) -> None:
        """Encode for every cell of this encoder and input at once, where they keep several."""
        key = _pass_key(plan)
        kept = {_kept(other): other for other in self._plans if _pass_key(other) == key}
        if len(kept) == 1 or key in self._passed:
            return
        self._passed.add(key)
        encode_once(
            plan.encoder,
            self._corpus,
            [other.layers if other.pooling.learned else other.pooling for other in kept.values()],
            waveforms=waveforms,
            policy=plan.policy(self._workplace.device),
            cache=self._workplace.cache,
            jobs=self._workplace.jobs,
        )


def _pass_key(plan: Plan) -> str:
    """Name what an encoder makes, before it is loaded."""
    config = plan.config.model_dump(mode="json")
    depends = ("encoder", "renderer", "precision", "chunk_s", "overlap_s")
    return json.dumps([config.get(name) for name in depends], sort_keys=True)


def _kept(plan: Plan) -> str:
    """Name what is kept of that."""
    if plan.pooling.learned:
        return f"frames of {plan.layers}"
    return json.dumps([plan.pooling.name, plan.pooling.options], sort_keys=True)
