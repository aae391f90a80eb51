"""Plans: names with arguments, untrained weights, and how waveforms pass the encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pianobench.config import RunConfig, set_option
from pianobench.errors import UnknownNameError, UsageError
from pianobench.plan import plan_run, spelled
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


def test_several_renderers_are_one_configuration_in_any_order_and_spelling() -> None:
    registry = Registry()
    listed = plan_run(asked(encoder="mel", renderer="tone:0.9, tone"), registry)
    tables = [{"name": "tone"}, {"name": "tone", "brightness": 0.9}]
    assert plan_run(asked(encoder="mel", renderer=tables), registry).config == listed.config
    assert [renderer.options["brightness"] for renderer in listed.renderers] == [0.6, 0.9]
    again = plan_run(RunConfig.model_validate_json(listed.config.canonical()), registry)
    assert again.config.digest == listed.config.digest
    assert "test_renderer" not in listed.config.canonical()
    assert [part for part in listed.config.parts if "renderer" in part] == [
        "renderer 1",
        "renderer 2",
    ]


def test_one_renderer_keeps_the_configuration_that_it_always_had() -> None:
    registry = Registry()
    plain = plan_run(asked(encoder="mel", renderer="tone"), registry)
    for more in (
        {"renderer": ["tone"]},
        {"renderer": "tone", "test_renderer": "tone:0.6"},
        {"test_renderer": ["tone"]},
    ):
        assert plan_run(asked(encoder="mel", **more), registry).config.canonical() == (
            plain.config.canonical()
        )
    dumped = plain.config.model_dump(mode="json")
    assert dumped["renderer"] == {"name": "tone", "options": plain.renderers[0].options}
    assert list(plain.config.parts) == ["dataset", "encoder", "renderer", "pooling", "head"]


def test_the_default_renderer_may_be_tested_on_another() -> None:
    plan = plan_run(asked(encoder="mel", test_renderer="tone:0.9"), Registry())
    assert [spelled(renderer) for renderer in plan.heard] == ["tone:0.6", "tone:0.9"]
    alone = plan.by_renderer()
    for one, name in zip(alone, ("tone:0.6", "tone:0.9"), strict=True):
        expected = plan_run(asked(encoder="mel", renderer=name), Registry())
        assert one.config == expected.config
        assert one.renderer == expected.renderer
    with pytest.raises(UsageError, match=r"one renderer, and 2 are named: tone:0.6, tone:0.9"):
        assert plan.renderer


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"renderer": "tone,tone:0.6"}, "--renderer names tone:0.6 more than once"),
        ({"test_renderer": "tone,tone"}, "--test-renderer names tone:0.6 more than once"),
        ({"encoder": "midi-stats", "test_renderer": "tone"}, "--test-renderer has nothing to do"),
        ({"encoder": "midi-stats", "renderer": "tone,tone:0"}, "--renderer has nothing to do"),
        ({"renderer": []}, "sets renderer to .*name at least one"),
    ],
)
def test_renderers_that_cannot_be_listed_so_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan_run(asked(**{"encoder": "mel", **given}), Registry())


@pytest.mark.parametrize("named", ["tone,tone:0.9", ["tone", "tone:0.9"]])
def test_an_option_of_one_of_several_renderers_is_refused(named: Any) -> None:
    with pytest.raises(UsageError, match=r"names several renderers\. Give each"):
        set_option({"renderer": named}, "renderer.gain_db", 1, "--set renderer.gain_db=1")
