"""Plans: names with arguments, untrained weights, and how waveforms pass the encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pianobench.config import RunConfig
from pianobench.errors import UnknownNameError, UsageError
from pianobench.plan import plan_run
from pianobench.plugins import Registry
from pianobench.policy import Policy

TINY_MUQ = str(Path(__file__).parent / "parity" / "muq_tiny")


def asked(**given: Any) -> RunConfig:
    return RunConfig.parse({"dataset": "demo", **given}, "test")


def muq(**options: Any) -> dict[str, Any]:
    return {"name": "muq", "checkpoint": TINY_MUQ, **options}


def test_text_after_a_colon_is_the_argument_of_the_component() -> None:
    plan = plan_run(asked(encoder=f"muq:{TINY_MUQ}"), Registry())
    assert plan.encoder.options["checkpoint"] == TINY_MUQ
    assert plan.config == plan_run(asked(encoder=muq()), Registry()).config
    assert plan.layers == (3,)


@pytest.mark.parametrize(
    ("name", "said"),
    [("midi-stats:x", "takes no text after a colon"), ("muq:", "lacks its checkpoint")],
)
def test_an_argument_that_means_nothing_is_refused(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan_run(asked(encoder=name), Registry())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"head": "ridge"}, "head 'ridge' is not trained by gradient"),
        ({"layers": "last"}, "there is but layer 3 of the encoder 'muq'"),
        ({"pooling": "std"}, "pooling 'std' of a mixture of layers cannot be had"),
        ({"pooling": "mean+std"}, r"pooling 'mean\+std' of a mixture"),
    ],
)
def test_layers_that_cannot_be_weighted_are_refused(given: dict[str, str], said: str) -> None:
    fits = {"encoder": muq(), "layers": "1-3", "head": "mlp", "merge": "weighted"}
    assert plan_run(asked(**fits), Registry()).pooling.name == "mean"
    assert plan_run(asked(**fits, pooling="attention"), Registry()).pooling.learned
    with pytest.raises(UsageError, match=f"--merge weighted learns.*{said}"):
        plan_run(asked(**{**fits, **given}), Registry())


@pytest.mark.parametrize("pooling", ["attention", "lstm"])
def test_a_learned_pooling_needs_a_head_that_is_trained_by_gradient(pooling: str) -> None:
    with pytest.raises(UsageError, match=f"'{pooling}' is learned with the head.*'ridge' is not"):
        plan_run(asked(encoder="mel", pooling=pooling), Registry())


def test_a_torch_encoder_has_its_pieces_and_precision_filled_in() -> None:
    config = plan_run(asked(encoder=muq()), Registry()).config
    assert (config.chunk_s, config.overlap_s, config.precision) == (10.0, 0.0, "float32")


def test_what_does_not_apply_leaves_no_trace_in_the_configuration() -> None:
    for encoder in ("mel", "midi-stats"):
        config = plan_run(asked(encoder=encoder), Registry()).config
        assert "precision" not in config.canonical()
        assert "chunk_s" not in config.canonical()


def test_pieces_and_precision_asked_for_are_kept_and_used() -> None:
    settings = {"chunk_s": 4.0, "overlap_s": 0.4, "precision": "bfloat16"}
    plan = plan_run(asked(encoder=muq(), **settings), Registry())
    assert plan.policy("cpu") == Policy(96_000, 9_600, "bfloat16", "cpu")
    again = plan_run(RunConfig.model_validate_json(plan.config.canonical()), Registry())
    assert again.config == plan.config
    assert again.name == plan.name
    assert plan.name != plan_run(asked(encoder=muq()), Registry()).name


def test_encoders_of_notes_take_neither_pieces_nor_precision() -> None:
    assert plan_run(asked(encoder="midi-stats"), Registry()).policy("cpu") is None
    with pytest.raises(UsageError, match="reads notes, so that precision has nothing to do"):
        plan_run(asked(encoder="midi-stats", precision="bfloat16"), Registry())


def test_layers_are_counted_on_the_model_that_was_asked_for() -> None:
    untrained = {"name": "muq", "weights": "random"}
    assert plan_run(asked(encoder=untrained, layers="9-12"), Registry()).layers == (9, 10, 11, 12)
    with pytest.raises(UsageError, match="'muq' has layers 0 to 3"):
        plan_run(asked(encoder=muq(), layers="9-12"), Registry())


def test_only_encoders_with_weights_can_be_untrained() -> None:
    with pytest.raises(UnknownNameError, match="no option of encoder 'mel' named 'weights'"):
        plan_run(asked(encoder={"name": "mel", "weights": "random"}), Registry())
