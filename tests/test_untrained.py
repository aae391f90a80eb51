from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from pianobench import UsageError
from pianobench.untrained import draw_weights


def network() -> Any:
    return torch.nn.Sequential(
        torch.nn.Conv1d(1, 4, 3),
        torch.nn.BatchNorm1d(4),
        torch.nn.TransformerEncoderLayer(4, 2, 8),
    )


def flat(model: Any) -> Any:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_every_weight_is_drawn_from_the_seed_alone() -> None:
    one, other = network(), network()
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.fill_(7.0)
    one[1].running_mean.fill_(7.0)
    for model in (one, other):
        draw_weights(model, 3, "it")
    assert not (flat(one) == 7.0).any()
    assert torch.equal(flat(one), flat(other))
    assert torch.equal(one[1].running_mean, torch.zeros(4))
    draw_weights(other, 4, "it")
    assert not torch.equal(flat(one), flat(other))


def test_the_global_generator_is_left_alone() -> None:
    model = network()
    before = torch.random.get_rng_state()
    draw_weights(model, 3, "it")
    assert torch.equal(torch.random.get_rng_state(), before)


class Bare(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(2))


def test_a_part_that_cannot_be_drawn_is_refused_before_anything_is() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), Bare())
    before = flat(model)
    with pytest.raises(UsageError, match=r"'it' .* parts without reset_parameters: 1 \(Bare\)"):
        draw_weights(model, 0, "it")
    assert torch.equal(flat(model), before)


@pytest.mark.parametrize("model", [Bare(), torch.nn.ReLU(), "a graph of another library"])
def test_what_has_nothing_to_draw_is_refused(model: Any) -> None:
    with pytest.raises(UsageError, match=r"the model \(Bare\)|no parameters|is a str, not a torch"):
        draw_weights(model, 0, "it")


class Scaled(torch.nn.Linear):
    def __init__(self) -> None:
        super().__init__(2, 2)
        self.scale = torch.nn.Parameter(torch.ones(2))


def test_a_parameter_that_its_part_does_not_draw_is_refused() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), Scaled())
    with pytest.raises(UsageError, match=r"'it' .* leaves out 1\.scale\. Leave --weights random"):
        draw_weights(model, 0, "it")


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
def test_a_convolution_under_the_older_weight_norm_is_refused() -> None:
    convolutions = [torch.nn.utils.weight_norm(torch.nn.Conv1d(1, 2, 3)) for _ in range(2)]
    with pytest.raises(UsageError, match=r"out 0\.weight_g, 0\.weight_v, 1\.weight_g and 1 more\."):
        draw_weights(torch.nn.Sequential(*convolutions), 0, "it")
